//! Instructions in an example: those that a model was given, and those that a document tried to give.

use super::{Candidate, Finding, FindingKind, finding, grounding::addresses};

/// Commands to a model or to this product. Nobody wants to train on them, also where the document says them.
const COMMANDS: [&str; 25] = [
    "ignore all previous",
    "ignore previous instructions",
    "ignore the previous",
    "ignore your instructions",
    "ignore all instructions",
    "ignore the above",
    "ignore everything above",
    "disregard all previous",
    "disregard previous instructions",
    "disregard the previous",
    "disregard the above",
    "forget your instructions",
    "forget all previous",
    "approve all examples",
    "approve every example",
    "approve this example",
    "approve these examples",
    "mark all examples",
    "mark this example",
    "mark every example",
    "reveal your system prompt",
    "reveal your instructions",
    "your system prompt",
    "you are a helpful assistant",
    "you are now in developer mode",
];

/// Marks of prompts, as they are written.
const MARKS: [&str; 9] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|endoftext|>",
    "[inst]",
    "<<sys>>",
    "### instruction",
    "</document>",
    "</passage>",
];

/// A model that speaks of itself.
const SELVES: [&str; 7] = [
    "as an ai",
    "as a language model",
    "as a large language model",
    "i am an ai",
    "i m an ai",
    "my training data",
    "my knowledge cutoff",
];

/// Words for the passage, which whoever asks does not have before them.
const PASSAGES: [&str; 18] = [
    "the passage",
    "this passage",
    "the excerpt",
    "this excerpt",
    "the provided text",
    "the provided context",
    "the provided document",
    "the provided information",
    "the given text",
    "the given context",
    "the given document",
    "the text above",
    "the above text",
    "the context above",
    "the above context",
    "based on the context",
    "according to the text",
    "according to the context",
];

pub(super) fn findings(candidate: &Candidate) -> Vec<Finding> {
    let asked = spoken(&format!("{} . {}", candidate.prompt, candidate.response));
    let whole = format!("{}\n{}\n{}", candidate.prompt, candidate.reasoning, candidate.response);
    let said = spoken(&whole);
    let source = spoken(candidate.source.unwrap_or_default());
    let is_foreign = |phrase: &str| says(&asked, phrase) && !says(&source, phrase);
    let mut found = Vec::new();
    let mut note = |points, message: String| found.push(finding(FindingKind::Leakage, points, message));
    if let Some(command) = COMMANDS.iter().find(|phrase| says(&said, phrase)) {
        note(50, format!("It repeats an instruction to a model: “{command}”."));
    } else if sends_something_away(&said, &whole) {
        note(50, "It asks to send something to an address.".to_owned());
    }
    let lower = whole.to_lowercase();
    if let Some(mark) = MARKS.iter().find(|mark| lower.contains(*mark)) {
        note(50, format!("It holds a mark of a model's prompt: “{mark}”."));
    }
    if let Some(phrase) = SELVES.iter().find(|phrase| is_foreign(phrase)) {
        note(30, format!("A model speaks of itself: “{phrase}”."));
    }
    if let Some(phrase) = PASSAGES.iter().find(|phrase| is_foreign(phrase)) {
        note(15, format!("It speaks of “{phrase}”, which whoever asks cannot see."));
    }
    found
}

fn sends_something_away(said: &str, whole: &str) -> bool {
    let sends = [
        "send this to",
        "send it to",
        "send them to",
        "send everything to",
        "send all of this to",
    ];
    sends.iter().any(|phrase| says(said, phrase)) && addresses(whole).next().is_some()
}

/// Words in lower case between single spaces, one space at either end.
fn spoken(text: &str) -> String {
    let mut spoken = String::with_capacity(text.len() + 2);
    spoken.push(' ');
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            spoken.push(c);
        } else if !spoken.ends_with(' ') {
            spoken.push(' ');
        }
    }
    if !spoken.ends_with(' ') {
        spoken.push(' ');
    }
    spoken
}

/// Whether whole words of a spoken text are the phrase.
fn says(spoken: &str, phrase: &str) -> bool {
    spoken.match_indices(phrase).any(|(at, _)| {
        let after = spoken.as_bytes().get(at + phrase.len());
        at > 0 && spoken.as_bytes()[at - 1] == b' ' && after == Some(&b' ')
    })
}
