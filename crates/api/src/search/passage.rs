//! The stretch of a text that holds most of what was asked for.

use super::words::words;
use std::{collections::HashSet, ops::Range};

/// Characters that a passage has at most, and at least where the text goes on.
const MAX_CHARS: usize = 400;
const WANTED_CHARS: usize = 160;

/// Some sentences of a text. Offsets count its characters; `text` is exactly what stands between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Which of the texts.
    pub text_index: usize,
    pub start: usize,
    pub end: usize,
    pub text: String,
}

/// Part of a text without white space around it, at most [`MAX_CHARS`] long.
#[derive(Debug, PartialEq)]
struct Sentence {
    start: usize,
    end: usize,
    bytes: Range<usize>,
    /// Which of the stems begin a word in it.
    stems: HashSet<usize>,
}

/// The best stretch of each text that holds a stem, best first; of equals the one whose text comes first. A stem counts
/// the more, the fewer sentences hold it.
pub fn best(texts: &[&str], stems: &[String]) -> Vec<Stretch> {
    let split: Vec<Vec<Sentence>> = texts.iter().map(|text| sentences(text, stems)).collect();
    let all = split.iter().map(Vec::len).sum::<usize>() as f64;
    let weights: Vec<f64> = (0..stems.len())
        .map(|stem| {
            let holding = split.iter().flatten().filter(|sentence| sentence.stems.contains(&stem));
            (1.0 + all / holding.count().max(1) as f64).ln()
        })
        .collect();
    let mut scored: Vec<(f64, Stretch)> = Vec::new();
    for (text_index, (text, sentences)) in texts.iter().zip(&split).enumerate() {
        let Some((score, first, last)) = best_window(sentences, &weights) else {
            continue;
        };
        let (first, last) = widened(sentences, first, last);
        let (first, last) = (&sentences[first], &sentences[last]);
        let stretch = Stretch {
            text_index,
            start: first.start,
            end: last.end,
            text: text[first.bytes.start..last.bytes.end].to_owned(),
        };
        scored.push((score, stretch));
    }
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().map(|(_, stretch)| stretch).collect()
}

/// The window with the heaviest stems, with the first and last of its sentences; of equals the shortest.
fn best_window(sentences: &[Sentence], weights: &[f64]) -> Option<(f64, usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    for first in 0..sentences.len() {
        let mut held: HashSet<usize> = HashSet::new();
        for last in first..sentences.len() {
            let length = length(sentences, first, last);
            if length > MAX_CHARS {
                break;
            }
            held.extend(&sentences[last].stems);
            // Summed in one order, so that the same stems always weigh the same.
            let score: f64 = (0..weights.len())
                .filter(|stem| held.contains(stem))
                .map(|stem| weights[stem])
                .sum();
            let better = match best {
                None => score > 0.0,
                Some((known, from, to)) => {
                    score > known || (score == known && length < self::length(sentences, from, to))
                }
            };
            if better {
                best = Some((score, first, last));
            }
        }
    }
    best
}

/// A heading or a fragment alone says little: what follows is added, then what stands before, until there is enough.
fn widened(sentences: &[Sentence], mut first: usize, mut last: usize) -> (usize, usize) {
    let short = |first, last| length(sentences, first, last) < WANTED_CHARS;
    let fits = |first, last| length(sentences, first, last) <= MAX_CHARS;
    while short(first, last) && last + 1 < sentences.len() && fits(first, last + 1) {
        last += 1;
    }
    while short(first, last) && first > 0 && fits(first - 1, last) {
        first -= 1;
    }
    (first, last)
}

fn length(sentences: &[Sentence], first: usize, last: usize) -> usize {
    sentences[last].end - sentences[first].start
}

