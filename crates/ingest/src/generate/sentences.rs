//! Sentences that can stand alone, and the questions that they answer.

use super::question::{self, Question};
use super::words::bare;
use super::{Candidate, Document, Section, Source, flat};
use crate::blocks::Kind;

/// A sentence of a paragraph; offsets count characters of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sentence<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: &'a str,
}

pub(super) fn candidates(document: &Document<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for section in &document.sections {
        let mut number = 0;
        for block in section.body.iter().filter(|block| block.kind == Kind::Paragraph) {
            for sentence in split(block.text) {
                number += 1;
                if is_sound(sentence.text) {
                    all.extend(candidate(document, section, block.start, sentence, number));
                }
            }
        }
    }
    all
}

fn candidate(
    document: &Document<'_>,
    section: &Section<'_>,
    offset: usize,
    sentence: Sentence<'_>,
    number: usize,
) -> Option<Candidate> {
    let quote = flat(sentence.text);
    let weight = document.words.weight(&quote);
    let question =
        question::of_sentence(&quote, document.title, &document.words).or_else(|| by_keywords(document, &quote))?;
    let ordinal = match number {
        1 => "first sentence".to_owned(),
        2 => "second sentence".to_owned(),
        3 => "third sentence".to_owned(),
        _ => format!("{number}th sentence"),
    };
    let ordinal = match number % 100 {
        21.. if number % 10 == 1 => format!("{number}st sentence"),
        21.. if number % 10 == 2 => format!("{number}nd sentence"),
        21.. if number % 10 == 3 => format!("{number}rd sentence"),
        _ => ordinal,
    };
    Some(Candidate {
        source: Source::Sentence,
        score: question.score + weight * 2.0,
        prompt: question.prompt,
        why: format!("{} in its {ordinal}.", question.why),
        heading: section.heading.map(str::to_owned),
        response: quote.clone(),
        quote,
        start: offset + sentence.start,
        end: offset + sentence.end,
    })
}

/// Where the grammar gives nothing, what a sentence is about by its rarest words.
fn by_keywords(document: &Document<'_>, sentence: &str) -> Option<Question> {
    let keywords = document.words.keywords(sentence, 2);
    let [first, second] = keywords[..] else {
        return None;
    };
    let title = document.title;
    let (first, second) = (document.words.inside(first), document.words.inside(second));
    Some(Question {
        prompt: format!("What does \"{title}\" say about {first} and {second}?"),
        why: format!("speaks of {first} and {second}"),
        score: 1.0,
    })
}

const ABBREVIATIONS: [&str; 36] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "no", "nr", "fig", "vs", "etc", "e.g", "i.e", "cf", "al", "inc", "ltd",
    "co", "corp", "approx", "dept", "art", "sec", "ch", "vol", "pp", "bzw", "z.b", "usw", "ca", "tel", "ext", "min",
    "max", "incl", "jr",
];

/// Splits at the ends of sentences. Every part is trimmed and not empty.
pub(crate) fn split(text: &str) -> Vec<Sentence<'_>> {
    let mut sentences = Vec::new();
    let (mut start_byte, mut start) = (0, 0);
    let mut iter = text.char_indices().enumerate().peekable();
    while let Some((at, (byte, c))) = iter.next() {
        let after = byte + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => ends_here(&text[start_byte..byte], c, &text[after..]),
            _ => false,
        };
        if !ends {
            continue;
        }
        let mut end = (after, at + 1);
        // Closing quotation marks and brackets belong to the sentence.
        while let Some(&(at, (byte, c))) = iter.peek() {
            if !matches!(c, '"' | '”' | '’' | ')' | '\'' | '»' | '」') {
                break;
            }
            end = (byte + c.len_utf8(), at + 1);
            iter.next();
        }
        push(&mut sentences, &text[start_byte..end.0], start, end.1);
        (start_byte, start) = end;
    }
    let rest = &text[start_byte..];
    push(&mut sentences, rest, start, start + rest.chars().count());
    sentences
}

fn push<'a>(sentences: &mut Vec<Sentence<'a>>, raw: &'a str, start: usize, end: usize) {
    let text = raw.trim();
    if text.is_empty() {
        return;
    }
    let lead = raw.chars().take_while(|c| c.is_whitespace()).count();
    let tail = raw.chars().rev().take_while(|c| c.is_whitespace()).count();
    sentences.push(Sentence {
        start: start + lead,
        end: end - tail,
        text,
    });
}

