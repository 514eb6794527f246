//! The extractive generator: questions about a text whose answers are quotations of it. No language model.
//!
//! Candidates come from the structure ([`structure`]: sections, lists, tables, fields) and from single sentences
//! ([`sentences`]); the best few of each chunk are kept.

mod question;
mod sentences;
mod structure;
mod words;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::Chunk;
use crate::blocks::{Block, Kind, blocks, heading_text};
use words::Words;
pub(crate) use {
    question::STOP_WORDS,
    sentences::{Sentence, split},
};

/// An example that was found in the text. `quote` is what stands at the characters `[start, end)` of the document, white
/// space aside ([`verify_span`](crate::verify_span) holds), and `response` contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub prompt: String,
    /// Where the answer was found and why it answers; nothing that did not happen.
    pub reasoning: String,
    pub response: String,
    pub quote: String,
    /// [`Chunk::index`] of the first chunk that holds the whole quotation.
    pub chunk_index: usize,
    pub start: usize,
    pub end: usize,
}

/// Makes examples of a document's chunks. The same chunks always give the same examples, in the order of the text; no
/// two share a prompt or a span.
pub fn generate(document_title: &str, chunks: &[Chunk]) -> Vec<Draft> {
    let title = clean_title(document_title);
    let (text, base) = stitch(chunks);
    let all = blocks(&text);
    let words = Words::of(&all);
    let document = Document {
        title: &title,
        sections: sections(&all),
        words,
    };
    let mut candidates = structure::candidates(&document);
    candidates.extend(sentences::candidates(&document));
    select(candidates, chunks, base)
}

/// What the parts of the generator look at.
struct Document<'a> {
    title: &'a str,
    sections: Vec<Section<'a>>,
    words: Words<'a>,
}

/// A heading and what stands under it, up to the next heading.
struct Section<'a> {
    heading: Option<&'a str>,
    body: &'a [Block<'a>],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Section,
    List,
    Table,
    Field,
    Sentence,
}

/// An example that may be kept. Offsets count from the start of the stitched text.
struct Candidate {
    source: Source,
    /// Higher is better; 0 to 10.
    score: f32,
    prompt: String,
    /// Why the quotation answers the prompt: a sentence that follows "where".
    why: String,
    heading: Option<String>,
    quote: String,
    /// The quotation, or a line that leads to it.
    response: String,
    start: usize,
    end: usize,
}

fn clean_title(title: &str) -> String {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let stem = match title.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 5 && !stem.is_empty() && !extension.contains(' ') => stem,
        _ => &title,
    };
    let stem = stem.replace('"', "'");
    if stem.is_empty() { "the document".into() } else { stem }
}

/// The document's text from its overlapping chunks, and the offset at which it starts. Gaps, which held nothing but
/// white space, become line breaks of the same length.
fn stitch(chunks: &[Chunk]) -> (String, usize) {
    let base = chunks.iter().map(|chunk| chunk.start).min().unwrap_or_default();
    let mut order: Vec<&Chunk> = chunks.iter().collect();
    order.sort_by_key(|chunk| (chunk.start, chunk.end));
    let mut text = String::new();
    let mut end = base;
    for chunk in order {
        if chunk.start > end {
            let gap = chunk.start - end;
            text.extend(std::iter::repeat_n(if gap == 1 { ' ' } else { '\n' }, gap));
            end = chunk.start;
        }
        if chunk.end > end {
            let known = end - chunk.start;
            let from = chunk
                .text
                .char_indices()
                .nth(known)
                .map_or(chunk.text.len(), |(at, _)| at);
            text.push_str(&chunk.text[from..]);
            end = chunk.end;
        }
    }
    (text, base)
}

fn sections<'a>(all: &'a [Block<'a>]) -> Vec<Section<'a>> {
    let mut sections = Vec::new();
    let (mut heading, mut from) = (None, 0);
    for (at, block) in all.iter().enumerate() {
        if matches!(block.kind, Kind::Heading(_)) {
            sections.push(Section {
                heading,
                body: &all[from..at],
            });
            heading = Some(heading_text(block.text)).filter(|text| !text.is_empty());
            from = at + 1;
        }
    }
    sections.push(Section {
        heading,
        body: &all[from..],
    });
    sections
}

/// About one example for 300 characters; six where there is little text, twelve at most.
fn quota(chunk: &Chunk) -> usize {
    ((chunk.end - chunk.start) / 300).clamp(6, 12)
}

/// What each further example of a kind loses against the other kinds, so that a chunk shows several.
fn fatigue(source: Source) -> f32 {
    match source {
        Source::Sentence => 0.3,
        Source::Section | Source::List | Source::Table | Source::Field => 0.7,
    }
}

fn select(candidates: Vec<Candidate>, chunks: &[Chunk], base: usize) -> Vec<Draft> {
    let mut of_chunk: Vec<Vec<Candidate>> = chunks.iter().map(|_| Vec::new()).collect();
    for candidate in candidates {
        // Chunks are in order of both ends, so the first that reaches the end is the one, if it starts early enough.
        let at = chunks.partition_point(|chunk| chunk.end < candidate.end + base);
        if chunks
            .get(at)
            .is_some_and(|chunk| chunk.start <= candidate.start + base)
        {
            of_chunk[at].push(candidate);
        }
    }
    let mut prompts = HashSet::new();
    let mut spans = HashSet::new();
    let mut drafts = Vec::new();
    for (chunk, mut left) in chunks.iter().zip(of_chunk) {
        let mut tired: HashMap<Source, f32> = HashMap::new();
        let mut room = quota(chunk);
        while room > 0 {
            let value =
                |candidate: &Candidate| candidate.score - tired.get(&candidate.source).copied().unwrap_or_default();
            // Ties go to what comes first.
            let best = (0..left.len()).max_by(|&a, &b| {
                let by_value = value(&left[a]).total_cmp(&value(&left[b]));
                by_value.then(left[b].start.cmp(&left[a].start)).then(b.cmp(&a))
            });
            let Some(best) = best else {
                break;
            };
            let candidate = left.swap_remove(best);
            let span = (candidate.start + base, candidate.end + base);
            if spans.contains(&span) || !prompts.insert(candidate.prompt.to_lowercase()) {
                continue;
            }
            spans.insert(span);
            *tired.entry(candidate.source).or_insert(0.0) += fatigue(candidate.source);
            room -= 1;
            drafts.push(Draft {
                reasoning: reasoning(&candidate, chunk),
                prompt: candidate.prompt,
                response: candidate.response,
                quote: candidate.quote,
                chunk_index: chunk.index,
                start: span.0,
                end: span.1,
            });
        }
    }
    drafts.sort_by_key(|draft| (draft.start, draft.end));
    drafts
}

fn reasoning(candidate: &Candidate, chunk: &Chunk) -> String {
    let section = match &candidate.heading {
        Some(heading) => format!("The section \"{heading}\""),
        None => "The document".to_owned(),
    };
    let page = match chunk.page {
        Some(page) => format!(", in the part that starts on page {page},"),
        None => String::new(),
    };
    format!("{section}{page} {} The answer quotes it word for word.", candidate.why)
}

/// One line, single spaces.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
