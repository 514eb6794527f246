//! What can be said of the rows of a block without knowing those before it.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::finding::{Problem, Repair};
use super::judge::Judge;
use super::near_rows;
use super::statistics::Counted;
use crate::near::Signature;
use crate::rows::{Block, RawRow, State};

/// So many rows are told of at once: broken ones take more memory than they have in the file.
const ROWS_AT_ONCE: usize = 1000;

pub(super) struct Examiner<'a> {
    pub(super) judge: Judge<'a>,
    pub(super) keys: RandomState,
    pub(super) max_row_bytes: usize,
    pub(super) mend: bool,
    pub(super) near: bool,
}

/// What is told of a block.
pub(super) enum Part {
    Rows(Vec<Outcome>),
    /// Nothing follows; so many lines to add to those of the next block.
    End {
        lines: u64,
    },
}

/// Of one row.
pub(super) struct Outcome {
    /// In the block.
    pub(super) line: u64,
    /// In the file.
    pub(super) offset: u64,
    /// In the block.
    pub(super) range: Range<usize>,
    pub(super) verdict: Verdict,
}

pub(super) enum Verdict {
    Sound {
        /// Canonical, where that is not what stands in the file.
        json: Option<Box<str>>,
        counted: Counted,
        /// The same for rows that are the same.
        key: u64,
        /// To compare what it says with others.
        signature: Option<Box<Signature>>,
    },
    Rejected {
        problems: Vec<Problem>,
        repair: Repair,
        mended: Option<Box<Mended>>,
    },
    /// Of the file, not of a row.
    Remark(Problem),
}

pub(super) struct Mended {
    pub(super) source: String,
    pub(super) json: String,
    pub(super) counted: Counted,
}

impl Examiner<'_> {
    pub(super) fn examine(&self, block: &Block, mut tell: impl FnMut(Part)) {
        let mut outcomes = Vec::with_capacity(ROWS_AT_ONCE);
        let mut lines = 0;
        for row in block.rows() {
            lines = row.line;
            self.row(&row, &mut outcomes);
            if outcomes.len() >= ROWS_AT_ONCE {
                tell(Part::Rows(std::mem::replace(
                    &mut outcomes,
                    Vec::with_capacity(ROWS_AT_ONCE),
                )));
            }
        }
        tell(Part::Rows(outcomes));
        tell(Part::End {
            lines: if block.is_lines() { lines } else { 0 },
        });
    }

    fn row(&self, row: &RawRow<'_>, outcomes: &mut Vec<Outcome>) {
        let RawRow { line, offset, .. } = *row;
        let mut note = |start: usize, length: usize, verdict| {
            outcomes.push(Outcome {
                line,
                offset: offset + start as u64,
                range: row.start + start..row.start + start + length,
                verdict,
            });
        };
        match row.state {
            State::Whole => {}
            State::TooLong => {
                let problem = Problem::line_too_long(self.max_row_bytes);
                return note(0, 0, left_out(problem));
            }
            State::AfterList => return note(0, 0, Verdict::Remark(Problem::after_list())),
            State::Unclosed => return note(0, 0, Verdict::Remark(Problem::list_unclosed())),
        }
        let mut start = 0;
        if offset == 0 && row.content.starts_with(b"\xef\xbb\xbf") {
            start = 3;
            note(0, 0, Verdict::Remark(Problem::byte_order_mark()));
        }
        let content = row.content[start..].trim_ascii_start();
        start = row.content.len() - content.len();
        let content = content.trim_ascii_end();
        if !content.is_empty() {
            note(start, content.len(), self.verdict(offset == 0, content));
        }
    }

    fn verdict(&self, starts_file: bool, content: &[u8]) -> Verdict {
        let Ok(source) = simdutf8::basic::from_utf8(content) else {
            // Where, is looked for once that is known.
            let valid = simdutf8::compat::from_utf8(content).map_or_else(|error| error.valid_up_to(), str::len);
            return left_out(Problem::invalid_utf8(starts_file, content, valid));
        };
        let sound = match self.judge.judge(source) {
            Ok(sound) => sound,
            Err(problems) => return self.rejected(source, problems),
        };
        Verdict::Sound {
            signature: self.near.then(|| near_rows::sign(&sound.json).map(Box::new)).flatten(),
            json: match sound.json {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(json) => Some(json.into()),
            },
            counted: sound.counted,
            key: self.keys.hash_one(content),
        }
    }

    /// Says whether a repaired file has the row.
    fn rejected(&self, source: &str, problems: Vec<Problem>) -> Verdict {
        let mended = self.judge.mend(source);
        Verdict::Rejected {
            problems,
            repair: match mended {
                Some(_) => Repair::Mended,
                None => Repair::LeftOut,
            },
            mended: mended.filter(|_| self.mend).map(|(source, sound)| {
                Box::new(Mended {
                    source,
                    json: sound.json.into_owned(),
                    counted: sound.counted,
                })
            }),
        }
    }
}

fn left_out(problem: Problem) -> Verdict {
    Verdict::Rejected {
        problems: vec![problem],
        repair: Repair::LeftOut,
        mended: None,
    }
}
