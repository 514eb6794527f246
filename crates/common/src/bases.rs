//! Bases: the models that training starts from.

use crate::ids::BaseId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Base {
    pub id: BaseId,
    pub name: String,
    pub source: BaseSource,
    pub status: BaseStatus,
    /// Why the status is `error`, and what to do.
    pub error: Option<String>,
    /// Null until ready.
    pub architecture: Option<String>,
    pub parameters: Option<u64>,
    pub size_bytes: Option<u64>,
    /// As the base itself states it; null when it states none.
    pub license: Option<String>,
    /// Tokens.
    pub context_length: Option<u64>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BaseSource {
    /// Random weights, always there: for trying the loop, not for answers.
    BuiltIn,
    /// A directory on the server.
    Directory,
    /// Fetched from the model hub.
    Hub,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BaseStatus {
    Downloading,
    Ready,
    Error,
}

/// Exactly one of `directory` and `hub_id`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBase {
    /// Absolute path on the server of a Hugging Face-layout directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 1000, message = "must have 1 to 1000 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub directory: Option<String>,
    /// `owner/name` on the model hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 3, max = 200, message = "must have 3 to 200 characters"))]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 3, max_length = 200, example = "HuggingFaceTB/SmolLM2-135M-Instruct")
    )]
    pub hub_id: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct BaseQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
