//! Accepted rows of a dataset's file, a stretch at a time, without reading what lies before.

use super::stop::Stoppable;
use cerebros_common::{datasets::DatasetRow, wire::CursorPage};
use cerebros_datasets::{Options, format::Form, validate};
use std::{
    cell::{Cell, RefCell},
    fmt,
    fs::File,
    io::{self, Seek, SeekFrom},
    path::Path,
    str::FromStr,
};

/// Long rows make a stretch shorter; one row always fits.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where a row starts: its line, from 1, and its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    line: u64,
    offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.line, self.offset)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (line, offset) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self {
            line: line.parse()?,
            offset: offset.parse()?,
        })
    }
}

/// Up to `limit` accepted rows from a position on. Blocks.
pub fn rows(path: &Path, form: Form, from: Option<Position>, limit: usize) -> io::Result<CursorPage<DatasetRow>> {
    let options = Options {
        resumed: from.is_some(),
        ..Options::new(form)
    };
    let from = from.unwrap_or(Position { line: 1, offset: 0 });
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.offset))?;
    let full = Cell::new(false);
    let reader = Stoppable { file, stop: &full };
    let items = RefCell::new(Vec::new());
    let next = Cell::new(None);
    let mut bytes = 0;
    validate(
        reader,
        &options,
        None,
        |row| {
            let mut items = items.borrow_mut();
            let line = from.line.saturating_add(row.line - 1);
            bytes += row.json.len();
            if items.len() == limit || (bytes > MAX_BYTES && !items.is_empty()) {
                // The first row that does not fit is where the next stretch starts.
                if !full.replace(true) {
                    let offset = from.offset + row.offset;
                    next.set(Some(Position { line, offset }));
                }
            } else if let Ok(row) = serde_json::from_slice(row.json) {
                items.push(DatasetRow { line, row });
            }
        },
        |_| {},
    )?;
    Ok(CursorPage {
        items: items.into_inner(),
        next_cursor: next.get().map(|position| position.to_string()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use cerebros_datasets::format::{Format, Layout};

    const CHAT: Form = Form {
        format: Format::Chat,
        layout: Layout::Lines,
    };

    fn row(text: &str) -> String {
        let user = format!("{{\"role\":\"user\",\"content\":\"{text}\"}}");
        format!("{{\"messages\":[{user},{{\"role\":\"assistant\",\"content\":\"ok\"}}]}}\n")
    }

    fn read_all(path: &Path, limit: usize) -> Vec<Vec<u64>> {
        read_all_of(path, CHAT, limit)
    }

    fn read_all_of(path: &Path, form: Form, limit: usize) -> Vec<Vec<u64>> {
        let mut stretches = Vec::new();
        let mut from = None;
        loop {
            let page = rows(path, form, from, limit).unwrap();
            stretches.push(page.items.iter().map(|row| row.line).collect());
            match page.next_cursor {
                Some(next) => from = Some(next.parse().unwrap()),
                None => return stretches,
            }
        }
    }

    #[test]
    fn stretches_join_and_leave_out_what_was_rejected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("\n{}broken\n  {}\n{}{}", row("ä"), row("b"), row("c"), row("d"));
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(read_all(file.path(), 2), [vec![2, 4], vec![6, 7]]);
        assert_eq!(read_all(file.path(), 3), [vec![2, 4, 6], vec![7]]);
        assert_eq!(read_all(file.path(), 10), [vec![2, 4, 6, 7]]);
    }

    #[test]
    fn a_list_is_read_on_within() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let list = "\u{feff}[\n{\"text\": \"a\"},\n{\"text\": 1},\n{\"text\":\n\"b\"}, {\"text\": \"c\"}\n]";
        std::fs::write(file.path(), list).unwrap();
        let form = Form {
            format: Format::Text,
            layout: Layout::List,
        };
        for limit in 1..4 {
            let lines: Vec<u64> = read_all_of(file.path(), form, limit).concat();
            assert_eq!(lines, [2, 4, 5]);
        }
    }

    #[test]
    fn long_rows_make_short_stretches() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long = row(&"x".repeat(MAX_BYTES / 2 + 1));
        std::fs::write(file.path(), format!("{long}{long}{}", row("c"))).unwrap();
        assert_eq!(read_all(file.path(), 10), [vec![1], vec![2, 3]]);
    }

    #[test]
    fn a_cursor_is_two_numbers() {
        assert_eq!("3-17".parse(), Ok(Position { line: 3, offset: 17 }));
        for text in ["", "3", "3-", "-3", "a-b", "3-17-2"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), row("a")).unwrap();
        let beyond = Position {
            line: u64::MAX,
            offset: 1 << 40,
        };
        assert!(rows(file.path(), CHAT, Some(beyond), 5).unwrap().items.is_empty());
    }
}
