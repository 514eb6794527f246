//! Chunks: overlapping pieces of a document, cut where a reader would pause.

use serde::{Deserialize, Serialize};

use crate::blocks::headings;
use crate::extract::Page;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// No chunk is longer.
    pub max_chars: usize,
    /// Neighbours share at most this much and, unless single words are longer than that, at least half of it. Counts
    /// at most a quarter of `max_chars`.
    pub overlap_chars: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self {
            max_chars: 4000,
            overlap_chars: 500,
        }
    }
}

/// `text` is exactly the characters `[start, end)` of the document's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// From 0.
    pub index: usize,
    pub start: usize,
    pub end: usize,
    /// The page on which the chunk starts, where the document has pages.
    pub page: Option<u32>,
    /// The heading under which the chunk starts.
    pub heading: Option<String>,
    pub text: String,
}

/// Cuts `text` at paragraphs, else lines, else sentences, else words, else anywhere. Every character that is not white
/// space is in a chunk; chunks are in order. Linear in the length of the text.
pub fn chunk(text: &str, pages: &[Page], options: &ChunkOptions) -> Vec<Chunk> {
    let max = options.max_chars.max(1);
    let overlap = options.overlap_chars.min(max / 4);
    let mut headings = headings(text).into_iter().peekable();
    let mut heading = None;
    let mut page = 0;
    let mut chunks = Vec::new();
    let mut window: Vec<(usize, char)> = Vec::with_capacity(max + 1);
    // The end of the last chunk, in bytes and in characters.
    let mut covered = (0, 0);
    let (mut at_byte, mut at_char) = skip_space(text, 0, 0);
    while at_byte < text.len() {
        window.clear();
        window.extend(text[at_byte..].char_indices().take(max + 1));
        let is_last = window.len() <= max;
        let cut = if is_last { window.len() } else { best_cut(&window, max) };
        let kept = cut
            - window[..cut]
                .iter()
                .rev()
                .take_while(|(_, c)| c.is_whitespace())
                .count();
        let byte_of = |char: usize| window.get(char).map_or(text.len(), |&(byte, _)| at_byte + byte);
        // Where white space fills the rest of the window, the overlap alone would come again.
        if at_char + kept <= covered.1 {
            (at_byte, at_char) = skip_space(text, covered.0, covered.1);
            continue;
        }
        covered = (byte_of(kept), at_char + kept);
        while let Some(next) = headings.next_if(|next| next.start <= at_char) {
            heading = Some(next.text);
        }
        while page + 1 < pages.len() && pages[page + 1].start <= at_char {
            page += 1;
        }
        chunks.push(Chunk {
            index: chunks.len(),
            start: at_char,
            end: at_char + kept,
            page: pages.get(page).map(|page| page.number),
            heading: heading.clone(),
            text: text[at_byte..byte_of(kept)].to_owned(),
        });
        if is_last {
            break;
        }
        let next = next_start(&window, kept, cut, overlap);
        (at_byte, at_char) = skip_space(text, byte_of(next), at_char + next);
    }
    chunks
}

fn skip_space(text: &str, byte: usize, char: usize) -> (usize, usize) {
    let mut skipped = 0;
    for (at, c) in text[byte..].char_indices() {
        if !c.is_whitespace() {
            return (byte + at, char + skipped);
        }
        skipped += 1;
    }
    (text.len(), char + skipped)
}

/// How good a place is to cut, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Anywhere,
    Word,
    Sentence,
    Line,
    Paragraph,
}

/// What a cut before `window[at]` would be.
fn cut_at(window: &[(usize, char)], at: usize) -> Cut {
    let char_at = |at: usize| window.get(at).map(|&(_, c)| c);
    let Some(before) = at.checked_sub(1).and_then(char_at) else {
        return Cut::Paragraph;
    };
    if before == '\n' {
        return match at.checked_sub(2).and_then(char_at) {
            Some('\n') => Cut::Paragraph,
            _ => Cut::Line,
        };
    }
    if matches!(before, '。' | '！' | '？') {
        return Cut::Sentence;
    }
    if !before.is_whitespace() {
        return Cut::Anywhere;
    }
    match at.checked_sub(2).and_then(char_at) {
        Some('.' | '!' | '?' | ':' | ';') => Cut::Sentence,
        _ => Cut::Word,
    }
}

/// The last of the best places in the second half of the window.
fn best_cut(window: &[(usize, char)], max: usize) -> usize {
    let mut best = (Cut::Anywhere, max);
    for at in (max / 2 + 1..=max).rev() {
        let cut = cut_at(window, at);
        if cut > best.0 && !(cut == Cut::Paragraph && follows_heading(window, at)) {
            best = (cut, at);
            if cut == Cut::Paragraph {
                break;
            }
        }
    }
    best.1
}

/// Whether the paragraph that ends at `at` is a heading, which belongs to what follows.
fn follows_heading(window: &[(usize, char)], at: usize) -> bool {
    let line = window[..at - 2].iter().rev().take(200).take_while(|(_, c)| *c != '\n');
    line.last().is_some_and(|&(_, first)| first == '#')
}

/// Where the next chunk starts: the best place in the first half of the overlap, which ends at `kept`.
fn next_start(window: &[(usize, char)], kept: usize, cut: usize, overlap: usize) -> usize {
    if overlap == 0 {
        return cut;
    }
    let earliest = kept - overlap.min(kept - 1);
    let mut best = (Cut::Anywhere, earliest);
    for at in earliest..=earliest + overlap / 2 {
        let cut = cut_at(window, at);
        // Of equals the earliest: the overlap stays as long as promised.
        if cut > best.0 && !window[at].1.is_whitespace() {
            best = (cut, at);
        }
    }
    best.1
}
