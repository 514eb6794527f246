//! All that is known of a file once it was read.

use serde::{Deserialize, Serialize};

use crate::blocks::{Kind, blocks};
use crate::extract::{Extracted, Page};
use crate::{ChunkOptions, chunk, tokens};

/// A document's text with what is stored about it. Offsets count characters; see the crate's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub text: String,
    pub characters: usize,
    /// As [`tokens`](crate::tokens) counts.
    pub tokens: usize,
    pub pages: Vec<Page>,
    /// Where code lies, which a reader of a stretch cannot tell from the stretch.
    pub code: Vec<(usize, usize)>,
    pub pieces: Vec<Piece>,
}

/// A chunk, whose text is that between `start` and `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub start: usize,
    pub end: usize,
    pub page: Option<u32>,
    /// The headings under which it starts, outermost first.
    pub headings: Vec<String>,
    pub tokens: usize,
}

/// More pieces of code than this are not told apart from text when a stretch is shown.
const MAX_CODE: usize = 10_000;

pub fn reading(extracted: Extracted) -> Reading {
    let Extracted { text, pages } = extracted;
    let code = blocks(&text)
        .into_iter()
        .filter(|block| block.kind == Kind::Code)
        .map(|block| (block.start, block.end))
        .take(MAX_CODE)
        .collect();
    let pieces = chunk(&text, &pages, &ChunkOptions::default())
        .into_iter()
        .map(|chunk| Piece {
            start: chunk.start,
            end: chunk.end,
            page: chunk.page,
            headings: chunk.headings,
            tokens: tokens(&chunk.text),
        })
        .collect();
    Reading {
        characters: text.chars().count(),
        tokens: tokens(&text),
        pages,
        code,
        pieces,
        text,
    }
}
