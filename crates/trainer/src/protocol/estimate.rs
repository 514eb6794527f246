//! What a run would do and need, told before it starts.

use serde::{Deserialize, Serialize};

use super::{FailureCode, Method, Precision};

/// What `plan` and `lengths` write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    Ok(Box<T>),
    Failed {
        code: FailureCode,
        message: String,
        remedy: String,
    },
}

/// Counts are those that the run's `started` event tells; memory and time are estimates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub method: Method,
    pub total_steps: u64,
    pub train_rows: u64,
    pub validation_rows: u64,
    /// Of the training rows, once.
    pub train_tokens: u64,
    pub trainable_tokens: u64,
    pub truncated_rows: u64,
    pub dropped_rows: u64,
    /// Usable rows that are, token for token, like an earlier one.
    pub duplicate_rows: u64,
    /// Tokens of the longest usable row.
    pub longest_row: u64,
    /// The base's context length, or `max_seq_length` where that is less.
    pub max_tokens: u64,
    pub trainable_parameters: u64,
    /// What the base's matrices will be kept and multiplied in.
    pub precision: Precision,
    /// What will compute it.
    pub device: String,
    /// Resident memory at its peak.
    pub memory_bytes: u64,
    /// Of this machine, now.
    pub available_bytes: Option<u64>,
    /// Whether layers will be computed again in the backward pass, because memory is short.
    pub recompute: bool,
    /// Whether the run fits into what is available.
    pub fits: bool,
    /// Settings with which it would, where it does not.
    pub fitting: Option<Fitting>,
    /// Of all steps, from a short measurement on this machine.
    pub seconds: f64,
}

/// The settings that memory depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitting {
    pub batch_size: usize,
    pub gradient_accumulation_steps: usize,
    pub max_seq_length: usize,
}
