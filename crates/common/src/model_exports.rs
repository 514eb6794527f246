//! Models written for other programs.

use crate::ids::{ModelExportId, ModelId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

/// What a model is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelExportKind {
    /// A ZIP archive of the adapter as `peft` loads it, with the model card.
    Peft,
    /// A ZIP archive of a whole model in Hugging Face layout, in fp32, the adapter added to the base's weights.
    Merged,
    /// The adapter as llama.cpp loads it beside the base.
    Gguf,
}

impl ModelExportKind {
    pub const ALL: [Self; 3] = [Self::Peft, Self::Merged, Self::Gguf];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelExportStatus {
    Queued,
    /// Being written, then compared with the model.
    Running,
    /// The file is there, and its certificate holds.
    Ready,
    /// There is no file; `error` says why.
    Failed,
}

impl ModelExportStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ready | Self::Failed)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelExport {
    pub id: ModelExportId,
    pub model_id: ModelId,
    pub kind: ModelExportKind,
    pub status: ModelExportStatus,
    /// Null until ready.
    pub size_bytes: Option<u64>,
    /// Of the file, hexadecimal; null until ready.
    pub sha256: Option<String>,
    /// Null until it was computed.
    pub certificate: Option<ParityCertificate>,
    /// Why the status is `failed`, and what to do.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// How near the written files come to the base with its adapter. Both continue fixed prompts, always by the likeliest token;
/// the files are read again for it as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParityCertificate {
    pub prompts: u32,
    /// Of all continuations.
    pub tokens: u32,
    /// Tokens that both chose.
    pub equal_tokens: u32,
    /// Between any two logits of the same token; null where one of them was no number.
    pub largest_logit_gap: Option<f64>,
    /// What the gap has to stay within.
    pub bound: f64,
    /// Whether all tokens are equal and the gap stays within its bound. If not, the export fails.
    pub holds: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewModelExport {
    pub kind: ModelExportKind,
}
