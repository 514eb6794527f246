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
    pub pages: Vec<Page>,
    /// Where code lies, which a reader of a stretch cannot tell from the stretch.
    pub code: Vec<(usize, usize)>,
    pub pieces: Vec<Piece>,
    /// `None`: to be counted by whoever gets the reading; see [`Tokens::of`].
    pub tokens: Option<Tokens>,
}

/// A chunk, whose text is that between `start` and `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub start: usize,
    pub end: usize,
    pub page: Option<u32>,
    /// The headings under which it starts, outermost first.
    pub headings: Vec<String>,
}

/// How long a text and its pieces are, as [`tokens`](crate::tokens) counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub whole: usize,
    /// One for each piece, in their order.
    pub pieces: Vec<usize>,
}

impl Tokens {
    pub fn of(text: &str, pieces: &[Piece]) -> Self {
        // Where the last piece starts, in characters and in bytes; the next ones start there or later.
        let (mut char, mut byte) = (0, 0);
        let count = |piece: &Piece| {
            byte += after(&text[byte..], piece.start.saturating_sub(char));
            char = piece.start;
            let rest = &text[byte..];
            tokens(&rest[..after(rest, piece.end - piece.start)])
        };
        Self {
            pieces: pieces.iter().map(count).collect(),
            whole: tokens(text),
        }
    }
}

/// The byte at which so many characters end.
fn after(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte)
}

/// Counting starts with unpacking tables, which takes longer than to read most files. A process that lives for one file
/// leaves it to another, unless there is so much to count (in bytes) that it would keep that one from its work.
const LONG: usize = 1 << 20;

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
    let pieces: Vec<Piece> = chunk(&text, &pages, &ChunkOptions::default())
        .into_iter()
        .map(|chunk| Piece {
            start: chunk.start,
            end: chunk.end,
            page: chunk.page,
            headings: chunk.headings,
        })
        .collect();
    Reading {
        characters: text.chars().count(),
        tokens: (text.len() > LONG).then(|| Tokens::of(&text, &pieces)),
        pages,
        code,
        pieces,
        text,
    }
}
