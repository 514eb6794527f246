//! Fine-tuning jobs on OpenAI's wire. Unknown members of requests are ignored, as OpenAI does.

use crate::jobs::JobMetadata;
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

const MAX_PAIRS: usize = 16;
const MAX_KEY_CHARS: usize = 64;
const MAX_VALUE_CHARS: usize = 512;

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewFineTuningJob {
    /// A base, by its id in `GET /v1/models` or by its name.
    #[validate(length(min = 1, max = 300, message = "must have 1 to 300 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 300))]
    pub model: String,
    /// The id of a file.
    #[validate(length(min = 1, max = 64, message = "must have 1 to 64 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub training_file: String,
    /// A file to measure the model on; without it, a part of the training file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 64, message = "must have 1 to 64 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub validation_file: Option<String>,
    /// Part of the model's name; without it, the workspace's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 64, message = "must have 1 to 64 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub suffix: Option<String>,
    /// Same seed, file and settings: same model. Default 42.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(max = 2_147_483_647, message = "must be at most 2147483647"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 2_147_483_647))]
    pub seed: Option<u32>,
    /// Up to 16 texts by name; names have up to 64 characters, texts 512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = "metadata_fits"))]
    pub metadata: Option<JobMetadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<NewMethod>,
    /// As those of `method`, which win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperparameters: Option<NewHyperparameters>,
    /// Must be empty or absent: none is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 0))]
    pub integrations: Option<Vec<serde_json::Value>>,
}

fn metadata_fits(metadata: &JobMetadata) -> Result<(), ValidationError> {
    let fits = metadata.len() <= MAX_PAIRS
        && metadata
            .iter()
            .all(|(key, value)| key.chars().count() <= MAX_KEY_CHARS && value.chars().count() <= MAX_VALUE_CHARS);
    if fits {
        return Ok(());
    }
    let message = "must have at most 16 entries, names of at most 64 characters and texts of at most 512";
    Err(ValidationError::new("too_large").with_message(message.into()))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewMethod {
    /// `supervised`, from conversations, or `dpo`, from pairs of answers.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised: Option<NewSupervised>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<NewDpo>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSupervised {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperparameters: Option<NewHyperparameters>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDpo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperparameters: Option<NewHyperparameters>,
}

/// Each is a number or `auto`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewHyperparameters {
    /// 1 to 50; `auto` is 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<Choice>,
    /// 1 to 64; `auto` is 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<Choice>,
    /// Above 0, at most 500, times 0.0002; `auto` is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate_multiplier: Option<Choice>,
    /// Of `dpo` alone: 0.001 to 10; `auto` is 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<Choice>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged, expecting = "must be `auto` or a number")]
pub enum Choice {
    Number(f64),
    /// `auto`
    Word(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FineTuningJob {
    /// `ftjob-` and a UUID.
    pub id: String,
    /// `fine_tuning.job`
    pub object: String,
    /// The id of the base.
    pub model: String,
    /// Unix seconds, as all times here.
    pub created_at: i64,
    pub finished_at: Option<i64>,
    /// Always null.
    pub estimated_finish: Option<i64>,
    /// For chat completions, once it has succeeded.
    pub fine_tuned_model: Option<String>,
    /// The workspace.
    pub organization_id: String,
    pub result_files: Vec<String>,
    pub status: FineTuningStatus,
    pub training_file: String,
    pub validation_file: Option<String>,
    pub hyperparameters: Hyperparameters,
    pub method: Method,
    pub seed: u64,
    pub trained_tokens: Option<u64>,
    pub error: Option<FineTuningError>,
    /// Always empty.
    #[cfg_attr(feature = "openapi", schema(max_items = 0))]
    pub integrations: Vec<serde_json::Value>,
    pub metadata: Option<JobMetadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FineTuningStatus {
    ValidatingFiles,
    /// Or paused: OpenAI's wire has no word for that.
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Method {
    /// `supervised` or `dpo`; the member of that name has the settings.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised: Option<Supervised>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<Dpo>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dpo {
    pub hyperparameters: DpoHyperparameters,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DpoHyperparameters {
    pub n_epochs: u32,
    pub batch_size: u32,
    pub learning_rate_multiplier: f64,
    pub beta: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Supervised {
    pub hyperparameters: Hyperparameters,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hyperparameters {
    pub n_epochs: u32,
    pub batch_size: u32,
    pub learning_rate_multiplier: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FineTuningError {
    pub code: String,
    pub message: String,
    /// `training_file` or `validation_file`, where that is at fault.
    pub param: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FineTuningEvent {
    pub id: String,
    /// `fine_tuning.job.event`
    pub object: String,
    pub created_at: i64,
    /// `info`, `warn` or `error`.
    pub level: String,
    pub message: String,
    /// `message` or `metrics`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The figures of a step, for `metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Figures>,
}

/// What was measured at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    pub step: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_mean_token_accuracy: Option<f64>,
    /// Over all validation rows, so that `full_valid_loss` is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_mean_token_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_valid_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_valid_mean_token_accuracy: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FineTuningCheckpoint {
    pub id: String,
    /// `fine_tuning.job.checkpoint`
    pub object: String,
    pub created_at: i64,
    /// Of the last checkpoint the model's name, with which it answers. What came before it is gone, and its name with it.
    pub fine_tuned_model_checkpoint: String,
    pub fine_tuning_job_id: String,
    pub step_number: u64,
    pub metrics: Figures,
}

/// Where a list goes on. Other parameters are ignored, but for `metadata[...]` of jobs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct WireCursor {
    /// The last id of the stretch before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 100, message = "must have at most 100 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 100))]
    pub after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
