//! Validation of a file of rows: one pass, one row in memory, a finding for everything a person has to mend.

mod finding;
mod judge;
mod loose;
mod mend;
mod quick;
mod rules;
mod statistics;

use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::io::{self, BufRead};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

pub use finding::{Code, Finding, Repair, Severity};
pub use statistics::{Spread, Statistics};

use crate::format::Form;
use crate::rows::{Rows, State};
use finding::Problem;
use judge::{Judge, Sound};
use statistics::Collector;

/// What a file is, and what a row may cost.
#[derive(Debug, Clone)]
pub struct Options {
    pub form: Form,
    /// The reader starts at a row, not at the start of the file.
    pub resumed: bool,
    /// Rows that can be mended are handed on as well, as they are then. They count as rejected all the same.
    pub mend: bool,
    /// A longer row is skipped and reported, never held in memory.
    pub max_row_bytes: usize,
    /// Of one row; a row with more problems is as broken as it gets.
    pub max_findings_per_row: usize,
}

impl Options {
    pub const fn new(form: Form) -> Self {
        Self {
            form,
            resumed: false,
            mend: false,
            max_row_bytes: 4 << 20,
            max_findings_per_row: 20,
        }
    }
}

/// A row that passed, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedRow<'a> {
    /// From 1.
    pub line: u64,
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// As it stands in the file, without what surrounds it.
    pub source: &'a str,
    /// The canonical row: of conversations, it deserialises as [`ChatRow`](crate::chat::ChatRow).
    pub json: &'a str,
    pub messages: u64,
    pub tokens: u64,
    /// Tokens of the assistant messages that are trained on.
    pub assistant_tokens: u64,
}

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that are not blank; `accepted + rejected`.
    pub rows: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Of the rejected ones.
    pub mendable: u64,
    pub warnings: u64,
    pub findings: BTreeMap<Code, u64>,
    pub bytes: u64,
    /// Of the accepted rows alone.
    pub statistics: Statistics,
}

/// Reads rows to their end and calls `on_row` for each accepted row and `on_finding` for each problem.
///
/// `count_tokens` counts one string; without it, no tokens are counted. Memory: one row, and 8 bytes a row (times the load of a hash set) to find exact
/// duplicates. Blank lines are skipped.
///
/// # Errors
/// Only those of `reader`; whatever is wrong with the data is a [`Finding`].
pub fn validate(
    reader: impl BufRead,
    options: &Options,
    count_tokens: Option<&dyn Fn(&str) -> usize>,
    on_row: impl FnMut(AcceptedRow<'_>),
    on_finding: impl FnMut(Finding),
) -> io::Result<Report> {
    let Form { format, layout } = options.form;
    let max_problems = options.max_findings_per_row;
    let mut run = Run {
        judge: Judge {
            format,
            max_problems,
            count_tokens,
        },
        mend: options.mend,
        on_row,
        on_finding,
        seen: HashSet::default(),
        keys: RandomState::default(),
        report: Report {
            rows: 0,
            accepted: 0,
            rejected: 0,
            mendable: 0,
            warnings: 0,
            findings: BTreeMap::new(),
            bytes: 0,
            statistics: Statistics::default(),
        },
        collector: Collector::default(),
    };
    let mut rows = match options.resumed {
        true => Rows::resume(reader, layout, options.max_row_bytes),
        false => Rows::new(reader, layout, options.max_row_bytes),
    };
    while let Some(row) = rows.next()? {
        match row.state {
            State::Whole => run.row(row.line, row.offset, row.content),
            State::TooLong => {
                run.report.rows += 1;
                run.reject(
                    row.line,
                    vec![Problem::line_too_long(options.max_row_bytes)],
                    Repair::LeftOut,
                );
            }
            State::AfterList => run.warn(row.line, Problem::after_list()),
            State::Unclosed => run.warn(row.line, Problem::list_unclosed()),
        }
    }
    run.report.bytes = rows.bytes();
    run.report.statistics = run.collector.finish();
    Ok(run.report)
}

struct Run<'a, R, F> {
    judge: Judge<'a>,
    mend: bool,
    on_row: R,
    on_finding: F,
    seen: HashSet<u64, Unhashed>,
    keys: RandomState,
    report: Report,
    collector: Collector,
}

impl<R: FnMut(AcceptedRow<'_>), F: FnMut(Finding)> Run<'_, R, F> {
    fn row(&mut self, line: u64, mut offset: u64, mut content: &[u8]) {
        if offset == 0 && content.starts_with(b"\xef\xbb\xbf") {
            content = &content[3..];
            offset += 3;
            self.warn(line, Problem::byte_order_mark());
        }
        let start = content.trim_ascii_start();
        offset += (content.len() - start.len()) as u64;
        let content = start.trim_ascii_end();
        if content.is_empty() {
            return;
        }
        self.report.rows += 1;
        let source = match simdutf8::compat::from_utf8(content) {
            Ok(source) => source,
            Err(error) => {
                let problem = Problem::invalid_utf8(line, content, error.valid_up_to());
                return self.reject(line, vec![problem], Repair::LeftOut);
            }
        };
        let sound = match self.judge.judge(source) {
            Ok(sound) => sound,
            Err(problems) => return self.mend(line, offset, source, problems),
        };
        if !self.seen.insert(self.keys.hash_one(content)) {
            self.warn(line, Problem::duplicate());
        }
        self.report.accepted += 1;
        self.collector.add(&sound.counted);
        (self.on_row)(accepted(line, offset, source, &sound));
    }

    /// Rejects a row, and says whether a repaired file has it.
    fn mend(&mut self, line: u64, offset: u64, source: &str, problems: Vec<Problem>) {
        let mended = self.judge.mend(source);
        let repair = match mended {
            Some(_) => Repair::Mended,
            None => Repair::LeftOut,
        };
        self.report.mendable += u64::from(mended.is_some());
        self.reject(line, problems, repair);
        if let Some((source, sound)) = mended.filter(|_| self.mend) {
            (self.on_row)(accepted(line, offset, &source, &sound));
        }
    }

    fn reject(&mut self, line: u64, problems: Vec<Problem>, repair: Repair) {
        self.report.rejected += 1;
        for problem in problems {
            *self.report.findings.entry(problem.code).or_insert(0) += 1;
            (self.on_finding)(problem.at(line, repair));
        }
    }

    fn warn(&mut self, line: u64, problem: Problem) {
        self.report.warnings += 1;
        *self.report.findings.entry(problem.code).or_insert(0) += 1;
        (self.on_finding)(problem.at(line, Repair::Kept));
    }
}

fn accepted<'a>(line: u64, offset: u64, source: &'a str, sound: &'a Sound<'_>) -> AcceptedRow<'a> {
    AcceptedRow {
        line,
        offset,
        source,
        json: &sound.json,
        messages: sound.counted.messages,
        tokens: sound.counted.tokens,
        assistant_tokens: sound.counted.assistant_tokens,
    }
}

/// The keys are hashes already.
#[derive(Clone, Default)]
struct Unhashed;

impl BuildHasher for Unhashed {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same(0)
    }
}

struct Same(u64);

impl std::hash::Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
