//! Models: the adapters that training made.

use crate::ids::{AgentId, BaseId, DatasetId, JobId, ModelId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Model {
    pub id: ModelId,
    pub name: String,
    pub agent_id: Option<AgentId>,
    pub job_id: JobId,
    pub dataset_id: DatasetId,
    pub dataset_name: String,
    pub base_id: BaseId,
    pub base_name: String,
    pub seed: u64,
    pub steps: u64,
    pub train_loss: f64,
    /// Of the base before training; null without validation rows.
    pub initial_validation_loss: Option<f64>,
    pub validation_loss: Option<f64>,
    /// Size of the adapter archive.
    pub size_bytes: u64,
    /// Of `adapter_model.safetensors`, hexadecimal.
    pub sha256: String,
    /// When something that it learned from was deleted: since then it answers no more.
    pub source_deleted_at: Option<DateTime<Utc>>,
    /// The agent that it answers for now.
    pub serving: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ModelQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
