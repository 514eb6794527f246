//! The elements of one JSON list, cut apart by brackets and quotation marks alone: what is broken in one of them is told
//! when it is parsed, and where the file is laid out line by line the next ones are found all the same.

use std::io::{self, BufRead};

use super::{BLOCK_BYTES, BLOCK_ELEMENTS, Block, Cut, Cuts, RawRow, State};

pub(crate) struct List<R> {
    reader: Marked<R>,
    max_bytes: usize,
    element: Vec<u8>,
    stage: Stage,
    starts: Starts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Inside,
    After,
    Over,
}

/// Where in their lines elements start, as far as that tells them from what is nested in them.
#[derive(Debug, Clone, Copy, Default)]
struct Starts {
    /// Bytes before the last element that had its line's start to itself.
    indent: Option<u64>,
    /// That element lay in one line.
    one_line: bool,
}

impl Starts {
    /// Whether an object that follows so much space alone is an element, whatever is still open before it.
    fn tells(self, indent: u64) -> bool {
        self.indent == Some(indent) && (indent > 0 || self.one_line)
    }
}

/// Counts bytes and lines of what is consumed.
struct Marked<R> {
    reader: R,
    bytes: u64,
    line: u64,
    /// Bytes since the line's start while they are all space.
    indent: Option<u64>,
}

impl<R: BufRead> Marked<R> {
    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn take(&mut self, byte: u8) {
        self.reader.consume(1);
        self.bytes += 1;
        self.indent = match byte {
            b'\n' => {
                self.line += 1;
                Some(0)
            }
            b' ' | b'\t' | b'\r' => self.indent.map(|indent| indent + 1),
            _ => None,
        };
    }

    /// Consumes white space and the byte order mark; the byte after it.
    fn next_solid(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() || (self.bytes < 3 && b"\xef\xbb\xbf".contains(&byte)) => {
                    self.take(byte);
                }
                other => return Ok(other),
            }
        }
    }
}

/// What is open within an element.
#[derive(Default)]
struct Open {
    depth: u32,
    string: bool,
    escaped: bool,
    /// It cannot be JSON, so that its brackets and quotation marks mean nothing.
    broken: bool,
}

impl Open {
    /// Whether the element ends before `byte`. Where elements have a line each, so has a broken one.
    fn ends_at(&self, byte: u8, one_line: bool) -> bool {
        if self.broken && one_line {
            return byte == b'\n';
        }
        self.depth == 0 && !self.string && matches!(byte, b',' | b']')
    }

    fn take(&mut self, byte: u8) {
        if self.string {
            match byte {
                // No string of JSON holds one: the quotation mark is missing.
                b'\n' => (self.string, self.broken) = (false, true),
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => (self.string, self.escaped) = (true, false),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => self.broken = true,
            },
            b',' | b':' | b'+' | b'-' | b'.' | b'0'..=b'9' | b' ' | b'\t' | b'\r' | b'\n' => {}
            // Of `true`, `false`, `null` and powers of ten.
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n' | b'E' => {}
            _ => self.broken = true,
        }
    }
}

impl<R: BufRead> List<R> {
    pub(super) fn new(reader: R, max_bytes: usize) -> Self {
        Self {
            reader: Marked {
                reader,
                bytes: 0,
                line: 1,
                indent: Some(0),
            },
            max_bytes,
            element: Vec::new(),
            stage: Stage::Before,
            starts: Starts::default(),
        }
    }

    /// From the start of an element on.
    pub(super) fn inside(reader: R, max_bytes: usize) -> Self {
        let mut list = Self::new(reader, max_bytes);
        list.stage = Stage::Inside;
        list.reader.indent = None;
        list
    }

    pub(super) fn bytes(&self) -> u64 {
        self.reader.bytes
    }

    /// Elements that follow each other, copied together.
    pub(super) fn block(&mut self, mut bytes: Vec<u8>) -> io::Result<Option<Block>> {
        let (offset, mut cuts) = (self.bytes(), Vec::new());
        bytes.clear();
        while bytes.len() < BLOCK_BYTES && cuts.len() < BLOCK_ELEMENTS {
            let Some(row) = self.next()? else { break };
            let start = bytes.len();
            bytes.extend_from_slice(row.content);
            cuts.push(Cut {
                line: row.line,
                offset: row.offset,
                start,
                end: bytes.len(),
                state: row.state,
            });
        }
        Ok((!cuts.is_empty()).then_some(Block {
            offset,
            length: bytes.len(),
            bytes,
            cuts: Cuts::Elements(cuts),
        }))
    }

