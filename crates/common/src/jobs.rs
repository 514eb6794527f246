//! Training jobs: LoRA fine-tuning of a base on a dataset.

use crate::ids::{AgentId, BaseId, DatasetId, JobId, ModelId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use validator::Validate;

/// Up to 16 texts that a caller gave a job, by name.
pub type JobMetadata = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    pub id: JobId,
    /// The agent that gets the model once it is trained.
    pub agent_id: Option<AgentId>,
    /// Which stage of the agent's training it is, 1 to 5; null for a job on its own.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 5))]
    pub stage: Option<u8>,
    pub dataset_id: DatasetId,
    pub dataset_name: String,
    /// What it is measured on, instead of a part of the dataset.
    pub validation_dataset_id: Option<DatasetId>,
    pub base_id: BaseId,
    pub base_name: String,
    /// The model whose adapter it goes on from; null for a fresh adapter, and once that model is deleted.
    pub initial_model_id: Option<ModelId>,
    pub parameters: JobParameters,
    pub status: JobStatus,
    /// Jobs that run before this one, of all workspaces; null unless queued.
    pub queue_position: Option<u64>,
    /// What the trainer counted; null until it has started.
    pub plan: Option<JobPlan>,
    /// Optimizer steps done.
    pub step: u64,
    pub train_loss: Option<f64>,
    pub validation_loss: Option<f64>,
    /// Why the status is `failed`, and what to do.
    pub failure: Option<JobFailure>,
    pub model_id: Option<ModelId>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Queued,
    Running,
    /// A person stopped it for a while. It has written a checkpoint, and goes on from there once it is resumed.
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPlan {
    /// How is learned; it follows from what the rows are.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(inline, required = true))]
    pub method: TrainingMethod,
    pub total_steps: u64,
    pub train_rows: u64,
    pub validation_rows: u64,
    /// Tokens of the training rows, once; of a pair of answers, those of both with the prompt before each.
    pub train_tokens: u64,
    /// Those that the loss is taken on.
    pub trainable_tokens: u64,
    pub truncated_rows: u64,
    pub dropped_rows: u64,
    /// LoRA parameters.
    pub trainable_parameters: u64,
    /// What the base's matrices are kept and multiplied in.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(inline, required = true))]
    pub precision: Precision,
    /// What computes it: the processor, and the instructions that products of bf16 take. Prices go by it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub device: String,
}

/// What a job would do. The counts are those that its `plan` will have; memory and time are estimates for this server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobEstimate {
    pub plan: JobPlan,
    /// Usable rows that are, token for token, like an earlier one.
    pub duplicate_rows: u64,
    /// Of usable rows, once cut.
    pub longest_row_tokens: u64,
    /// Resident memory at its peak.
    pub memory_bytes: u64,
    /// What the server has left now; null where it cannot tell.
    pub available_bytes: Option<u64>,
    /// Whether layers are computed again in the backward pass.
    pub recomputes: bool,
    /// Whether the one fits into the other.
    pub fits: bool,
    /// With these it would, where it does not; null where nothing smaller helps.
    pub fitting: Option<FittingParameters>,
    pub duration_s: u64,
    /// Millionths of a US dollar; null where the operator has set no price.
    pub cost_micros: Option<i64>,
}

/// The parameters that memory depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FittingParameters {
    pub batch_size: u32,
    pub gradient_accumulation_steps: u32,
    pub max_seq_length: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobFailure {
    pub code: String,
    pub message: String,
    pub remedy: String,
}

