//! What the document's own words tell: which are names, and which are rare enough to say what a sentence is about.

use std::collections::{HashMap, HashSet};

use super::question::STOP_WORDS;
use super::sentences::split;
use crate::blocks::{Block, Kind};

pub(super) struct Words<'a> {
    /// Seen in lower case.
    common: HashSet<&'a str>,
    /// Seen with a capital where no sentence starts.
    names: HashSet<&'a str>,
    /// In how many sentences a word (in lower case) stands.
    sentences_with: HashMap<String, usize>,
    sentences: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(all: &[Block<'a>]) -> Self {
        let mut words = Self {
            common: HashSet::new(),
            names: HashSet::new(),
            sentences_with: HashMap::new(),
            sentences: 0,
        };
        let prose = |block: &&Block<'_>| matches!(block.kind, Kind::Paragraph | Kind::Item { .. });
        for block in all.iter().filter(prose) {
            for sentence in split(block.text) {
                words.add(sentence.text);
            }
        }
        words
    }

    fn add(&mut self, sentence: &'a str) {
        self.sentences += 1;
        let mut counted = HashSet::new();
        for (at, word) in sentence.split_whitespace().enumerate() {
            let word = bare(word);
            if word.starts_with(char::is_lowercase) {
                self.common.insert(word);
            } else if at > 0 && word.starts_with(char::is_uppercase) {
                self.names.insert(word);
            }
            if is_content(word) {
                counted.insert(word.to_lowercase());
            }
        }
        for word in counted {
            *self.sentences_with.entry(word).or_insert(0) += 1;
        }
    }

    /// How much a sentence is about something of its own: the mean rarity of its words, 0 to 1.
    pub(super) fn weight(&self, sentence: &str) -> f32 {
        let (mut sum, mut count) = (0.0, 0usize);
        for word in sentence.split_whitespace().map(bare).filter(|word| is_content(word)) {
            sum += self.rarity(word);
            count += 1;
        }
        // Short sentences must not win by one rare word.
        if count == 0 { 0.0 } else { sum / (count.max(6) as f32) }
    }

    fn rarity(&self, word: &str) -> f32 {
        let with = self.sentences_with.get(&word.to_lowercase()).copied().unwrap_or(1) as f32;
        let all = self.sentences.max(2) as f32;
        ((all / with).ln() / all.ln()).clamp(0.0, 1.0)
    }

    /// The words that say best what a sentence is about, in its order.
    pub(super) fn keywords<'s>(&self, sentence: &'s str, most: usize) -> Vec<&'s str> {
        let mut seen = HashSet::new();
        let mut found: Vec<(usize, &str, f32)> = sentence
            .split_whitespace()
            .map(bare)
            .enumerate()
            .filter(|(_, word)| is_content(word) && is_plain(word))
            .filter(|(_, word)| seen.insert(word.to_lowercase()))
            // A word that comes back in a few sentences is a topic; one that stands once may be chance.
            .map(|(at, word)| {
                let with = self.sentences_with.get(&word.to_lowercase()).copied().unwrap_or(1);
                let topic = if (2..=6).contains(&with) { 1.3 } else { 1.0 };
                (
                    at,
                    word,
                    self.rarity(word) * topic * (word.chars().count() as f32).min(12.0),
                )
            })
            .collect();
        found.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        found.truncate(most);
        found.sort_by_key(|&(at, ..)| at);
        found.into_iter().map(|(_, word, _)| word).collect()
    }

    /// A phrase from a sentence's start as it would stand inside one: names keep their capital.
    pub(super) fn inside(&self, phrase: &str) -> String {
        let first = bare(phrase.split_whitespace().next().unwrap_or_default());
        let mut chars = phrase.chars();
        let Some(initial) = chars.next() else {
            return String::new();
        };
        let is_acronym = first.chars().skip(1).any(|c| c.is_uppercase() || c.is_numeric());
        let lower = first.to_lowercase();
        let is_common = self.common.contains(lower.as_str())
            || STOP_WORDS.contains(&lower.as_str())
            || !self.names.contains(first) && (looks_common(&lower) || goes_on_lower(phrase));
        if is_acronym || !is_common || first == "I" || !initial.is_uppercase() {
            return phrase.to_owned();
        }
        initial.to_lowercase().chain(chars).collect()
    }

    /// Whether each word after the first is in lower case, or a name.
    pub(super) fn is_sentence_case(&self, phrase: &str) -> bool {
        if !phrase.chars().any(char::is_lowercase) {
            return false;
        }
        phrase.split_whitespace().skip(1).map(bare).all(|word| {
            !word.starts_with(char::is_uppercase)
                || self.names.contains(word)
                || word.chars().skip(1).any(char::is_uppercase)
        })
    }
}

/// "Core hours", unlike "Lake Geneva".
fn goes_on_lower(phrase: &str) -> bool {
    let mut rest = phrase.split_whitespace().skip(1).peekable();
    rest.peek().is_some() && rest.all(|word| word.starts_with(char::is_lowercase))
}

/// Endings that names rarely have.
fn looks_common(word: &str) -> bool {
    [
        "s", "ing", "tion", "ment", "ness", "ity", "ware", "work", "time", "age", "ance", "ence", "ship", "ure", "al",
    ]
    .iter()
    .any(|ending| word.len() > ending.len() + 2 && word.ends_with(ending))
}

/// Letters alone, with a capital at most in front: no option, no identifier.
fn is_plain(word: &str) -> bool {
    word.chars().all(char::is_alphabetic) && !word.chars().skip(1).any(char::is_uppercase)
}

fn is_content(word: &str) -> bool {
    word.chars().count() > 3 && !STOP_WORDS.contains(&word.to_lowercase().as_str())
}

/// A word without the punctuation around it.
pub(super) fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}
