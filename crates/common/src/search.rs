//! Full-text search over the documents of an agent.

use crate::ids::{AgentId, ChunkId, DocumentId};
use serde::{Deserialize, Serialize};
use validator::Validate;

/// A passage that matches a question, as it stands at `[start, end)` of the document's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Passage {
    pub document_id: DocumentId,
    pub document_name: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    pub heading: Option<String>,
    pub quote: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResult {
    /// Best match first.
    pub passages: Vec<Passage>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// Words to look for, in any order; any of them may match.
    #[validate(length(min = 1, max = 1000, message = "must have 1 to 1000 characters"))]
    #[cfg_attr(feature = "openapi", param(min_length = 1, max_length = 1000))]
    pub q: String,
    /// Null searches the whole workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    /// 5 when absent, at most 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 20, message = "must be 1 to 20"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 20))]
    pub limit: Option<u32>,
}
