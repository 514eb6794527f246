//! Uploaded documents, their text, and the chunks it is cut into.
//!
//! Offsets everywhere count Unicode scalar values from 0 and are half-open.

use crate::ids::{AgentId, ChunkId, DocumentId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

/// At most this many documents of one kind per agent.
pub const MAX_DOCUMENTS_PER_KIND: u64 = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Document {
    pub id: DocumentId,
    pub agent_id: AgentId,
    pub kind: DocumentKind,
    /// The file's name as uploaded.
    pub name: String,
    pub format: DocumentFormat,
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
    pub status: DocumentStatus,
    /// Why the status is `error` or `quarantined`, and what to do.
    pub error: Option<DocumentError>,
    /// What the virus scanner said; null until the file was looked at.
    pub scan: Option<Scan>,
    /// Length of the extracted text; null until ready.
    pub characters: Option<u64>,
    /// Tokens of the extracted text in the encoding `o200k_base`; null until ready.
    pub tokens: Option<u64>,
    /// Null where the format has no pages.
    pub pages: Option<u32>,
    pub chunks: u64,
    /// Examples made from it.
    pub examples: u64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// What the person made: examples come from these.
    WorkProduct,
    /// Mail, chats, dialogues. Stored and searched.
    Communication,
    /// Background to look things up in. Stored and searched.
    Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentFormat {
    Pdf,
    Docx,
    /// Word 97 to 2003.
    Doc,
    Txt,
    Md,
    Csv,
    Json,
    Xml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentStatus {
    Uploaded,
    Processing,
    Ready,
    Error,
    /// The virus scanner found something: the file cannot be read or downloaded.
    Quarantined,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scan {
    Clean,
    Infected,
    /// This server has no scanner.
    NotScanned,
    /// Not scanned: the file is larger than the scanner takes.
    TooLarge,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentError {
    pub code: String,
    pub message: String,
}

/// Part of a document's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentText {
    pub text: String,
    /// Where `text` starts in the whole.
    pub offset: u64,
    /// Length of the whole.
    pub total: u64,
    /// Pages that `text` touches; empty where the format has none.
    pub pages: Vec<DocumentPage>,
    /// The structure of `text`, in order; the first and the last may reach beyond it. What is in none separates them.
    pub blocks: Vec<TextBlock>,
}

/// A piece of text that belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextBlock {
    pub kind: BlockKind,
    /// Of a heading 1 to 6; of a list item how deep it is set in, from 0; 0 for all else.
    pub level: u8,
    pub start: u64,
    pub end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Starts with `#` marks where its level is known.
    Heading,
    Paragraph,
    /// Starts with its bullet or number.
    Item,
    /// Cells separated by `|`.
    Row,
    /// `label: value`.
    Field,
    /// With the lines of marks around it.
    Code,
}

/// Where the words looked for stand in a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentMatch {
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    /// Text around it.
    pub excerpt: String,
    /// Where `excerpt` starts.
    pub excerpt_start: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentPage {
    /// From 1.
    pub number: u32,
    pub start: u64,
    pub end: u64,
}

/// Where a chunk lies, for lists that name it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChunkPlace {
    /// From 0, in its document.
    pub index: u32,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    /// The innermost heading.
    pub heading: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Chunk {
    pub id: ChunkId,
    pub document_id: DocumentId,
    /// From 0.
    pub index: u32,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    /// The heading under which it starts.
    pub heading: Option<String>,
    /// The headings under which it starts, outermost first: the last is `heading`.
    pub headings: Vec<String>,
    /// In the encoding `o200k_base`.
    pub tokens: u32,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct NewDocument {
    pub agent_id: AgentId,
    pub kind: DocumentKind,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DocumentQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DocumentKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DocumentStatus>,
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
pub struct DocumentTextQuery {
    /// First character wanted; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Characters wanted; 20,000 when absent, at most 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100_000, message = "must be 1 to 100000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100_000))]
    pub length: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DocumentSearchQuery {
    /// Capitals and white space do not matter.
    #[validate(length(min = 1, max = 200, message = "must have 1 to 200 characters"))]
    #[cfg_attr(feature = "openapi", param(min_length = 1, max_length = 200))]
    pub q: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// Reads on where the last stretch ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ChunkQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// The upload form: one part named `file`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileForm {
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Binary))]
    pub file: Vec<u8>,
}
