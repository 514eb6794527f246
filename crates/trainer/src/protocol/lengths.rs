//! How long the rows of a dataset are for a base, and what a limit cuts off.

use serde::{Deserialize, Serialize};

/// What `lengths` writes. The counts of rows are those that a job with the same rows and limit has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// The base's context length, or `max_seq_length` where that is less.
    pub max_tokens: u64,
    /// Rows that something is learned from.
    pub rows: u64,
    pub truncated_rows: u64,
    /// Rows that nothing is learned from.
    pub dropped_rows: u64,
    /// Of those, rows of which something would be learned if they were not cut.
    pub cut_off_rows: u64,
    /// Of the rows that something is learned from, once they are cut.
    pub tokens: u64,
    pub trainable_tokens: u64,
    /// Of all rows, as they are; of a pair, the longer of the two.
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub longest: u64,
    pub spread: Vec<Span>,
    /// The longest first.
    pub longest_rows: Vec<LongRow>,
}

/// Rows of `from` to `to` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: u64,
    pub to: u64,
    pub rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongRow {
    pub line: u64,
    pub tokens: u64,
}
