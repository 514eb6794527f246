//! Files on OpenAI's wire: a file for fine-tuning is a dataset, a result file the metric points of a job.

use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileObject {
    /// `file-` and a UUID.
    pub id: String,
    /// `file`
    pub object: String,
    pub bytes: u64,
    /// Unix seconds.
    pub created_at: i64,
    pub filename: String,
    pub purpose: FilePurpose,
    pub status: FileStatus,
    /// Why the status is `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_details: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FilePurpose {
    FineTune,
    FineTuneResults,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// Its rows are still being validated.
    Uploaded,
    Processed,
    Error,
}

/// What `DELETE` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    pub id: String,
    /// Of what kind it was: `file` or `model`.
    pub object: String,
    pub deleted: bool,
}

/// A stretch of a list; the next one comes with `after` set to the last id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WireList<T> {
    /// `list`
    pub object: String,
    pub data: Vec<T>,
    /// Empty where the list is.
    pub first_id: String,
    /// Empty where the list is.
    pub last_id: String,
    pub has_more: bool,
}

impl<T> WireList<T> {
    pub fn new(data: Vec<T>, has_more: bool, id: impl Fn(&T) -> &str) -> Self {
        Self {
            object: "list".to_owned(),
            first_id: data.first().map(|item| id(item).to_owned()).unwrap_or_default(),
            last_id: data.last().map(|item| id(item).to_owned()).unwrap_or_default(),
            data,
            has_more,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileOrder {
    Asc,
    #[default]
    Desc,
}

/// Other parameters are ignored.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct FileQuery {
    /// `fine-tune` or `fine-tune-results`; no file has another purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 64, message = "must have at most 64 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 64))]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 64, message = "must have at most 64 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 64))]
    pub after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<FileOrder>,
    /// At most 100 come at once, whatever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10_000, message = "must be 1 to 10000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 10_000))]
    pub limit: Option<u32>,
}

/// The form that creates a file. Other parts are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewFile {
    /// Chat rows, one JSON object a line.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Binary))]
    pub file: Vec<u8>,
    /// `fine-tune`
    pub purpose: String,
}