/// Cuts at line ends and after sentences; what is longer than a passage may be, at white space.
fn sentences(text: &str, stems: &[String]) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    // Where the sentence starts, and the last white space in it: character and byte.
    let mut start: Option<(usize, usize)> = None;
    let mut space: Option<(usize, usize)> = None;
    // Where what is no white space ended last.
    let mut end = (0, 0);
    let mut after_stop = false;
    let mut push = |from: (usize, usize), to: (usize, usize)| {
        let bytes = from.1..to.1;
        sentences.push(Sentence {
            start: from.0,
            end: to.0,
            stems: held(&text[bytes.clone()], stems),
            bytes,
        });
    };
    for (character, (byte, c)) in text.char_indices().enumerate() {
        if c.is_whitespace() {
            if let Some(from) = start.filter(|_| c == '\n' || after_stop) {
                push(from, end);
                (start, space) = (None, None);
            } else if start.is_some() && end.0 == character {
                space = Some(end);
            }
            continue;
        }
        if let Some(from) = start.filter(|from| character - from.0 >= MAX_CHARS) {
            // What follows the last white space begins the next sentence; where there is none, this character does.
            let cut = space.take().unwrap_or(end);
            push(from, cut);
            let gap = text[cut.1..].char_indices().take_while(|(_, c)| c.is_whitespace());
            let skipped = gap.fold((0, 0), |(count, bytes), (_, c)| (count + 1, bytes + c.len_utf8()));
            start = Some((cut.0 + skipped.0, cut.1 + skipped.1));
        }
        start = start.or(Some((character, byte)));
        end = (character + 1, byte + c.len_utf8());
        after_stop = matches!(c, '.' | '!' | '?' | '。');
    }
    if let Some(from) = start {
        push(from, end);
    }
    sentences
}

fn held(text: &str, stems: &[String]) -> HashSet<usize> {
    let mut held = HashSet::new();
    for word in words(text) {
        let word = word.to_lowercase();
        held.extend((0..stems.len()).filter(|stem| word.starts_with(stems[*stem].as_str())));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn at(text: &str, start: usize, end: usize) -> String {
        text.chars().skip(start).take(end - start).collect()
    }

    #[test]
    fn sentences_are_exact_and_never_too_long() {
        let long = "wört ".repeat(300);
        let unbroken = "ü".repeat(1000);
        let text = format!("# Übung\n\nEins ist kurz.  Zwei auch!\nDrei\n{long}\n{unbroken} Ende.");
        let found = sentences(&text, &[]);
        for sentence in &found {
            let slice = &text[sentence.bytes.clone()];
            assert_eq!(slice, at(&text, sentence.start, sentence.end));
            assert!(sentence.end - sentence.start <= MAX_CHARS && slice.trim() == slice && !slice.is_empty());
        }
        let first: Vec<&str> = found
            .iter()
            .take(4)
            .map(|sentence| &text[sentence.bytes.clone()])
            .collect();
        assert_eq!(first, ["# Übung", "Eins ist kurz.", "Zwei auch!", "Drei"]);
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        let kept: usize = found
            .iter()
            .map(|sentence| letters(&text[sentence.bytes.clone()]))
            .sum();
        assert_eq!(kept, letters(&text));
    }

    #[test]
    fn the_stretch_with_most_of_the_question_wins() {
        let filler = "Nothing of note is said in this sentence about anything at all. ".repeat(10);
        let text = format!("{filler}\nBoats are blue. The harbour opens at nine for boats.\n{filler}");
        let found = best(&[&filler, &text], &stems(&["boat", "harbour", "open"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text_index, 1);
        assert!(
            found[0].text.starts_with("The harbour opens at nine"),
            "{}",
            found[0].text
        );
        assert_eq!(found[0].text, at(&text, found[0].start, found[0].end));
        assert!(found[0].text.chars().count() >= WANTED_CHARS);
    }

    #[test]
    fn rare_words_outweigh_common_ones() {
        let common = "The company likes work. ".repeat(8);
        let rare = "A quorum needs five people. ".to_owned() + &"Something else entirely. ".repeat(8);
        let found = best(&[&common, &rare], &stems(&["company", "quorum"]));
        assert_eq!(
            found.iter().map(|stretch| stretch.text_index).collect::<Vec<_>>(),
            [1, 0]
        );
    }

    #[test]
    fn nothing_matches_nothing() {
        assert_eq!(best(&["Some text."], &stems(&["boat"])), []);
        assert_eq!(best(&["Some text."], &[]), []);
        assert_eq!(best(&[], &stems(&["boat"])), []);
    }
}