fn ends_here(before: &str, mark: char, after: &str) -> bool {
    let after = after.trim_start_matches(['"', '”', '’', ')', '\'', '»']);
    let mut next = after.chars();
    match next.next() {
        None => return true,
        Some(c) if c.is_whitespace() => {}
        Some(_) => return false,
    }
    let starts_lower = next.find(|c| !c.is_whitespace()).is_some_and(char::is_lowercase);
    if starts_lower {
        return false;
    }
    if mark != '.' {
        return true;
    }
    let word = before
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_number = !word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit());
    // "on 3. May" against "in 2025. The": only short numbers count things.
    let counts_a_thing = is_number && before.trim() == word;
    let is_abbreviation = ABBREVIATIONS.contains(&word.to_lowercase().as_str());
    !(is_initial || counts_a_thing || is_abbreviation)
}

/// Words that point to a sentence before: alone, nobody knows what at.
const DANGLING: [&str; 42] = [
    "it",
    "this",
    "that",
    "these",
    "those",
    "they",
    "he",
    "she",
    "his",
    "her",
    "their",
    "its",
    "such",
    "here",
    "there",
    "both",
    "and",
    "but",
    "or",
    "so",
    "however",
    "therefore",
    "also",
    "thus",
    "then",
    "hence",
    "otherwise",
    "moreover",
    "furthermore",
    "finally",
    "instead",
    "similarly",
    "nevertheless",
    "meanwhile",
    "we",
    "you",
    "i",
    "see",
    "click",
    "please",
    "again",
    "another",
];

/// What a document may call itself after "this".
const SELF: [&str; 16] = [
    "policy",
    "document",
    "handbook",
    "guide",
    "agreement",
    "report",
    "manual",
    "contract",
    "plan",
    "procedure",
    "standard",
    "specification",
    "notice",
    "package",
    "license",
    "program",
];

/// Whether a reader would take it for a whole thought, out of its place.
fn is_sound(sentence: &str) -> bool {
    let chars = sentence.chars().count();
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let letters = sentence.chars().filter(|c| c.is_alphabetic()).count();
    let dense = words.len() < 4 && letters >= 12 && !sentence.is_ascii();
    if !(20..=420).contains(&chars) || words.len() < 5 && !dense {
        return false;
    }
    let first = bare(words[0]).to_lowercase();
    let names_itself = first == "this"
        && words
            .get(1)
            .is_some_and(|word| SELF.contains(&bare(word).to_lowercase().as_str()));
    let starts_well = sentence
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() && !c.is_lowercase() || matches!(c, '"' | '“' | '„' | '«'));
    let ends_well = sentence.ends_with(['.', '!', '。', '！']) || sentence.ends_with(['"', '”', ')', '»']);
    let balanced = sentence.matches('(').count() == sentence.matches(')').count()
        && sentence.matches('"').count().is_multiple_of(2)
        && sentence.matches('“').count() <= sentence.matches(['”', '“']).count() - sentence.matches('“').count() + 1;
    starts_well
        && ends_well
        && balanced
        && letters * 10 >= chars * 6
        && (names_itself || !DANGLING.contains(&first.as_str()))
        && !sentence.contains("http")
        && !sentence.contains("...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        let sentences = split(text);
        let chars: Vec<char> = text.chars().collect();
        for sentence in &sentences {
            let span: String = chars[sentence.start..sentence.end].iter().collect();
            assert_eq!(span, sentence.text);
        }
        sentences.into_iter().map(|sentence| sentence.text).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(
            texts("Dr. Ada came at 3.5 p.m. and left. \"Why?\" he asked. It cost 4 euros (i.e. much).  End"),
            [
                "Dr. Ada came at 3.5 p.m. and left.",
                "\"Why?\" he asked.",
                "It cost 4 euros (i.e. much).",
                "End"
            ]
        );
        assert_eq!(texts("Größe é. 今日は。明日！"), ["Größe é.", "今日は。", "明日！"]);
        assert_eq!(texts(" \n "), Vec::<&str>::new());
    }

    #[test]
    fn fragments_and_pointers_are_not_sound() {
        assert!(is_sound("The laboratory closes at six in winter."));
        assert!(is_sound("This policy applies to every employee."));
        for bad in [
            "It applies to every employee of the firm.",
            "This is why the laboratory closes at six.",
            "closes at six in the winter months.",
            "Page 3 of 14 of the manual",
            "12 | 44 | 9.3 | 1.",
            "See the annex (which is long for details.",
        ] {
            assert!(!is_sound(bad), "{bad}");
        }
    }
}
