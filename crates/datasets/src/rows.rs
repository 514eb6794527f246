//! The rows of a file, a block at a time: lines, or the elements of one list.

mod lines;
mod list;

use std::io::{self, BufReader, Read};
use std::ops::Range;

use memchr::memchr;

use crate::format::Layout;
use lines::Lines;
use list::List;

/// A block holds about so many bytes, or one row that is longer.
const BLOCK_BYTES: usize = 256 * 1024;
/// Of a list, in one block.
const BLOCK_ELEMENTS: usize = 1000;

/// A row before anybody looked into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawRow<'a> {
    /// The one it starts in, from 1: of its block in a file of lines, of the file in a list.
    pub(crate) line: u64,
    /// Of its first byte in the file.
    pub(crate) offset: u64,
    /// Of its first byte in the block.
    pub(crate) start: usize,
    pub(crate) content: &'a [u8],
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Whole,
    /// Longer than allowed: `content` is empty.
    TooLong,
    /// Not a row: the list that it should be in has ended before it.
    AfterList,
    /// Not a row: the file ended within its list.
    Unclosed,
}

/// Whole rows that follow each other.
#[derive(Debug)]
pub(crate) struct Block {
    /// Of its first byte in the file.
    offset: u64,
    /// What lies beyond `length` means nothing.
    bytes: Vec<u8>,
    length: usize,
    cuts: Cuts,
}

/// Where the rows of a block are.
#[derive(Debug)]
enum Cuts {
    /// Between newlines.
    Lines {
        max_bytes: usize,
    },
    /// One line that was not kept.
    TooLong,
    Elements(Vec<Cut>),
}

#[derive(Debug)]
struct Cut {
    line: u64,
    offset: u64,
    start: usize,
    end: usize,
    state: State,
}

impl Block {
    /// Blank lines are rows here, so that they count.
    pub(crate) fn rows(&self) -> impl Iterator<Item = RawRow<'_>> {
        let bytes = &self.bytes[..self.length];
        let (mut at, mut number) = (0, 0);
        std::iter::from_fn(move || {
            number += 1;
            match &self.cuts {
                Cuts::Lines { max_bytes } => {
                    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
                    let length = memchr(b'\n', rest).unwrap_or(rest.len());
                    let (start, kept) = (at, if length > *max_bytes { 0 } else { length });
                    at += length + 1;
                    Some(RawRow {
                        line: number,
                        offset: self.offset + start as u64,
                        start,
                        content: &rest[..kept],
                        state: if kept < length { State::TooLong } else { State::Whole },
                    })
                }
                Cuts::TooLong => (number == 1).then_some(RawRow {
                    line: 1,
                    offset: self.offset,
                    start: 0,
                    content: &[],
                    state: State::TooLong,
                }),
                Cuts::Elements(cuts) => cuts.get(number as usize - 1).map(|cut| RawRow {
                    line: cut.line,
                    offset: cut.offset,
                    start: cut.start,
                    content: &bytes[cut.start..cut.end],
                    state: cut.state,
                }),
            }
        })
    }

    /// Whether lines are counted anew in each block.
    pub(crate) fn is_lines(&self) -> bool {
        !matches!(self.cuts, Cuts::Elements(_))
    }

    /// What a range of a row's bytes holds.
    pub(crate) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Its memory, for the next one.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads rows of at most `max_bytes`; longer ones are skipped, never held.
pub(crate) enum Blocks<R> {
    Lines(Lines<R>),
    List(List<BufReader<R>>),
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(reader: R, layout: Layout, max_bytes: usize) -> Self {
        match layout {
            Layout::Lines => Self::Lines(Lines::new(reader, max_bytes)),
            Layout::List => Self::List(List::new(BufReader::new(reader), max_bytes)),
        }
    }

    /// Goes on at the start of a row.
    pub(crate) fn resume(reader: R, layout: Layout, max_bytes: usize) -> Self {
        match layout {
            Layout::Lines => Self::new(reader, layout, max_bytes),
            Layout::List => Self::List(List::inside(BufReader::new(reader), max_bytes)),
        }
    }

    /// The next rows, in the memory of a block that was.
    pub(crate) fn next(&mut self, memory: Vec<u8>) -> io::Result<Option<Block>> {
        match self {
            Self::Lines(lines) => lines.block(memory),
            Self::List(list) => list.block(memory),
        }
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.bytes(),
            Self::List(list) => list.bytes(),
        }
    }
}
