//! Models: the adapters that training made.

use crate::{
    agents::Agent,
    bases::Base,
    datasets::Dataset,
    ids::{AgentId, BaseId, DatasetId, JobId, ModelId},
    jobs::Job,
    model_exports::ModelExport,
};
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
    pub quality: Quality,
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

/// How well a model does, of figures that training measured on rows it did not learn from.
///
/// `stars` are 1 + 4 times the mean of the three parts, rounded; 1 where the loss did not fall below the base's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quality {
    /// 1 to 5; null where a part is missing.
    pub stars: Option<u8>,
    /// 0 to 1: how much of the base's validation loss is gone; 1 when half of it is.
    pub loss: Option<f64>,
    /// 0 to 1: the share of held-out tokens that are the model's first choice.
    pub token_accuracy: Option<f64>,
    /// 0 to 1: the share of the words of held-out answers that the model's own answers have.
    pub generation: Option<f64>,
    /// Why there are no stars.
    pub missing: Option<String>,
}

impl Quality {
    /// Of the validation losses before and after training, the token accuracy, and the overlap of generated answers.
    pub fn of(losses: Option<(f64, f64)>, token_accuracy: Option<f64>, generation: Option<f64>) -> Self {
        let losses = losses.filter(|(before, after)| *before > 0.0 && after.is_finite());
        let loss = losses.map(|(before, after)| (2.0 * (1.0 - after / before)).clamp(0.0, 1.0));
        let missing = match (loss, token_accuracy, generation) {
            (None, ..) => Some("No rows were kept apart from training to measure it on."),
            (_, None, _) => Some("Its token accuracy was not measured."),
            (_, _, None) => Some("Its answers to held-out rows were not checked: that takes conversations."),
            _ => None,
        };
        let stars = loss
            .zip(token_accuracy)
            .zip(generation)
            .map(|((loss, accuracy), generation)| {
                if loss == 0.0 {
                    return 1;
                }
                let mean = (loss + accuracy + generation) / 3.0;
                1 + (4.0 * mean.clamp(0.0, 1.0)).round() as u8
            });
        Self {
            stars,
            loss,
            token_accuracy,
            generation,
            missing: missing.map(str::to_owned),
        }
    }
}

/// What a model comes from, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lineage {
    /// Null where it was deleted.
    pub dataset: Option<Dataset>,
    /// Null where a part of the dataset was kept apart.
    pub validation_dataset: Option<Dataset>,
    pub base: Base,
    pub job: Job,
    pub model: Model,
    /// The models that it went on from, nearest first; a deleted one ends them.
    pub earlier: Vec<Model>,
    /// Models that went on from it directly, oldest first, at most 100.
    pub later: Vec<Model>,
    /// Agents that answer with the model.
    pub agents: Vec<Agent>,
    pub exports: Vec<ModelExport>,
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

#[cfg(test)]
mod tests {
    use super::Quality;

    #[test]
    fn stars_follow_from_three_parts() {
        let stars =
            |before, after, accuracy, overlap| Quality::of(Some((before, after)), Some(accuracy), Some(overlap)).stars;
        assert_eq!(stars(4.0, 2.0, 1.0, 1.0), Some(5));
        assert_eq!(stars(4.0, 1.0, 1.0, 1.0), Some(5));
        assert_eq!(stars(4.0, 3.0, 0.5, 0.5), Some(3));
        assert_eq!(stars(4.0, 4.0, 0.9, 0.9), Some(1));
        assert_eq!(stars(4.0, 5.0, 0.9, 0.9), Some(1));
        assert_eq!(stars(4.0, 3.9, 0.0, 0.0), Some(1));
        let without = Quality::of(None, Some(0.5), Some(0.5));
        assert!(without.stars.is_none() && without.missing.is_some());
        let unchecked = Quality::of(Some((4.0, 2.0)), Some(0.5), None);
        assert_eq!((unchecked.stars, unchecked.loss), (None, Some(1.0)));
        assert!(unchecked.missing.is_some());
    }
}
