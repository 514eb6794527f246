//! The extractive finder of concepts: what a text has headings for, what it defines, and the terms that come back. No
//! language model.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::blocks::{Block, Kind, blocks, heading_text};
use crate::generate::{STOP_WORDS, Sentence, flat, split};

/// A concept and the passage that speaks of it: `quote` is what stands at the characters `[start, end)`, white space
/// aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConceptDraft {
    pub name: String,
    pub description: String,
    pub category: String,
    pub depth: Depth,
    /// 1 to 100.
    pub importance: u8,
    pub quote: String,
    pub start: usize,
    pub end: usize,
}

/// How far into its matter a concept goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Depth {
    First,
    Second,
    Further,
}

const MAX_CONCEPTS: usize = 60;
const MAX_NAME: usize = 80;
const MAX_QUOTE: usize = 600;
/// Longer texts are looked at up to here.
const MAX_CHARS: usize = 1_000_000;

/// Headings that say nothing of a matter.
const GENERIC: [&str; 24] = [
    "introduction",
    "contents",
    "table of contents",
    "overview",
    "summary",
    "conclusion",
    "conclusions",
    "references",
    "appendix",
    "abstract",
    "index",
    "preface",
    "notes",
    "general",
    "background",
    "purpose",
    "scope",
    "acknowledgements",
    "bibliography",
    "glossary",
    "about",
    "examples",
    "faq",
    "changelog",
];

/// The concepts of a text, the most important first. No two share a name, whatever its case.
pub fn concepts(text: &str) -> Vec<ConceptDraft> {
    let text = match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => &text[..at],
        None => text,
    };
    let all = blocks(text);
    let mut finder = Finder::default();
    finder.walk(&all);
    finder.terms(&all);
    let lower = text.to_lowercase();
    finder.ranked(&lower)
}

#[derive(Default)]
struct Finder {
    found: Vec<ConceptDraft>,
    keys: HashMap<String, usize>,
}

impl Finder {
    /// Headings, fields and definitions, in the order of the text.
    fn walk(&mut self, all: &[Block<'_>]) {
        let mut above: Vec<(u8, String)> = Vec::new();
        for (at, block) in all.iter().enumerate() {
            let category = |above: &[(u8, String)]| above.first().map_or("General", |(_, name)| name).to_owned();
            match block.kind {
                Kind::Heading(level) => {
                    above.retain(|(other, _)| *other < level);
                    let name = flat(heading_text(block.text));
                    let under = category(&above);
                    if let Some(first) = all.get(at + 1).filter(|next| !matches!(next.kind, Kind::Heading(_))) {
                        let weight = 70 - 12 * i32::from(level.min(4));
                        self.add(&name, &under, depth_of(level), weight, first_sentence(first));
                    }
                    above.push((level, name));
                }
                Kind::Field => {
                    if let Some((label, _)) = block.text.split_once(':') {
                        let depth = depth_of(above.len() as u8 + 1);
                        self.add(label, &category(&above), depth, 22, Some(whole(block)));
                    }
                }
                Kind::Paragraph | Kind::Item { .. } => {
                    for sentence in split(block.text) {
                        if let Some(name) = defined(sentence.text) {
                            let depth = depth_of(above.len() as u8 + 1);
                            let at = (sentence.text, block.start + sentence.start, block.start + sentence.end);
                            self.add(name, &category(&above), depth, 34, Some(at));
                        }
                    }
                }
                Kind::Row | Kind::Code => {}
            }
        }
    }

    /// Pairs of words that come back.
    fn terms(&mut self, all: &[Block<'_>]) {
        let mut seen: HashMap<String, (usize, Place)> = HashMap::new();
        for block in all
            .iter()
            .filter(|block| matches!(block.kind, Kind::Paragraph | Kind::Item { .. }))
        {
            for sentence in split(block.text) {
                let place = Place {
                    text: sentence.text.to_owned(),
                    start: block.start + sentence.start,
                    end: block.start + sentence.end,
                };
                for pair in pairs(&sentence) {
                    seen.entry(pair).or_insert_with(|| (0, place.clone())).0 += 1;
                }
            }
        }
        let mut terms: Vec<(String, (usize, Place))> = seen.into_iter().filter(|(_, (n, _))| *n >= 3).collect();
        terms.sort_by(|a, b| {
            b.1.0
                .cmp(&a.1.0)
                .then(a.1.1.start.cmp(&b.1.1.start))
                .then(a.0.cmp(&b.0))
        });
        for (term, (_, place)) in terms.into_iter().take(MAX_CONCEPTS / 3) {
            let mut name = term.chars();
            let name: String = name
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .chain(name)
                .collect();
            self.add(
                &name,
                "Terms",
                Depth::Second,
                14,
                Some((&place.text, place.start, place.end)),
            );
        }
    }

    fn add(&mut self, name: &str, category: &str, depth: Depth, weight: i32, quote: Option<(&str, usize, usize)>) {
        let name = capital(&flat(name.trim_matches(|c: char| !c.is_alphanumeric() && c != ')')));
        let key = name.to_lowercase();
        let words = key.split(' ').count();
        let usable =
            (2..=MAX_NAME).contains(&name.chars().count()) && words <= 8 && name.chars().any(char::is_alphabetic);
        let Some((quote, start, end)) = quote else { return };
        if !usable || GENERIC.contains(&key.as_str()) || quote.chars().count() > MAX_QUOTE {
            return;
        }
        if let Some(&at) = self.keys.get(&key) {
            let known = &mut self.found[at];
            known.importance = known.importance.saturating_add(5).min(100);
            known.depth = known.depth.min(depth);
            return;
        }
        self.keys.insert(key, self.found.len());
        self.found.push(ConceptDraft {
            name,
            description: flat(quote),
            category: category.chars().take(MAX_NAME).collect(),
            depth,
            importance: weight.clamp(1, 100) as u8,
            quote: quote.to_owned(),
            start,
            end,
        });
    }

    /// What is named often counts for more.
    fn ranked(mut self, lower: &str) -> Vec<ConceptDraft> {
        for concept in &mut self.found {
            let name = concept.name.to_lowercase();
            let mentions = lower.matches(name.as_str()).take(50).count() as f32;
            let more = (mentions.max(1.0).ln() * 12.0) as u8;
            concept.importance = concept.importance.saturating_add(more).clamp(1, 100);
        }
        self.found
            .sort_by(|a, b| b.importance.cmp(&a.importance).then(a.start.cmp(&b.start)));
        self.found.truncate(MAX_CONCEPTS);
        self.found
    }
}

#[derive(Clone)]
struct Place {
    text: String,
    start: usize,
    end: usize,
}

/// "home office" as "Home office"; names with capitals of their own stay.
fn capital(name: &str) -> String {
    let first = name.split(' ').next().unwrap_or_default();
    if !first.chars().all(char::is_lowercase) {
        return name.to_owned();
    }
    let mut chars = name.chars();
    chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .collect()
}

fn depth_of(level: u8) -> Depth {
    match level {
        0..=1 => Depth::First,
        2 => Depth::Second,
        _ => Depth::Further,
    }
}

fn whole<'a>(block: &Block<'a>) -> (&'a str, usize, usize) {
    (block.text, block.start, block.end)
}

fn first_sentence<'a>(block: &Block<'a>) -> Option<(&'a str, usize, usize)> {
    match block.kind {
        Kind::Paragraph | Kind::Item { .. } => {
            let first = split(block.text).into_iter().next()?;
            Some((first.text, block.start + first.start, block.start + first.end))
        }
        _ => Some(whole(block)),
    }
}