/// Absent fields take their default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct JobParameters {
    /// How is learned. `auto` follows from the dataset: `supervised` from conversations, `dpo` from pairs of a better and a worse
    /// answer. Naming one refuses a dataset of the other kind.
    #[cfg_attr(feature = "openapi", schema(inline, default = "auto"))]
    pub method: MethodChoice,
    /// Of DPO alone: how closely the model stays to where it starts. More holds it tighter.
    #[validate(range(min = 0.001, max = 10.0, message = "must be 0.001 to 10"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0.001, maximum = 10, default = 0.1))]
    pub beta: f64,
    /// LoRA rank: how much the adapter can learn.
    #[validate(range(min = 1, max = 256, message = "must be 1 to 256"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 256, default = 16))]
    pub rank: u32,
    /// LoRA alpha; the adapter is scaled by alpha / rank, or as `rank_stabilized` has it.
    #[validate(range(min = 1, max = 1024, message = "must be 1 to 1024"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024, default = 32))]
    pub alpha: u32,
    /// Scales the adapter by alpha / √rank instead (rsLoRA), so that a higher rank does not weaken it.
    #[cfg_attr(feature = "openapi", schema(default = false))]
    pub rank_stabilized: bool,
    /// The linear maps of each layer that get an adapter; all seven unless given.
    #[validate(length(min = 1, max = 7, message = "must name at least one module"))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 7))]
    pub target_modules: BTreeSet<TargetModule>,
    #[validate(range(min = 0.0, max = 0.5, message = "must be 0 to 0.5"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 0.5, default = 0))]
    pub dropout: f64,
    /// What the rate reaches after its linear warm-up; then it follows `schedule`.
    #[validate(range(min = 1e-7, max = 0.1, message = "must be 0.0000001 to 0.1"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1e-7, maximum = 0.1, default = 0.0002))]
    pub learning_rate: f64,
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100, default = 3))]
    pub epochs: u32,
    /// Rows per forward pass.
    #[validate(range(min = 1, max = 64, message = "must be 1 to 64"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 64, default = 4))]
    pub batch_size: u32,
    /// Forward passes per optimizer step.
    #[validate(range(min = 1, max = 256, message = "must be 1 to 256"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 256, default = 1))]
    pub gradient_accumulation_steps: u32,
    /// Longer rows are cut off here, in tokens.
    #[validate(range(min = 16, max = 8192, message = "must be 16 to 8192"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 16, maximum = 8192, default = 1024))]
    pub max_seq_length: u32,
    /// Part of all steps during which the learning rate rises.
    #[validate(range(min = 0.0, max = 0.5, message = "must be 0 to 0.5"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 0.5, default = 0.05))]
    pub warmup_ratio: f64,
    /// What the learning rate does after its warm-up.
    #[cfg_attr(feature = "openapi", schema(inline, default = "cosine"))]
    pub schedule: RateSchedule,
    #[validate(range(min = 0.0, max = 1.0, message = "must be 0 to 1"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1, default = 0))]
    pub weight_decay: f64,
    /// Gradients are scaled down to this norm.
    #[validate(range(min = 0.01, max = 100.0, message = "must be 0.01 to 100"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0.01, maximum = 100, default = 1))]
    pub max_grad_norm: f64,
    /// Evaluations in a row without a lower validation loss after which training stops; the model is then the adapter of
    /// the best evaluation. There is one after every epoch. Null trains all epochs and takes the last adapter.
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100))]
    pub early_stopping_patience: Option<u32>,
    /// What the base's matrices are kept and multiplied in; sums and the adapter are fp32 either way. `auto` takes bf16, half
    /// the memory, where the base is stored in bf16 or fp16 and the processor multiplies it, else fp32.
    #[cfg_attr(feature = "openapi", schema(inline, default = "auto"))]
    pub precision: PrecisionChoice,
    /// How the base's linear maps are kept while training. `nf4` takes four bits a value (QLoRA: NF4 in blocks of 64 with
    /// their largest magnitudes in fp32) and unpacks them for each product. The adapter is served on the base as it is.
    #[cfg_attr(feature = "openapi", schema(inline, default = "none"))]
    pub quantization: Quantization,
    /// Whether layers are computed again in the backward pass instead of kept until then: slower, with a fraction of the
    /// memory, and the same adapter. `auto` does it where memory is short.
    #[cfg_attr(feature = "openapi", schema(inline, default = "auto"))]
    pub gradient_checkpointing: GradientCheckpointing,
    /// Same seed, data and settings: same adapter, byte for byte.
    #[validate(range(max = 9_007_199_254_740_991_u64, message = "must be at most 9007199254740991"))]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, default = 42)
    )]
    pub seed: u64,
}

