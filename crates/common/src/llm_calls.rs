//! Questions that were put to a language model: every attempt, what it cost, how it ended.

use crate::{
    ids::{DocumentId, LlmCallId},
    llm_settings::LlmProvider,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Examples from a stretch of a document.
    Example,
    /// What a model thinks of an example, or of two models' answers.
    Judge,
    Concepts,
    Diagram,
    /// A diagram that did not parse, with the parser's message.
    Repair,
    /// A test of the settings.
    Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    InFlight,
    Answered,
    Failed,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The provider failed, or answered with something unusable. Another attempt may do better.
    Transient,
    RateLimit,
    Authentication,
    /// The same question would fail again.
    Permanent,
    /// The provider could not be reached, or the connection broke.
    Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Passes by itself.
    Warning,
    /// This question failed for good.
    Error,
    /// Every question fails until a person does something.
    Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallError {
    pub category: Category,
    pub severity: Severity,
    pub message: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmCall {
    pub id: LlmCallId,
    pub purpose: Purpose,
    /// What it was asked for: a batch's item, a document, a diagram, a comparison.
    pub subject_id: Uuid,
    /// Whose text the question held.
    pub document_id: Option<DocumentId>,
    pub provider: LlmProvider,
    pub model: String,
    pub outcome: CallOutcome,
    pub error: Option<CallError>,
    /// Of all attempts.
    pub usage: Usage,
    /// In millionths of a US dollar; null where the model has no price.
    pub cost_micros: Option<i64>,
    /// From the first attempt to the end of the last, waits included.
    pub latency_ms: Option<u64>,
    /// An attempt may have been paid without its answer reaching the server.
    pub maybe_paid_twice: bool,
    /// In their order.
    pub attempts: Vec<LlmAttempt>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmAttempt {
    pub at: DateTime<Utc>,
    pub outcome: CallOutcome,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    pub error: Option<CallError>,
    pub usage: Usage,
    pub latency_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LlmCallQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<CallOutcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// What a model did on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LlmUsage {
    /// In UTC.
    pub day: NaiveDate,
    pub provider: LlmProvider,
    pub model: String,
    pub calls: u64,
    pub failed: u64,
    pub maybe_paid_twice: u64,
    pub usage: Usage,
    /// Of the calls that have a price, in millionths of a US dollar.
    pub cost_micros: i64,
    /// Calls without a price.
    pub unpriced: u64,
    /// The median of the answered ones.
    pub p50_latency_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LlmUsageQuery {
    /// The first day, in UTC; absent: 29 days before the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day, in UTC; absent: today. At most 366 days are read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}
