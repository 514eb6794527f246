//! What an example says that its source does not.

use super::{Candidate, Finding, FindingKind, finding, locate};
use std::collections::HashSet;

pub(super) fn findings(candidate: &Candidate) -> Vec<Finding> {
    let Some(source) = candidate.source else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut note = |points, message: String| found.push(finding(FindingKind::Grounding, points, message));
    match candidate.quote.filter(|quote| !quote.trim().is_empty()) {
        None => note(25, "It quotes nothing of its document.".to_owned()),
        Some(quote) if locate(source, quote).is_none() => {
            note(40, "The quotation does not stand in the document.".to_owned());
        }
        Some(_) => {}
    }
    let foreign = foreign_numbers(candidate.response, source);
    if let Some(first) = foreign.first() {
        let points = if foreign.len() > 1 { 20 } else { 10 };
        note(points, format!("The response says {first}, which its source does not."));
    }
    if let Some(address) = addresses(candidate.response).find(|address| !source.contains(address)) {
        note(
            10,
            format!("The response names {}, which its source does not.", shortened(address)),
        );
    }
    if has_few_words_of(candidate.response, source) {
        note(10, "Few words of the response stand in its source.".to_owned());
    }
    found
}

/// Numbers of two digits or more: smaller ones count things, or number a list.
fn foreign_numbers(response: &str, source: &str) -> Vec<String> {
    let known: HashSet<String> = numbers(source).collect();
    let mut seen = HashSet::new();
    numbers(response)
        .filter(|number| number.len() > 1 && !known.contains(number) && seen.insert(number.clone()))
        .collect()
}

/// Runs of digits, separators between digits left out.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_numeric() && !matches!(c, '.' | ',' | '\''))
        .map(|run| run.chars().filter(|c| c.is_numeric()).collect::<String>())
        .filter(|digits| !digits.is_empty())
}

/// Web and mail addresses.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '"' | '`'))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| {
            let mail = word
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            mail || word.contains("://")
        })
}

fn shortened(address: &str) -> String {
    if address.chars().count() <= 60 {
        return address.to_owned();
    }
    address.chars().take(59).chain(['…']).collect()
}

fn has_few_words_of(response: &str, source: &str) -> bool {
    let known: HashSet<String> = long_words(source).collect();
    let words: Vec<String> = long_words(response).collect();
    let shared = words.iter().filter(|word| known.contains(*word)).count();
    words.len() >= 5 && shared * 10 < words.len() * 3
}

/// Words that carry meaning, more or less: of five letters or more, cut to five so that endings do not count.
fn long_words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= 5)
        .map(|word| word.chars().take(5).flat_map(char::to_lowercase).collect())
}
