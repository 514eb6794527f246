//! Datasets: validated rows to train on.

mod lengths;

pub use lengths::*;

use crate::ids::{AgentId, DatasetId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dataset {
    pub id: DatasetId,
    pub name: String,
    /// The same for all versions of a dataset.
    pub line_id: DatasetId,
    /// From 1.
    pub version: u32,
    /// The version that it was made from.
    pub parent_id: Option<DatasetId>,
    /// Which rows of that version it has, where they were chosen.
    pub filters: Option<RowFilters>,
    /// The agent whose approved examples or documents it was built from.
    pub agent_id: Option<AgentId>,
    pub source: DatasetSource,
    pub status: DatasetStatus,
    /// Why the status is `error`, and what to do.
    pub error: Option<String>,
    pub size_bytes: u64,
    /// Of the file as stored, hexadecimal; null until it is there.
    pub sha256: Option<String>,
    /// What the rows of the file are; null until validated.
    pub format: Option<DatasetFormat>,
    /// How they lie in the file; null until validated.
    pub layout: Option<DatasetLayout>,
    /// What they are good for; null until validated.
    pub rows_kind: Option<RowsKind>,
    /// Null until validated.
    pub report: Option<DatasetReport>,
    /// Which part of it training is measured on; null until that is chosen, once and for all.
    pub split: Option<DatasetSplit>,
    /// Until when it can be restored; null unless it was deleted.
    pub kept_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The part of a dataset that is kept out of training to measure it. The same rows always.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetSplit {
    pub validation_fraction: f64,
    pub seed: u64,
    /// Of the accepted rows; null until validated.
    pub train_rows: Option<u64>,
    pub validation_rows: Option<u64>,
}

/// Absent fields take their default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NewDatasetSplit {
    /// Share of the accepted rows that is kept out; above 0 at least one row, and at least one row stays to train on.
    #[validate(range(min = 0.0, max = 0.5, message = "must be 0 to 0.5"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 0.5, default = 0.1))]
    pub validation_fraction: f64,
    /// Chooses which rows.
    #[validate(range(max = 9_007_199_254_740_991_u64, message = "must be at most 9007199254740991"))]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, default = 42)
    )]
    pub seed: u64,
}

impl Default for NewDatasetSplit {
    fn default() -> Self {
        Self {
            validation_fraction: 0.1,
            seed: 42,
        }
    }
}

impl NewDatasetSplit {
    /// How many of so many rows are kept out.
    pub fn validation_rows(self, rows: u64) -> u64 {
        let least = u64::from(self.validation_fraction > 0.0);
        let share = (self.validation_fraction * rows as f64).round() as u64;
        share.max(least).min(rows.saturating_sub(1))
    }
}

/// How long a deleted dataset can be restored.
pub const DELETED_KEPT_DAYS: i64 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetSource {
    Examples,
    Upload,
    /// The sound and mended rows of the version before it.
    Repair,
    /// Chosen rows of the version before it.
    Rows,
    /// Text of an agent's documents.
    Documents,
    /// Instructions that come with the product.
    Instructions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetStatus {
    Uploading,
    Validating,
    Ready,
    Error,
    /// It held text of something that was deleted: its rows are gone.
    Erased,
}

/// A format of rows, told by the members that they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetFormat {
    /// `messages[]{role, content}`
    Chat,
    /// `conversations[]{from, value}`
    Sharegpt,
    /// `instruction`, `input`, `output`
    Alpaca,
    /// `prompt`, `completion`
    PromptCompletion,
    /// `text`
    Text,
    /// `input`, `preferred_output`, `non_preferred_output`
    OpenaiPreference,
    /// `prompt`, `chosen`, `rejected`
    Preference,
}

