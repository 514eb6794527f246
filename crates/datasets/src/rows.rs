//! The rows of a file, one at a time: lines, or the elements of one list.

mod list;

use std::io::{self, BufRead, Read};

use memchr::memchr;

use crate::format::Layout;
use list::List;

/// A row before anybody looked into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawRow<'a> {
    /// From 1: the one it starts in.
    pub(crate) line: u64,
    /// Of its first byte.
    pub(crate) offset: u64,
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

/// Reads rows of at most `max_bytes`; longer ones are skipped, never held.
pub(crate) enum Rows<R> {
    Lines(Lines<R>),
    List(List<R>),
}

impl<R: BufRead> Rows<R> {
    pub(crate) fn new(reader: R, layout: Layout, max_bytes: usize) -> Self {
        match layout {
            Layout::Lines => Self::Lines(Lines::new(reader, max_bytes)),
            Layout::List => Self::List(List::new(reader, max_bytes)),
        }
    }

    /// Goes on at the start of a row.
    pub(crate) fn resume(reader: R, layout: Layout, max_bytes: usize) -> Self {
        match layout {
            Layout::Lines => Self::new(reader, layout, max_bytes),
            Layout::List => Self::List(List::inside(reader, max_bytes)),
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<RawRow<'_>>> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::List(list) => list.next(),
        }
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.bytes,
            Self::List(list) => list.bytes(),
        }
    }
}

/// Lines, blank ones included. One that lies whole in the reader's buffer is not copied.
pub(crate) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    line: Vec<u8>,
    /// Of the last line, in the reader's buffer still.
    pending: usize,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R, max_bytes: usize) -> Self {
        Self {
            reader,
            max_bytes,
            line: Vec::new(),
            pending: 0,
            number: 0,
            bytes: 0,
        }
    }

    fn next(&mut self) -> io::Result<Option<RawRow<'_>>> {
        self.reader.consume(std::mem::take(&mut self.pending));
        let offset = self.bytes;
        let end = memchr(b'\n', self.reader.fill_buf()?);
        self.number += 1;
        let (length, read) = match end {
            Some(length) => {
                self.pending = length + 1;
                (length, self.pending)
            }
            None => self.copy()?,
        };
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        let state = if length > self.max_bytes {
            State::TooLong
        } else {
            State::Whole
        };
        let content = match (state, end) {
            (State::Whole, Some(length)) => &self.reader.fill_buf()?[..length],
            (State::Whole, None) => &self.line[..length],
            _ => &[],
        };
        Ok(Some(RawRow {
            line: self.number,
            offset,
            content,
            state,
        }))
    }

    /// Reads a line that the buffer does not hold whole; its length without newline, and what was read for it.
    fn copy(&mut self) -> io::Result<(usize, usize)> {
        self.line.clear();
        // One more byte than a row may have, and one for the newline.
        let allowed = self.max_bytes as u64 + 2;
        let mut read = self.reader.by_ref().take(allowed).read_until(b'\n', &mut self.line)?;
        let whole = self.line.ends_with(b"\n");
        let length = self.line.len() - usize::from(whole);
        if length > self.max_bytes && !whole {
            read += self.skip()?;
        }
        Ok((length, read))
    }

    /// Reads on to the end of a line that is not kept; returns its bytes.
    fn skip(&mut self) -> io::Result<usize> {
        let mut skipped = 0;
        loop {
            let some = self.reader.fill_buf()?;
            let end = memchr(b'\n', some);
            let count = end.map_or(some.len(), |end| end + 1);
            let over = end.is_some() || count == 0;
            self.reader.consume(count);
            skipped += count;
            if over {
                return Ok(skipped);
            }
        }
    }
}
