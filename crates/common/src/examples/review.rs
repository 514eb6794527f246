//! Which examples are meant, who reviews them, and how far the review is.

use super::{Example, ExampleOrigin, ExampleStatus, Grounding};
use crate::ids::{AgentId, BatchId, DocumentId, ExampleId, UserId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

/// Which examples are meant; what is absent does not count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleFilter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<DocumentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<BatchId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ExampleStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounding: Option<Grounding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ExampleOrigin>,
    /// The lowest score that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(max = 100, message = "must be 0 to 100"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub min_score: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(max = 100, message = "must be 0 to 100"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub max_score: Option<u8>,
    /// True: those that say nearly the same as others. False: without further copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<bool>,
    /// Those that say nearly the same as this one: the group whose first it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<ExampleId>,
    /// Words in a row in the prompt, reasoning or response, in upper or lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub search: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExampleSort {
    /// Newest first, the examples of one document in the order of its text.
    #[default]
    Newest,
    /// Lowest score first.
    ScoreUp,
    /// Highest score first.
    ScoreDown,
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident, $limit:tt, $message:tt;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
        #[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
        #[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
            pub agent_id: Option<AgentId>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "openapi", param(value_type = Option<DocumentId>))]
            pub document_id: Option<DocumentId>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "openapi", param(value_type = Option<BatchId>))]
            pub batch_id: Option<BatchId>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub status: Option<ExampleStatus>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub grounding: Option<Grounding>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub origin: Option<ExampleOrigin>,
            /// The lowest score that counts.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[validate(range(max = 100, message = "must be 0 to 100"))]
            #[cfg_attr(feature = "openapi", param(minimum = 0, maximum = 100))]
            pub min_score: Option<u8>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[validate(range(max = 100, message = "must be 0 to 100"))]
            #[cfg_attr(feature = "openapi", param(minimum = 0, maximum = 100))]
            pub max_score: Option<u8>,
            /// True: those that say nearly the same as others. False: without further copies.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub duplicates: Option<bool>,
            /// Those that say nearly the same as this one: the group whose first it is.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "openapi", param(value_type = Option<ExampleId>))]
            pub duplicate_of: Option<ExampleId>,
            /// Words in a row in the prompt, reasoning or response, in upper or lower case.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[validate(length(max = 200, message = "must have at most 200 characters"))]
            #[cfg_attr(feature = "openapi", param(max_length = 200))]
            pub search: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub sort: Option<ExampleSort>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[validate(length(max = 200, message = "must have at most 200 characters"))]
            #[cfg_attr(feature = "openapi", param(max_length = 200))]
            pub cursor: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[validate(range(min = 1, max = $limit, message = $message))]
            #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = $limit))]
            pub limit: Option<u32>,
        }

        impl $name {
            pub fn filter(&self) -> ExampleFilter {
                ExampleFilter {
                    document_id: self.document_id,
                    batch_id: self.batch_id,
                    status: self.status,
                    grounding: self.grounding,
                    origin: self.origin,
                    min_score: self.min_score,
                    max_score: self.max_score,
                    duplicates: self.duplicates,
                    duplicate_of: self.duplicate_of,
                    search: self.search.clone(),
                }
            }

            /// The query for what a filter means.
            pub fn of_filter(agent_id: AgentId, filter: ExampleFilter, sort: ExampleSort) -> Self {
                Self {
                    agent_id: Some(agent_id),
                    document_id: filter.document_id,
                    batch_id: filter.batch_id,
                    status: filter.status,
                    grounding: filter.grounding,
                    origin: filter.origin,
                    min_score: filter.min_score,
                    max_score: filter.max_score,
                    duplicates: filter.duplicates,
                    duplicate_of: filter.duplicate_of,
                    search: filter.search,
                    sort: Some(sort),
                    cursor: None,
                    limit: None,
                }
            }
        }
    )+};
}

// `serde(flatten)` breaks numbers in queries, so each spells its fields.
queries!(
    ExampleQuery, 100, "must be 1 to 100";
    ExampleOutlineQuery, 2000, "must be 1 to 2000";
);

/// An example as a long list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleLine {
    pub id: ExampleId,
    /// The first 160 characters.
    pub prompt: String,
    pub status: ExampleStatus,
    pub origin: ExampleOrigin,
    pub grounding: Grounding,
    pub score: u8,
    pub edited: bool,
    pub duplicate_of: Option<ExampleId>,
    pub version: i64,
}

impl From<&Example> for ExampleLine {
    fn from(example: &Example) -> Self {
        Self {
            id: example.id,
            prompt: example.prompt.chars().take(160).collect(),
            status: example.status,
            origin: example.origin,
            grounding: example.grounding,
            score: example.score,
            edited: example.edited,
            duplicate_of: example.duplicate_of,
            version: example.version,
        }
    }
}

/// Who reviews an example just now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleHold {
    pub user_id: UserId,
    pub name: String,
    pub until: DateTime<Utc>,
}

/// Reserves pending examples for whoever asks, so that nobody else reviews the same ones.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleClaim {
    pub agent_id: AgentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub filter: Option<ExampleFilter>,
    /// Only some of these; null or absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 50, message = "must have 1 to 50 ids"))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<ExampleId>>, min_items = 1, max_items = 50))]
    pub ids: Option<Vec<ExampleId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<ExampleSort>,
    /// How many at most.
    #[validate(range(min = 1, max = 50, message = "must be 1 to 50"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 50))]
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimedExamples {
    /// In the order asked for; fewer than asked for where others hold them or there are no more.
    pub items: Vec<Example>,
    /// Claim again before then to keep them.
    pub until: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleRelease {
    pub agent_id: AgentId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleJudgement {
    pub status: ExampleStatus,
}

/// What an example is divided into. It becomes the first part; the others are new, pending, and keep its source.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleSplit {
    #[validate(length(min = 2, max = 10, message = "must have 2 to 10 parts"), nested)]
    #[cfg_attr(feature = "openapi", schema(min_items = 2, max_items = 10))]
    pub parts: Vec<ExamplePart>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExamplePart {
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SplitExamples {
    /// The changed example first, then the new ones.
    pub items: Vec<Example>,
}

/// Checks the quotations of a document's examples against its stored text.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExampleVerification {
    pub document_id: DocumentId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifiedExamples {
    /// Examples that quote the document.
    pub checked: u64,
    pub grounded: u64,
    /// Those whose mark was wrong, and was set right.
    pub changed: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ExampleSummaryQuery {
    #[cfg_attr(feature = "openapi", param(value_type = AgentId))]
    pub agent_id: AgentId,
}

/// How far the review of an agent's examples is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleSummary {
    pub total: u64,
    pub pending: u64,
    pub approved: u64,
    pub rejected: u64,
    pub grounded: u64,
    pub ungrounded: u64,
    /// They quote nothing.
    pub unquoted: u64,
    /// Further copies of others.
    pub duplicates: u64,
    /// Of the pending ones.
    pub scores: Vec<ScoreBand>,
    pub reviewed_last_hour: u64,
    /// Most in the last hour first, at most 50.
    pub reviewers: Vec<ExampleReviewer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScoreBand {
    pub min: u8,
    pub max: u8,
    pub examples: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleReviewer {
    pub user_id: UserId,
    pub name: String,
    /// Examples whose status this person set last.
    pub reviewed: u64,
    pub reviewed_last_hour: u64,
    /// Reserved for this person now.
    pub held: u64,
}