impl Default for JobParameters {
    fn default() -> Self {
        Self {
            method: MethodChoice::Auto,
            beta: 0.1,
            rank: 16,
            alpha: 32,
            rank_stabilized: false,
            target_modules: TargetModule::ALL.into_iter().collect(),
            dropout: 0.0,
            learning_rate: 2e-4,
            epochs: 3,
            batch_size: 4,
            gradient_accumulation_steps: 1,
            max_seq_length: 1024,
            warmup_ratio: 0.05,
            schedule: RateSchedule::Cosine,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            early_stopping_patience: None,
            precision: PrecisionChoice::Auto,
            quantization: Quantization::None,
            gradient_checkpointing: GradientCheckpointing::Auto,
            seed: 42,
        }
    }
}

/// Sets of parameters to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobPreset {
    Fast,
    Balanced,
    Quality,
}

impl JobPreset {
    pub const ALL: [Self; 3] = [Self::Fast, Self::Balanced, Self::Quality];
}

impl JobParameters {
    pub fn preset(preset: JobPreset) -> Self {
        match preset {
            JobPreset::Fast => Self {
                rank: 8,
                alpha: 16,
                learning_rate: 3e-4,
                epochs: 1,
                max_seq_length: 512,
                ..Self::default()
            },
            JobPreset::Balanced => Self::default(),
            JobPreset::Quality => Self {
                rank: 32,
                alpha: 64,
                learning_rate: 1e-4,
                epochs: 5,
                max_seq_length: 2048,
                warmup_ratio: 0.1,
                ..Self::default()
            },
        }
    }

    /// The same, on an adapter of the shape that `before` names: whoever goes on from an adapter keeps its shape.
    pub fn on_adapter_of(self, before: &Self) -> Self {
        Self {
            rank: before.rank,
            alpha: before.alpha,
            rank_stabilized: before.rank_stabilized,
            target_modules: before.target_modules.clone(),
            ..self
        }
    }
}

/// A linear map of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TargetModule {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl TargetModule {
    pub const ALL: [Self; 7] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateSchedule {
    /// Stays where the warm-up ended.
    Constant,
    /// Falls in a straight line to zero.
    Linear,
    /// Falls along half a cosine to zero.
    Cosine,
}

/// How is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrainingMethod {
    /// What the assistant says in conversations becomes likelier.
    #[default]
    Supervised,
    /// Of two answers the better one becomes likelier beside the worse one: direct preference optimisation.
    Dpo,
    /// Every token of plain texts becomes likelier: language modelling, without a chat template.
    Text,
}

/// What a person may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MethodChoice {
    /// What suits the rows.
    Auto,
    Supervised,
    Dpo,
    Text,
}

/// What matrices are kept and multiplied in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    Fp32,
    Bf16,
}

/// What a person may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PrecisionChoice {
    /// What suits the base and the processor.
    Auto,
    Fp32,
    Bf16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// As the precision has it.
    None,
    /// Four bits a value.
    Nf4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GradientCheckpointing {
    /// Where memory is short.
    Auto,
    On,
    Off,
}

