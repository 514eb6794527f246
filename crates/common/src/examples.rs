//! Training examples: prompt, reasoning, response, and where in a document they come from.

mod review;

use crate::ids::{AgentId, BatchId, ChunkId, DocumentId, ExampleId};
use chrono::{DateTime, Utc};
pub use review::*;
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Example {
    pub id: ExampleId,
    pub agent_id: AgentId,
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
    pub status: ExampleStatus,
    pub origin: ExampleOrigin,
    /// The passage it was made from; null where a person wrote the example.
    pub source: Option<ExampleSource>,
    /// A person changed the generated text.
    pub edited: bool,
    /// 0 to 100: how fit it is for training, less what each finding costs.
    pub score: u8,
    /// What lowered the score, dearest first.
    pub findings: Vec<ExampleFinding>,
    pub grounding: Grounding,
    /// The first of those that say nearly the same, maybe itself; null where no other does.
    pub duplicate_of: Option<ExampleId>,
    /// Which language model wrote it; null where none did.
    pub model: Option<String>,
    /// The batch that made it.
    pub batch_id: Option<BatchId>,
    /// Who reviews it just now; null where nobody does.
    pub held: Option<ExampleHold>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Also in the `ETag` header; send it back in `If-Match`.
    pub version: i64,
}

/// Why an example scores lower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleFinding {
    pub kind: FindingKind,
    /// How much it takes off the score.
    pub points: u8,
    /// One sentence for the reviewer.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A part is missing or has the wrong shape.
    Schema,
    /// What it says is not in its source.
    Grounding,
    /// Too short or too long.
    Length,
    /// Another example says the same.
    Duplication,
    /// It repeats instructions to the model, or obeys instructions that stood in the document.
    Leakage,
    /// A language model that was asked to judge it objects.
    Judge,
}

/// Whether the quotation was found in the stored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grounding {
    /// The server found the quotation at its span, white space aside.
    Grounded,
    /// There is a quotation, but it does not stand in the document.
    Ungrounded,
    /// It quotes nothing.
    None,
}

/// A quoted passage; `grounding` says whether it was found at `[start, end)` of the document's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleSource {
    pub document_id: DocumentId,
    pub document_name: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    pub heading: Option<String>,
    pub quote: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExampleStatus {
    Pending,
    Approved,
    Rejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExampleOrigin {
    /// Built from the text itself; no language model was used.
    Extractive,
    /// A language model wrote it from a passage.
    LanguageModel,
    /// A person wrote it.
    Manual,
}

/// An example that a person writes. It starts approved: its author vouches for it.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewExample {
    pub agent_id: AgentId,
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub prompt: String,
    #[serde(default)]
    #[validate(length(max = 20_000, message = "must have at most 20000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 20_000))]
    pub reasoning: String,
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub response: String,
}

/// Absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExamplePatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 20_000, message = "must have at most 20000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 20_000))]
    pub reasoning: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub response: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ExampleStatus>,
}

/// Sets the status of many examples of one agent at once. Those that somebody else holds stay as they are.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleReview {
    pub agent_id: AgentId,
    pub status: ExampleStatus,
    /// Only these; null or absent means all that the filter finds, and without a filter every pending one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 1000, message = "must have 1 to 1000 ids"))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<ExampleId>>, min_items = 1, max_items = 1000))]
    pub ids: Option<Vec<ExampleId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub filter: Option<ExampleFilter>,
    /// Only counts what would change.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleReviewResult {
    /// How many examples changed, or would.
    pub changed: u64,
    /// How many stay as they are because somebody else reviews them.
    pub held: u64,
}
