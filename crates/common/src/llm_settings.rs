//! Which language model a workspace uses.

use crate::{llm_calls::CallError, provider_keys::Provider};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LlmProvider {
    /// None: examples, concepts and outlines are taken from the text itself.
    #[default]
    Extractive,
    /// OpenAI, or any server that speaks its API.
    Openai,
    Anthropic,
    AzureOpenai,
}

impl LlmProvider {
    /// The provider whose key is used.
    pub fn key(self) -> Option<Provider> {
        match self {
            Self::Extractive => None,
            Self::Openai => Some(Provider::Openai),
            Self::Anthropic => Some(Provider::Anthropic),
            Self::AzureOpenai => Some(Provider::AzureOpenai),
        }
    }

    /// Where it is reached unless settings say otherwise. Every Azure resource has an address of its own.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Extractive | Self::AzureOpenai => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmSettings {
    pub provider: LlmProvider,
    /// Null: the provider's own.
    pub base_url: Option<String>,
    /// Null with `extractive`. With `azure_openai` the name of a deployment.
    pub model: Option<String>,
    /// Questions that may be under way at once.
    pub parallel_calls: u32,
    /// Whether the workspace has a key of this provider.
    pub has_key: bool,
    /// What the provider said of its rate limits with its last answer.
    pub rate_limits: Option<LlmRateLimits>,
    pub version: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmRateLimits {
    /// The worse of both; `ok` once the windows are over.
    pub level: RateLevel,
    pub requests: Option<RateWindow>,
    pub tokens: Option<RateWindow>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateLevel {
    Ok,
    /// Less than a quarter is left.
    Warning,
    /// Less than a tenth is left.
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateWindow {
    pub limit: u64,
    pub remaining: u64,
    pub resets_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LlmSettingsUpdate {
    pub provider: LlmProvider,
    /// Needed by `azure_openai`; absent: the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 500, message = "must have 1 to 500 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
    pub base_url: Option<String>,
    /// Needed by all but `extractive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(min = 1, max = 200, message = "must have 1 to 200 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub model: Option<String>,
    /// Absent: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 32, message = "must be 1 to 32"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 32))]
    pub parallel_calls: Option<u32>,
}

pub const DEFAULT_PARALLEL_CALLS: u32 = 4;

/// How a small question went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmTest {
    pub ok: bool,
    /// The model that answered, by its provider's name.
    pub model: Option<String>,
    pub latency_ms: u64,
    /// What was wrong, unless `ok`.
    pub error: Option<CallError>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmModels {
    /// By name. Azure lists no deployments.
    pub models: Vec<String>,
    /// Why they could not be listed.
    pub error: Option<CallError>,
}

impl RateWindow {
    pub fn level(&self, now: DateTime<Utc>) -> RateLevel {
        if now >= self.resets_at || self.limit == 0 {
            return RateLevel::Ok;
        }
        match self.remaining.saturating_mul(100) / self.limit {
            0..10 => RateLevel::Critical,
            10..25 => RateLevel::Warning,
            _ => RateLevel::Ok,
        }
    }
}
