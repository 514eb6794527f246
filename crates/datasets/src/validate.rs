//! Validation of a file of rows: one pass, some blocks of rows in memory, a finding for everything a person has to mend.

mod examine;
mod finding;
mod judge;
mod loose;
mod mend;
mod near_rows;
mod quick;
mod rules;
mod seen;
mod statistics;
mod threads;

use std::collections::BTreeMap;
use std::io::{self, Read};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

pub use finding::{Code, Finding, Repair, Severity};
pub use statistics::{Spread, Statistics};

use crate::format::Form;
use crate::near::Signature;
use crate::rows::{Block, Blocks};
use examine::{Examiner, Outcome, Part, Verdict};
use finding::Problem;
use judge::Judge;
pub use near_rows::MOST_DIFFERENT;
use near_rows::{Compared, NearRows};
use seen::Seen;
use statistics::{Collector, Counted};

/// Counts the tokens of a text.
pub type CountTokens<'a> = &'a (dyn Fn(&str) -> usize + Sync);

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
    /// Accepted rows that say nearly what an earlier one says are found. Takes far longer than the rest, and at most 70 MB:
    /// the first [`MOST_DIFFERENT`] rows that differ are kept, and those after them are compared with these alone.
    pub near: bool,
    /// Rows are looked at by so many threads; what is found and its order stay the same.
    pub threads: usize,
}

impl Options {
    pub const fn new(form: Form) -> Self {
        Self {
            form,
            resumed: false,
            mend: false,
            max_row_bytes: 4 << 20,
            max_findings_per_row: 20,
            near: false,
            threads: 1,
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
    /// As it stands in the file, without what surrounds it; UTF-8.
    pub source: &'a [u8],
    /// The canonical row: of conversations, it deserialises as [`ChatRow`](crate::chat::ChatRow).
    pub json: &'a [u8],
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
    /// Accepted rows that were not compared with all others, because there are too many.
    pub not_compared: u64,
    pub findings: BTreeMap<Code, u64>,
    pub bytes: u64,
    /// Of the accepted rows alone.
    pub statistics: Statistics,
}

/// Reads rows to their end and calls `on_row` for each accepted row and `on_finding` for each problem, in the order of the file.
///
/// `count_tokens` counts one string; without it, no tokens are counted. Memory: two blocks of 256 KiB a thread, each as
/// large as its longest row, what was found in them, and 9 to 14 bytes a row to find exact duplicates. Blank lines are skipped.
///
/// # Errors
/// Only those of `reader`; whatever is wrong with the data is a [`Finding`].
pub fn validate(
    reader: impl Read,
    options: &Options,
    count_tokens: Option<CountTokens<'_>>,
    on_row: impl FnMut(AcceptedRow<'_>),
    on_finding: impl FnMut(Finding),
) -> io::Result<Report> {
    let Form { format, layout } = options.form;
    let examiner = Examiner {
        judge: Judge {
            format,
            max_problems: options.max_findings_per_row,
            count_tokens,
        },
        keys: RandomState::default(),
        max_row_bytes: options.max_row_bytes,
        mend: options.mend,
        near: options.near,
    };
    let mut run = Run {
        on_row,
        on_finding,
        seen: Seen::default(),
        near: NearRows::default(),
        lines: 0,
        report: Report {
            rows: 0,
            accepted: 0,
            rejected: 0,
            mendable: 0,
            warnings: 0,
            not_compared: 0,
            findings: BTreeMap::new(),
            bytes: 0,
            statistics: Statistics::default(),
        },
        collector: Collector::default(),
    };
    let mut blocks = match options.resumed {
        true => Blocks::resume(reader, layout, options.max_row_bytes),
        false => Blocks::new(reader, layout, options.max_row_bytes),
    };
    let each = |block: &Block, part| run.take(block, part);
    match options.threads {
        0 | 1 => threads::alone(&mut blocks, &examiner, each)?,
        threads => threads::several(&mut blocks, &examiner, threads, each)?,
    }
    run.report.bytes = blocks.bytes();
    run.report.statistics = run.collector.finish();
    Ok(run.report)
}

/// What is told of the file, in its order.
struct Run<R, F> {
    on_row: R,
    on_finding: F,
    seen: Seen,
    near: NearRows,
    /// Before the block that is being told of.
    lines: u64,
    report: Report,
    collector: Collector,
}

impl<R: FnMut(AcceptedRow<'_>), F: FnMut(Finding)> Run<R, F> {
    fn take(&mut self, block: &Block, part: Part) {
        match part {
            Part::Rows(outcomes) => outcomes.into_iter().for_each(|outcome| self.tell(block, outcome)),
            Part::End { lines } => self.lines += lines,
        }
    }

    fn tell(&mut self, block: &Block, outcome: Outcome) {
        let line = self.lines + outcome.line;
        let source = block.slice(outcome.range);
        match outcome.verdict {
            Verdict::Remark(problem) => self.warn(line, problem),
            Verdict::Sound {
                json,
                counted,
                key,
                signature,
            } => {
                self.report.rows += 1;
                if !self.seen.insert(key) {
                    self.warn(line, Problem::duplicate());
                } else if let Some(signature) = signature {
                    self.compare(line, &signature);
                }
                self.report.accepted += 1;
                self.collector.add(&counted);
                let json = json.as_deref().map_or(source, str::as_bytes);
                (self.on_row)(accepted(line, outcome.offset, source, json, counted));
            }
            Verdict::Rejected {
                problems,
                repair,
                mended,
            } => {
                self.report.rows += 1;
                self.report.mendable += u64::from(repair == Repair::Mended);
                self.reject(line, problems, repair);
                if let Some(mended) = mended {
                    let (source, json) = (mended.source.as_bytes(), mended.json.as_bytes());
                    (self.on_row)(accepted(line, outcome.offset, source, json, mended.counted));
                }
            }
        }
    }

    fn compare(&mut self, line: u64, signature: &Signature) {
        match self.near.compare(line, signature) {
            Compared::Near { first } => self.warn(line, Problem::near_duplicate(first)),
            Compared::Different => {}
            Compared::Unknown => self.report.not_compared += 1,
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

fn accepted<'a>(line: u64, offset: u64, source: &'a [u8], json: &'a [u8], counted: Counted) -> AcceptedRow<'a> {
    AcceptedRow {
        line,
        offset,
        source,
        json,
        messages: counted.messages,
        tokens: counted.tokens,
        assistant_tokens: counted.assistant_tokens,
    }
}