/// What a sentence like "Core hours are the time when everybody works." defines.
fn defined(sentence: &str) -> Option<&str> {
    const VERBS: [&str; 10] = [
        " is a ",
        " is an ",
        " is the ",
        " are the ",
        " means ",
        " refers to ",
        " consists of ",
        " describes ",
        " is defined as ",
        " are ",
    ];
    let (at, verb) = VERBS
        .iter()
        .filter_map(|verb| sentence.find(verb).map(|at| (at, *verb)))
        .min()?;
    let name = sentence[..at].trim();
    let name = ["The ", "A ", "An ", "Each ", "Every "]
        .iter()
        .find_map(|article| name.strip_prefix(article))
        .unwrap_or(name);
    let words: Vec<&str> = name.split_whitespace().collect();
    let first = words.first()?.to_lowercase();
    let plain = |word: &&str| {
        word.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '\'' | '’'))
    };
    let most = if verb == " are " { 3 } else { 5 };
    let good = (1..=most).contains(&words.len()) && words.iter().all(plain) && !STOP_WORDS.contains(&first.as_str());
    let pronoun = [
        "it", "this", "that", "these", "those", "there", "which", "they", "we", "you", "he", "she", "what",
    ];
    (good && !pronoun.contains(&first.as_str())).then_some(name)
}

/// Two words of weight that stand side by side, in lower case.
fn pairs(sentence: &Sentence<'_>) -> HashSet<String> {
    let words: Vec<&str> = sentence.text.split_whitespace().collect();
    let weighty = |word: &str| {
        word.chars().count() > 3
            && word.chars().all(char::is_alphabetic)
            && !STOP_WORDS.contains(&word.to_lowercase().as_str())
    };
    words
        .windows(2)
        .filter_map(|two| {
            let second = two[1].trim_end_matches(|c: char| !c.is_alphanumeric());
            (weighty(two[0]) && weighty(second)).then(|| format!("{} {second}", two[0]).to_lowercase())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::verify_span;

    const POLICY: &str = "# Remote work\n\nRemote work is the right to work elsewhere.\n\n## Core hours\n\nCore hours are \
the time from ten to three. The remote office needs a lock.\n\n## Introduction\n\nNothing here.\n\n### Security\n\nA remote \
office has a door. Every remote office is checked.\n\nOwner: Ada Lovelace\n";

    #[test]
    fn headings_definitions_fields_and_terms_are_found_and_quoted() {
        let found = concepts(POLICY);
        let names: Vec<&str> = found.iter().map(|concept| concept.name.as_str()).collect();
        for name in ["Remote work", "Core hours", "Security", "Owner", "Remote office"] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
        assert!(!names.contains(&"Introduction"));
        for concept in &found {
            assert!(
                verify_span(POLICY, concept.start, concept.end, &concept.quote),
                "{concept:?}"
            );
            assert!((1..=100).contains(&concept.importance));
        }
        assert_eq!(found[0].name, "Remote work");
        assert_eq!(found[0].depth, Depth::First);
        let hours = found.iter().find(|concept| concept.name == "Core hours").unwrap();
        assert_eq!(hours.category, "Remote work");
        assert_eq!(hours.description, "Core hours are the time from ten to three.");
    }

    #[test]
    fn names_are_unique_whatever_their_case() {
        let found = concepts("# CORE HOURS\n\nOne thing.\n\n# Core hours\n\nAnother thing.\n");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(concepts(""), []);
        assert_eq!(concepts("just words without a point"), []);
    }
}
