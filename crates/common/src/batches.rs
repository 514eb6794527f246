//! Batches: examples made from many chunks, by the workspace's language model or from the text itself.

use crate::{
    documents::ChunkPlace,
    ids::{AgentId, BatchId, BatchItemId, ChunkId, DocumentId},
    templates::TemplateKind,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

/// At most this many chunks in a batch.
pub const MAX_ITEMS: usize = 20_000;

/// Examples asked for from each chunk where nobody says how many.
pub const DEFAULT_PER_CHUNK: u32 = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Batch {
    pub id: BatchId,
    pub agent_id: AgentId,
    pub status: BatchStatus,
    /// Why the status is `paused`.
    pub pause: Option<BatchPause>,
    /// The language model also judges what it wrote.
    pub judge: bool,
    /// Examples asked for from each chunk.
    pub per_chunk: u32,
    /// The batch ends once it has made so many.
    pub target_count: Option<u64>,
    /// The language model that it was started with; null where examples are built from the text itself.
    pub model: Option<String>,
    pub progress: BatchProgress,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Counted anew from the items each time: `total` is the sum of the five states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchProgress {
    /// Chunks of the batch whose document is still there.
    pub total: u64,
    pub waiting: u64,
    pub running: u64,
    pub done: u64,
    pub failed: u64,
    /// Left out because the batch had enough examples or was cancelled.
    pub skipped: u64,
    /// Examples made so far.
    pub examples: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// What the answers cost so far, in millionths of a US dollar; null where the model has no price.
    pub cost_micros: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    Running,
    Paused,
    /// Nothing is left to do; single items may have failed.
    Done,
    Cancelled,
}

impl BatchStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchPause {
    pub reason: PauseReason,
    /// What happened and what to do.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody paused it.
    Person,
    /// The provider refuses the key, or the account has no means.
    Refused,
    /// The workspace has no language model any more.
    NoModel,
    /// One item after the other failed.
    Failures,
    /// It was on its way when it was exported.
    Imported,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchItem {
    pub id: BatchItemId,
    pub document_id: DocumentId,
    pub document_name: String,
    pub chunk_id: ChunkId,
    /// Where the chunk lies in the document.
    pub place: ChunkPlace,
    pub template: TemplateKind,
    pub template_version: i64,
    pub status: BatchItemStatus,
    /// Why it failed.
    pub error: Option<BatchItemError>,
    /// How often it was asked to run: 1, and one more for each retry.
    pub round: u32,
    /// Examples stored from it.
    pub examples: u32,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cost_micros: Option<i64>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatchItemStatus {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchItemError {
    pub kind: ItemErrorKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ItemErrorKind {
    /// The provider had a fault that passes.
    Transient,
    RateLimit,
    Network,
    /// The provider refused the request.
    Permanent,
    /// The answer was not what was asked for.
    Answer,
    /// The server failed each time it worked on it.
    Interrupted,
}

/// What a batch is made of. The same body gives an estimate.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    pub agent_id: AgentId,
    /// Null or absent: every ready work product of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 100, message = "must have 1 to 100 ids"))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<DocumentId>>, min_items = 1, max_items = 100))]
    pub document_ids: Option<Vec<DocumentId>>,
    /// Ends once so many examples are made; the chunks are taken from all over the documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100_000, message = "must be 1 to 100000"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100_000))]
    pub target_count: Option<u64>,
    /// Examples to ask for from each chunk; 5 when absent, or what the target takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 20, message = "must be 1 to 20"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 20))]
    pub per_chunk: Option<u32>,
    /// Lets the language model judge what it wrote: one more call a chunk. Without a language model nothing is judged.
    #[serde(default)]
    pub judge: bool,
}

impl NewBatch {
    /// How many examples to ask for from each of `chunks` chunks.
    pub fn per_chunk(&self, chunks: u64) -> u32 {
        self.per_chunk.unwrap_or(match self.target_count {
            Some(target) => u32::try_from(target.div_ceil(chunks.max(1)).clamp(1, 10)).unwrap_or(DEFAULT_PER_CHUNK),
            None => DEFAULT_PER_CHUNK,
        })
    }
}

/// What a batch would take: from at best to at worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchEstimate {
    pub documents: u64,
    pub chunks: u64,
    pub per_chunk: u32,
    /// At most so many examples.
    pub examples: u64,
    /// The language model; null where examples are built from the text itself, which costs nothing.
    pub model: Option<String>,
    pub calls_min: u64,
    pub calls_max: u64,
    pub tokens_min: u64,
    pub tokens_max: u64,
    /// In millionths of a US dollar; null where the model has no price.
    pub cost_micros_min: Option<i64>,
    pub cost_micros_max: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct BatchQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<BatchStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct BatchItemQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<BatchItemStatus>,
    /// The `next_cursor` of the stretch before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