/// Measurements of one optimizer step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricPoint {
    /// From 1; 0 is the state before training and has only validation values.
    pub step: u64,
    pub epoch: f64,
    pub loss: Option<f64>,
    pub learning_rate: Option<f64>,
    pub grad_norm: Option<f64>,
    pub tokens_per_second: Option<f64>,
    pub memory_bytes: Option<u64>,
    /// Part of the step's tokens whose likeliest prediction was right.
    #[serde(default)]
    pub token_accuracy: Option<f64>,
    pub validation_loss: Option<f64>,
    /// Part of validation tokens whose likeliest prediction is right.
    pub validation_token_accuracy: Option<f64>,
    /// How far the reward of the better answer lies above that of the worse one, on average over pairs. A reward is `beta`
    /// times what an answer's log-probability has gained since the start. Of DPO alone, as are the next three.
    #[serde(default)]
    pub reward_margin: Option<f64>,
    /// Part of the step's pairs whose better answer has the higher reward.
    #[serde(default)]
    pub reward_accuracy: Option<f64>,
    /// Of the validation pairs.
    #[serde(default)]
    pub validation_reward_margin: Option<f64>,
    #[serde(default)]
    pub validation_reward_accuracy: Option<f64>,
}

/// The validation rows that a job's model says best and worst, as the last evaluation that counts found them: that of the
/// best adapter where the job stops early, else the newest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobSamples {
    /// Optimizer steps done then; null before the first evaluation of the trained model.
    pub step: Option<u64>,
    /// At most five, best first.
    #[cfg_attr(feature = "openapi", schema(max_items = 5))]
    pub best: Vec<RowSample>,
    /// At most five, worst first.
    #[cfg_attr(feature = "openapi", schema(max_items = 5))]
    pub worst: Vec<RowSample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowSample {
    /// Its number among the usable rows that the job measures on, from 1: those of the validation dataset, or of the dataset's
    /// validation part as `GET /api/v1/datasets/{id}/export?part=validation` gives them.
    pub row: u64,
    /// Of a learned token on average, or of the pair.
    pub loss: f64,
    /// Of a pair: reward of the better answer over that of the worse one. Pairs are ordered by it, other rows by their loss.
    pub margin: Option<f64>,
    /// Those that are learned.
    pub tokens: u64,
    /// The end of what stands before the answer, at most 300 characters and a mark where it is cut.
    pub prompt: String,
    /// The start of what is learned, at most 500 characters and a mark where it is cut; of a pair, the better answer.
    pub answer: String,
    /// The worse answer of a pair.
    pub rejected: Option<String>,
}

/// Adapters of checkpoints that are kept of a job.
pub const KEPT_ADAPTERS: usize = 8;

/// A state that training can go on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checkpoint {
    /// Optimizer steps done.
    pub step: u64,
    /// Of this step alone.
    pub train_loss: Option<f64>,
    /// Part of the step's tokens whose likeliest prediction was right.
    pub token_accuracy: Option<f64>,
    /// Null where the step was not measured.
    pub validation_loss: Option<f64>,
    /// Part of validation tokens whose likeliest prediction is right.
    pub validation_token_accuracy: Option<f64>,
    /// Size of its adapter's archive; null where none is kept. Of a job, eight at most are, spread over its steps.
    pub adapter_bytes: Option<u64>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobLogLine {
    pub at: DateTime<Utc>,
    /// `info`, `warn` or `error`.
    pub level: String,
    pub message: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    pub dataset_id: DatasetId,
    /// What it is measured on; without it, the part that the dataset keeps for that. Where none was chosen, it is a tenth from
    /// then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DatasetId>))]
    pub validation_dataset_id: Option<DatasetId>,
    pub base_id: BaseId,
    /// A model of the same base whose adapter it goes on from; without it, the adapter is fresh. `rank`, `alpha`,
    /// `rank_stabilized` and `target_modules` must be those that the model was trained with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ModelId>))]
    pub initial_model_id: Option<ModelId>,
    /// The agent that gets the model once it is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default)]
    #[validate(nested)]
    pub parameters: JobParameters,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// Reads metric points, checkpoints or log lines on where the last stretch ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct JobCursor {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    /// 500 when absent, at most 2000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 2000, message = "must be 1 to 2000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 2000))]
    pub limit: Option<u32>,
}
