//! Agents: what a person makes from documents. On screen an agent is called an assistant.

use crate::ids::{AgentId, JobId, ModelId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    pub id: AgentId,
    pub name: String,
    pub description: String,
    /// A projection of `wizard_step`, `training` with its stage, and `serving`.
    pub status: AgentStatus,
    /// The wizard step to come back to: 0 before the first one, then 1 to 5.
    pub wizard_step: u8,
    pub training: TrainingState,
    pub serving: ServingState,
    /// The model that answers, once one is served.
    pub model_id: Option<ModelId>,
    /// What computes its answers.
    pub host: Host,
    /// The newest training job.
    pub job_id: Option<JobId>,
    pub documents: AgentDocuments,
    pub examples: AgentExamples,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Also in the `ETag` header; send it back in `If-Match`.
    pub version: i64,
}

/// Documents of an agent by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentDocuments {
    pub work_products: u64,
    pub communications: u64,
    pub references: u64,
}

/// Examples of an agent by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentExamples {
    pub pending: u64,
    pub approved: u64,
    pub rejected: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrainingState {
    Idle,
    Queued,
    Running,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServingState {
    Offline,
    Live,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// This server's own engine.
    #[default]
    Embedded,
    /// The vLLM server that the operator has set up.
    Vllm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    Draft,
    Step1WorkProducts,
    Step2Qa,
    Step3Communications,
    Step4References,
    Step5Training,
    Stage1Training,
    Stage2Training,
    Stage3Training,
    Stage4Training,
    Stage5Personalization,
    Deploying,
    Ready,
    Failed,
}

impl AgentStatus {
    pub const ALL: [AgentStatus; 14] = [
        Self::Draft,
        Self::Step1WorkProducts,
        Self::Step2Qa,
        Self::Step3Communications,
        Self::Step4References,
        Self::Step5Training,
        Self::Stage1Training,
        Self::Stage2Training,
        Self::Stage3Training,
        Self::Stage4Training,
        Self::Stage5Personalization,
        Self::Deploying,
        Self::Ready,
        Self::Failed,
    ];

    /// The one status that stands for the three states kept apart. A live agent stays ready while it is edited or
    /// trained again. `stage` is that of the newest job: 5 for one on approved examples alone.
    pub fn project(wizard_step: u8, training: TrainingState, stage: u8, serving: ServingState) -> Self {
        match (serving, training) {
            (ServingState::Live, _) => Self::Ready,
            (ServingState::Offline, TrainingState::Queued | TrainingState::Running) => match stage {
                1 => Self::Stage1Training,
                2 => Self::Stage2Training,
                3 => Self::Stage3Training,
                4 => Self::Stage4Training,
                _ => Self::Stage5Personalization,
            },
            (ServingState::Offline, TrainingState::Failed) => Self::Failed,
            (ServingState::Offline, TrainingState::Idle) => match wizard_step {
                0 => Self::Draft,
                1 => Self::Step1WorkProducts,
                2 => Self::Step2Qa,
                3 => Self::Step3Communications,
                4 => Self::Step4References,
                _ => Self::Step5Training,
            },
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: String,
    #[serde(default)]
    #[validate(length(max = 2000, message = "must have at most 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub description: String,
}

/// Absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2000, message = "must have at most 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub description: Option<String>,
    /// 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 5, message = "must be 1 to 5"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 5))]
    pub wizard_step: Option<u8>,
    /// The model that answers; null takes the agent offline.
    #[serde(
        default,
        with = "::serde_with::rust::double_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ModelId>))]
    pub model_id: Option<Option<ModelId>>,
    /// What computes the answers; `vllm` where the server has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentSort {
    #[default]
    Newest,
    Oldest,
    Name,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AgentQuery {
    /// Part of the name, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 120, message = "must have at most 120 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 120))]
    pub search: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AgentStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<AgentSort>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
