//! Diagrams in Mermaid: drawn from a concept, a text or a document, or written by a person.

use crate::{
    concepts::{ConceptOrigin, Level},
    ids::{ConceptId, DiagramId, DocumentId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

pub const MAX_SOURCE: usize = 20_000;
/// How many concepts of a document are drawn at once, the most important first.
pub const MAX_DRAWN: u64 = 30;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagram {
    pub id: DiagramId,
    /// Unique in the workspace.
    pub slug: String,
    pub title: String,
    pub domain: String,
    pub level: Level,
    pub tags: Vec<String>,
    pub format: DiagramFormat,
    /// What it is drawn from; empty until it is drawn.
    pub source: String,
    pub summary: String,
    pub notes: String,
    pub status: DiagramStatus,
    /// Why it could not be drawn.
    pub error: Option<DiagramError>,
    pub origin: ConceptOrigin,
    /// Which language model drew it; null where none did.
    pub model: Option<String>,
    /// The document that it was drawn from.
    pub document_id: Option<DocumentId>,
    /// The concept that it was drawn from.
    pub concept_id: Option<ConceptId>,
    /// Whether a link shows it to everybody.
    pub shared: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Also in the `ETag` header; send it back in `If-Match`.
    pub version: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiagramFormat {
    Mermaid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiagramStatus {
    Drawing,
    Ready,
    Failed,
}

impl DiagramStatus {
    pub const ALL: [Self; 3] = [Self::Drawing, Self::Ready, Self::Failed];
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiagramError {
    pub severity: Severity,
    /// What was wrong and what to do.
    pub message: String,
}

/// How much a failure matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing works until somebody acts.
    Critical,
    /// This will fail again as it is.
    High,
    /// It may work when it is tried again.
    Medium,
    Low,
}

/// A diagram that a person writes.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDiagram {
    #[validate(
        length(max = 200, message = "must have at most 200 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub title: String,
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub source: String,
    #[serde(default)]
    #[validate(length(max = 80, message = "must have at most 80 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 80))]
    pub domain: String,
    pub level: Level,
    #[serde(default)]
    #[validate(
        length(max = 20, message = "must have at most 20 items"),
        custom(function = "short_tags")
    )]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub tags: Vec<String>,
    #[serde(default)]
    #[validate(length(max = 2000, message = "must have at most 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub summary: String,
    #[serde(default)]
    #[validate(length(max = 10_000, message = "must have at most 10000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 10_000))]
    pub notes: String,
    /// The document that it belongs to: it goes when that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DocumentId>))]
    pub document_id: Option<DocumentId>,
}

/// Absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DiagramPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 200, message = "must have at most 200 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub source: Option<String>,
    /// Small letters, digits and single hyphens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = "is_slug"))]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 80, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")
    )]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 80, message = "must have at most 80 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 80))]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 20, message = "must have at most 20 items"),
        custom(function = "short_tags")
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>, max_items = 20))]
    pub tags: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2000, message = "must have at most 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 10_000, message = "must have at most 10000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 10_000))]
    pub notes: Option<String>,
}

/// What to draw.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DrawRequest {
    pub from: DrawFrom,
    /// For `concept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ConceptId>))]
    pub concept_id: Option<ConceptId>,
    /// For `document` and `concepts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DocumentId>))]
    pub document_id: Option<DocumentId>,
    /// For `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 20_000, message = "must have at most 20000 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 20_000))]
    pub text: Option<String>,
    /// For `text`; else the name of what is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 200, message = "must have at most 200 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub title: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DrawFrom {
    /// What one concept has to do with the others of its document.
    Concept,
    /// A text of your own.
    Text,
    /// The outline of a document.
    Document,
    /// Each concept of a document, the 30 most important.
    Concepts,
}

/// Diagrams that are being drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drawing {
    pub ids: Vec<DiagramId>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DiagramSource {
    #[validate(length(max = 20_000, message = "must have at most 20000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 20_000))]
    pub source: String,
}

/// What the parser says of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiagramCheck {
    pub ok: bool,
    /// Such as `flowchart-v2`.
    pub diagram_type: Option<String>,
    /// From 1, where the parser knows it.
    pub line: Option<u32>,
    /// In characters, from 1.
    pub column: Option<u32>,
    pub message: Option<String>,
}

/// A link that shows a diagram to everybody who has it. It is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiagramShare {
    pub link: String,
}

/// What a link shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SharedDiagram {
    pub title: String,
    pub summary: String,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct PictureQuery {
    /// To save it under its name instead of showing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<bool>,
    /// Counts for nothing: an address with another version is fetched anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// For pictures in pages, which cannot send `X-Workspace-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<crate::ids::WorkspaceId>))]
    pub workspace_id: Option<crate::ids::WorkspaceId>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DiagramQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<DocumentId>))]
    pub document_id: Option<DocumentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<ConceptId>))]
    pub concept_id: Option<ConceptId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DiagramStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 80, message = "must have at most 80 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 80))]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 40, message = "must have at most 40 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 40))]
    pub tag: Option<String>,
    /// Words of the title, the summary, the notes or the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub search: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

fn short_tags(tags: &[String]) -> Result<(), validator::ValidationError> {
    let fits = |tag: &String| !tag.trim().is_empty() && tag.chars().count() <= 40;
    if tags.iter().all(fits) {
        return Ok(());
    }
    Err(validator::ValidationError::new("length").with_message("must have 1 to 40 characters each".into()))
}

fn is_slug(slug: &str) -> Result<(), validator::ValidationError> {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if slug.len() <= 80 && slug.split('-').all(plain) {
        return Ok(());
    }
    let message = "must be 1 to 80 small letters, digits and single hyphens";
    Err(validator::ValidationError::new("slug").with_message(message.into()))
}