impl DatasetFormat {
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Sharegpt,
        Self::Alpaca,
        Self::PromptCompletion,
        Self::Text,
        Self::OpenaiPreference,
        Self::Preference,
    ];

    /// Rows of one kind can be written in each other's formats.
    pub const fn kind(self) -> RowsKind {
        match self {
            Self::Chat | Self::Sharegpt | Self::Alpaca | Self::PromptCompletion => RowsKind::Conversations,
            Self::OpenaiPreference | Self::Preference => RowsKind::Preferences,
            Self::Text => RowsKind::Texts,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RowsKind {
    /// Jobs train on these.
    Conversations,
    /// A prompt with a better and a worse answer: jobs train on these by DPO.
    Preferences,
    Texts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetLayout {
    /// JSON Lines: one object a line.
    Lines,
    /// One JSON list of objects.
    List,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetReport {
    pub rows_total: u64,
    /// Rows that training can use.
    pub rows_accepted: u64,
    pub rows_rejected: u64,
    /// Rejected rows that the repaired file has, mended.
    #[serde(default)]
    pub rows_mendable: u64,
    /// Findings that do not reject a row, such as exact duplicates.
    pub warnings: u64,
    /// Accepted rows that are the same as an earlier one.
    #[serde(default)]
    pub rows_duplicate: u64,
    /// Accepted rows that say nearly what an earlier one says.
    #[serde(default)]
    pub rows_near_duplicate: u64,
    /// Accepted rows that were compared with the first 200,000 different ones alone.
    #[serde(default)]
    pub rows_not_compared: u64,
    pub messages: u64,
    pub tokens: TokenStatistics,
    /// Tokens in assistant messages.
    pub assistant_tokens: u64,
    /// The tokenizer that counted.
    pub tokenizer: String,
}

/// Tokens per accepted row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenStatistics {
    pub total: u64,
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p95: u64,
    pub max: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetFinding {
    /// From 1.
    pub line: u64,
    /// JSON pointer into the row; empty for the row as a whole.
    pub field: String,
    pub code: String,
    pub severity: FindingSeverity,
    pub message: String,
    /// What to do about it.
    pub fix: String,
    pub repair: FindingRepair,
}

/// What becomes of the row in the repaired file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingRepair {
    /// It stays as it is.
    Kept,
    /// It is there, changed as `fix` says.
    Mended,
    LeftOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingSeverity {
    /// The row is not used.
    Rejected,
    Warning,
}

/// An accepted row, as training reads it: `messages`; or `prompt`, `chosen` and `rejected`; or `text`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetRow {
    /// From 1, in the file as stored.
    pub line: u64,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub row: serde_json::Value,
}

/// Builds a dataset from the approved examples of an agent.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDataset {
    pub agent_id: AgentId,
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: String,
    /// The dataset that it is the next version of; one of its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DatasetId>))]
    pub version_of: Option<DatasetId>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DatasetUpload {
    /// The file's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", param(min_length = 1, max_length = 120))]
    pub name: Option<String>,
    /// The dataset that it is the next version of; one of its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<DatasetId>))]
    pub version_of: Option<DatasetId>,
}

/// Which accepted rows of a version the next one has, and how they are written. At least one must be given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RowFilters {
    /// Leaves out rows that are the same as an earlier one.
    #[serde(default)]
    pub without_duplicates: bool,
    /// Leaves out rows that say nearly what an earlier one says.
    #[serde(default)]
    pub without_near_duplicates: bool,
    /// Leaves out shorter rows, in tokens as the report counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10_000_000, message = "must be 1 to 10000000"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10_000_000))]
    pub min_tokens: Option<u64>,
    /// Leaves out longer rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10_000_000, message = "must be 1 to 10000000"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10_000_000))]
    pub max_tokens: Option<u64>,
    /// Writes them in a format of their kind; rows that it cannot say in full are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DatasetFormat>,
}

/// Which version another one is compared with.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DiffQuery {
    /// The one before the change.
    #[cfg_attr(feature = "openapi", param(value_type = DatasetId))]
    pub from_id: DatasetId,
}

/// How many accepted rows two datasets share, whatever their formats. A row that one has twice is shared twice only if
/// the other has it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetDiff {
    pub added: u64,
    pub removed: u64,
    pub unchanged: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DiffRowsQuery {
    /// The one before the change.
    #[cfg_attr(feature = "openapi", param(value_type = DatasetId))]
    pub from_id: DatasetId,
    #[cfg_attr(feature = "openapi", param(inline))]
    pub side: DiffSide,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiffSide {
    /// Rows that the other version lacks.
    Added,
    /// Rows of the other version that are gone.
    Removed,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DatasetQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DatasetStatus>,
    /// Any version whose file has this SHA-256, in lower-case hexadecimal. Without it, only the newest versions are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = "crate::uploads::is_sha256"))]
    #[cfg_attr(
        feature = "openapi",
        param(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")
    )]
    pub sha256: Option<String>,
    /// Those that were deleted and can be restored, all versions, instead of those that are there.
    #[serde(default)]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// Reads findings or rows on where the last stretch ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DatasetCursor {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// How a dataset is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DatasetExport {
    /// Of the same kind of rows; the dataset's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DatasetFormat>,
    /// `lines` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<DatasetLayout>,
    /// All of its rows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub part: Option<DatasetPart>,
    /// Leaves out rows that the format cannot say in full, instead of refusing to write any.
    #[serde(default)]
    pub leave_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DatasetPart {
    /// The rows that are trained on.
    Train,
    /// Those that training is measured on.
    Validation,
}

/// How findings are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DatasetReportQuery {
    /// `jsonl` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub format: Option<ReportFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    Jsonl,
    Csv,
}
