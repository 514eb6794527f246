//! How long the rows of a dataset are, in a base's tokens.

use crate::ids::BaseId;
use serde::{Deserialize, Serialize};
use validator::Validate;

/// For which base rows are counted, and where they are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LengthsChoice {
    pub base_id: BaseId,
    /// Longer rows are cut off here, in tokens.
    #[validate(range(min = 16, max = 8192, message = "must be 16 to 8192"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 16, maximum = 8192))]
    pub max_seq_length: u32,
}

/// How long rows are for a base. The counts are those of a job with the same length over all rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetLengths {
    /// Where rows are cut: the base's context length, or `max_seq_length` where that is less.
    pub max_tokens: u64,
    /// Rows that something is learned from.
    pub rows: u64,
    pub truncated_rows: u64,
    /// Rows that nothing is learned from.
    pub dropped_rows: u64,
    /// Of those, rows whose answers all lie beyond the cut.
    pub cut_off_rows: u64,
    /// Of the rows that something is learned from, once they are cut; of a pair of answers, those of both with the prompt before
    /// each.
    pub tokens: u64,
    /// Those that the loss is taken on.
    pub trainable_tokens: u64,
    /// Half of all rows have at most as many tokens, before they are cut; of a pair, the longer of the two.
    pub p50_tokens: u64,
    pub p90_tokens: u64,
    pub p99_tokens: u64,
    pub longest_row_tokens: u64,
    /// All rows by their length before they are cut, shortest first; each span is twice as wide as the one before.
    pub spread: Vec<LengthSpan>,
    /// The ten longest, longest first.
    pub longest_rows: Vec<LongRow>,
}

/// Rows of `from` to `to` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LengthSpan {
    pub from: u64,
    pub to: u64,
    pub rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LongRow {
    /// In the dataset's file, from 1.
    pub line: u64,
    pub tokens: u64,
}
