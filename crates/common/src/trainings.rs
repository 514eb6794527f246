//! The training of an agent: five stages in order, each a job that goes on from the adapter of the one before.

use crate::{
    ids::{AgentId, BaseId, DatasetId, TrainingId},
    jobs::{Job, JobParameters},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Training {
    pub id: TrainingId,
    pub agent_id: AgentId,
    pub base_id: BaseId,
    pub base_name: String,
    /// Of all its jobs.
    pub parameters: JobParameters,
    pub status: TrainingStatus,
    /// All five, in order.
    #[cfg_attr(feature = "openapi", schema(min_items = 5, max_items = 5))]
    pub stages: Vec<TrainingStage>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrainingStatus {
    /// A stage is queued or running.
    Running,
    /// A stage is paused, has failed or was cancelled. Its job resumed or tried again, the training goes on.
    Halted,
    Succeeded,
    /// It was cancelled as a whole, or another one took its place.
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrainingStage {
    pub kind: StageKind,
    pub status: StageStatus,
    /// Why it is skipped or waits, and what to do.
    pub reason: Option<String>,
    /// What it learns from; null where it is skipped, and once that is gone.
    pub dataset_id: Option<DatasetId>,
    /// Of the dataset.
    pub rows: u64,
    /// Of its documents' text, beyond what a stage takes.
    pub left_out_characters: u64,
    /// Null until the stage before it has ended.
    pub job: Option<Job>,
    /// From its start to its end or now, pauses included: millionths of a US dollar; null where the operator has set no
    /// price.
    pub cost_micros: Option<i64>,
}

/// What a stage is for, in the order of the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// I: the text of all documents.
    Foundation,
    /// II: the text of communications.
    Communications,
    /// III: the text of work products.
    WorkProducts,
    /// IV: instructions that come with the product.
    Instructions,
    /// V: approved examples.
    Personalization,
}

impl StageKind {
    pub const ALL: [Self; 5] = [
        Self::Foundation,
        Self::Communications,
        Self::WorkProducts,
        Self::Instructions,
        Self::Personalization,
    ];

    /// From 1.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The stage of a number from 1 to 5.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    pub const fn numeral(self) -> &'static str {
        ["I", "II", "III", "IV", "V"][self as usize]
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Foundation => "Foundation",
            Self::Communications => "Communications",
            Self::WorkProducts => "Work products",
            Self::Instructions => "Instructions",
            Self::Personalization => "Personalization",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// There is nothing to learn from.
    Skipped,
    /// For the stages before it.
    Waiting,
    Queued,
    Running,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

/// Why a stage is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// There was nothing of its kind.
    Nothing,
    /// What it was to learn from was deleted meanwhile.
    Deleted,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTraining {
    pub base_id: BaseId,
    /// Of all stages. `method` must be `auto`: it follows from what a stage learns from.
    #[serde(default)]
    #[validate(nested)]
    pub parameters: JobParameters,
}