    fn next(&mut self) -> io::Result<Option<RawRow<'_>>> {
        loop {
            let first = self.reader.next_solid()?;
            match (self.stage, first) {
                (Stage::Over | Stage::After | Stage::Before, None) => return Ok(None),
                (Stage::Inside, None) => return Ok(Some(self.end(State::Unclosed)?)),
                (Stage::Over, Some(byte)) => self.reader.take(byte),
                (Stage::After, Some(_)) => return Ok(Some(self.end(State::AfterList)?)),
                (Stage::Before, Some(byte)) => {
                    self.reader.take(byte);
                    self.stage = Stage::Inside;
                }
                (Stage::Inside, Some(b',')) => self.reader.take(b','),
                (Stage::Inside, Some(b']')) => {
                    self.reader.take(b']');
                    self.stage = Stage::After;
                }
                (Stage::Inside, Some(_)) => return self.element().map(Some),
            }
        }
    }

    /// The one sign that the file does not end with its list.
    fn end(&mut self, state: State) -> io::Result<RawRow<'_>> {
        self.stage = Stage::Over;
        Ok(RawRow {
            line: self.reader.line,
            offset: self.reader.bytes,
            start: 0,
            content: &[],
            state,
        })
    }

    fn element(&mut self) -> io::Result<RawRow<'_>> {
        self.element.clear();
        let (line, offset, indent) = (self.reader.line, self.reader.bytes, self.reader.indent);
        let mut open = Open::default();
        let mut state = State::Whole;
        while let Some(byte) = self.reader.peek()? {
            let another = byte == b'{'
                && !self.element.is_empty()
                && self.reader.indent.is_some_and(|indent| self.starts.tells(indent));
            if open.ends_at(byte, self.starts.one_line) || another {
                break;
            }
            open.take(byte);
            if state == State::Whole {
                self.element.push(byte);
            }
            if self.element.len() > self.max_bytes {
                state = State::TooLong;
                self.element.clear();
            }
            self.reader.take(byte);
        }
        let content = self.element.trim_ascii_end();
        if indent.is_some() {
            self.starts = Starts {
                indent,
                one_line: !content.contains(&b'\n'),
            };
        }
        Ok(RawRow {
            line,
            offset,
            start: 0,
            content: content.strip_suffix(b",").unwrap_or(content),
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn cut(text: &str) -> Vec<(u64, String, State)> {
        let mut list = List::new(io::BufReader::with_capacity(3, text.as_bytes()), 60);
        let mut found = Vec::new();
        while let Some(row) = list.next().unwrap() {
            if row.state == State::Whole {
                let at = usize::try_from(row.offset).unwrap();
                assert_eq!(&text.as_bytes()[at..at + row.content.len()], row.content);
            }
            found.push((row.line, String::from_utf8(row.content.to_vec()).unwrap(), row.state));
        }
        assert_eq!(list.bytes(), text.len() as u64);
        found
    }

    fn whole(text: &str) -> Vec<(u64, String)> {
        let rows = cut(text);
        assert!(rows.iter().all(|row| row.2 == State::Whole), "{rows:?}");
        rows.into_iter().map(|row| (row.0, row.1)).collect()
    }

    #[test]
    fn elements_are_cut_at_their_own_commas() {
        assert_eq!(whole("\u{feff} [ ] \n"), []);
        let text = "[{\"a\":\"],}\\\"[\"},\n 1 , [2,\n{}],{\"b\":{\"c\":[]}}\n]\n";
        let expected = [
            (1, "{\"a\":\"],}\\\"[\"}"),
            (2, "1"),
            (2, "[2,\n{}]"),
            (3, "{\"b\":{\"c\":[]}}"),
        ];
        assert_eq!(whole(text), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn what_follows_a_broken_element_is_found() {
        let lines = |text: &str| whole(text).into_iter().map(|row| row.0).collect::<Vec<_>>();
        // One a line: a missing quotation mark, a missing bracket, one too many, a missing comma.
        assert_eq!(
            lines("[\n{\"a\":1},\n{\"a\":\"x},\n{\"a\":{},\n{\"a\":1}},\n{\"a\":1}\n{\"a\":2}\n]"),
            [2, 3, 4, 5, 6, 7]
        );
        // Indented, as most are.
        let text =
            "[\n  {\n    \"a\": [\n      {}\n    ]\n  },\n  {\n    \"a\": [\n  },\n  {\n    \"a\": \"b\n  },\n  {}\n]";
        assert_eq!(lines(text), [2, 7, 10, 13]);
        // Nested objects at the same place are none of its elements.
        assert_eq!(lines("[\n{\n\"a\": [\n{},\n{}\n]\n},\n{}\n]"), [2, 8]);
    }

    #[test]
    fn a_file_that_goes_on_or_breaks_off_says_so() {
        let states = |text: &str| cut(text).into_iter().map(|row| (row.0, row.2)).collect::<Vec<_>>();
        assert_eq!(states("[{}]\n{}\n{}"), [(1, State::Whole), (2, State::AfterList)]);
        assert_eq!(
            states("[{},\n{\"a\":"),
            [(1, State::Whole), (2, State::Whole), (2, State::Unclosed)]
        );
        let long = format!("[{{\"a\":\"{}\"}},\n{{}}]", "x".repeat(100));
        assert_eq!(states(&long), [(1, State::TooLong), (2, State::Whole)]);
    }
}
