//! Validation of chat JSONL: one pass, one line in memory, a finding for everything a person has to mend.

mod finding;
mod loose;
mod rules;
mod statistics;

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use finding::{Code, Finding, Severity};
pub use statistics::{Spread, Statistics};

use finding::Problem;
use statistics::Collector;

/// What a row may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A longer line is skipped and reported, never held in memory.
    pub max_line_bytes: usize,
    /// Of one row; a row with more problems is as broken as it gets.
    pub max_findings_per_row: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line_bytes: 4 << 20,
            max_findings_per_row: 20,
        }
    }
}

/// A row that passed, in the order of the file. What is accepted deserialises as [`ChatRow`](crate::chat::ChatRow).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedRow<'a> {
    /// From 1.
    pub line: u64,
    /// Where `json` starts in the file, in bytes.
    pub offset: u64,
    /// The row without byte order mark, surrounding white space and newline.
    pub json: &'a str,
    pub messages: u64,
    pub tokens: u64,
    /// Tokens of the assistant messages that are trained on.
    pub assistant_tokens: u64,
}

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Lines that are not blank; `accepted + rejected`.
    pub rows: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub warnings: u64,
    pub findings: BTreeMap<Code, u64>,
    pub bytes: u64,
    /// Lower-case hexadecimal, of the file as it came.
    pub sha256: String,
    /// Of the accepted rows alone.
    pub statistics: Statistics,
}

/// Reads chat JSONL to its end and calls `on_row` for each accepted row and `on_finding` for each problem.
///
/// `count_tokens` counts one string. Memory: one line, and 8 bytes a row (times the load of a hash set) to find exact
/// duplicates. Blank lines are skipped.
///
/// # Errors
/// Only those of `reader`; whatever is wrong with the data is a [`Finding`].
pub fn validate(
    mut reader: impl BufRead,
    limits: &Limits,
    count_tokens: &dyn Fn(&str) -> usize,
    mut on_row: impl FnMut(AcceptedRow<'_>),
    mut on_finding: impl FnMut(Finding),
) -> io::Result<Report> {
    let mut run = Run {
        limits,
        count_tokens,
        seen: HashSet::default(),
        keys: RandomState::new(),
        report: Report {
            rows: 0,
            accepted: 0,
            rejected: 0,
            warnings: 0,
            findings: BTreeMap::new(),
            bytes: 0,
            sha256: String::new(),
            statistics: Statistics::default(),
        },
        collector: Collector::default(),
    };
    let mut hash = Sha256::new();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let offset = run.report.bytes;
        // One more byte than a row may have, and one for the newline.
        let allowed = limits.max_line_bytes as u64 + 2;
        let read = reader.by_ref().take(allowed).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        hash.update(&line);
        run.report.bytes += read as u64;
        let whole = line.ends_with(b"\n");
        let content = line.strip_suffix(b"\n").unwrap_or(&line);
        if content.len() > limits.max_line_bytes {
            if !whole {
                run.report.bytes += skip_line(&mut reader, &mut hash)?;
            }
            run.report.rows += 1;
            run.reject(
                number,
                vec![Problem::line_too_long(limits.max_line_bytes)],
                &mut on_finding,
            );
            continue;
        }
        run.line(number, offset, content, &mut on_row, &mut on_finding);
    }
    run.report.sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    run.report.statistics = run.collector.finish();
    Ok(run.report)
}

/// Reads on to the end of a line that is not kept; returns its bytes.
fn skip_line(reader: &mut impl BufRead, hash: &mut Sha256) -> io::Result<u64> {
    let mut skipped = 0;
    let mut piece = Vec::new();
    loop {
        piece.clear();
        let read = reader.by_ref().take(64 << 10).read_until(b'\n', &mut piece)?;
        hash.update(&piece);
        skipped += read as u64;
        if read == 0 || piece.ends_with(b"\n") {
            return Ok(skipped);
        }
    }
}

struct Run<'a> {
    limits: &'a Limits,
    count_tokens: &'a dyn Fn(&str) -> usize,
    seen: HashSet<u64, Unhashed>,
    keys: RandomState,
    report: Report,
    collector: Collector,
}

impl Run<'_> {
    fn line(
        &mut self,
        number: u64,
        mut offset: u64,
        mut content: &[u8],
        on_row: &mut impl FnMut(AcceptedRow<'_>),
        on_finding: &mut impl FnMut(Finding),
    ) {
        let marked = number == 1 && content.starts_with(b"\xef\xbb\xbf");
        if marked {
            content = &content[3..];
            offset += 3;
        }
        let start = content.trim_ascii_start();
        offset += (content.len() - start.len()) as u64;
        let content = start.trim_ascii_end();
        if marked {
            self.warn(number, Problem::byte_order_mark(), on_finding);
        }
        if content.is_empty() {
            return;
        }
        self.report.rows += 1;
        let json = match std::str::from_utf8(content) {
            Ok(json) => json,
            Err(error) => {
                let problem = Problem::invalid_utf8(number, content, error.valid_up_to());
                return self.reject(number, vec![problem], on_finding);
            }
        };
        let row = match rules::check(json, self.limits.max_findings_per_row) {
            Ok(row) => row,
            Err(problems) => return self.reject(number, problems, on_finding),
        };
        if !self.seen.insert(self.keys.hash_one(content)) {
            self.warn(number, Problem::duplicate(), on_finding);
        }
        let counted = row.count(self.count_tokens);
        self.report.accepted += 1;
        self.collector.add(&counted);
        on_row(AcceptedRow {
            line: number,
            offset,
            json,
            messages: counted.messages,
            tokens: counted.tokens,
            assistant_tokens: counted.assistant_tokens,
        });
    }

    fn reject(&mut self, line: u64, problems: Vec<Problem>, on_finding: &mut impl FnMut(Finding)) {
        self.report.rejected += 1;
        for problem in problems {
            *self.report.findings.entry(problem.code).or_insert(0) += 1;
            on_finding(problem.at(line));
        }
    }

    fn warn(&mut self, line: u64, problem: Problem, on_finding: &mut impl FnMut(Finding)) {
        self.report.warnings += 1;
        *self.report.findings.entry(problem.code).or_insert(0) += 1;
        on_finding(problem.at(line));
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
