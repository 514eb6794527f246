//! The job file, `JOB_DIR/job.json`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// [`super::VERSION`].
    pub version: u32,
    pub job_id: String,
    /// A Hugging Face-layout model directory.
    pub base_dir: PathBuf,
    /// Chat rows, one JSON object a line. A relative path starts at the job's directory.
    pub dataset: PathBuf,
    /// Chat rows to measure the model on. Absent means a part of the dataset, kept out of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_dataset: Option<PathBuf>,
    /// A PEFT directory to continue from, of the same rank, alpha and target modules; absent means a fresh adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_adapter: Option<PathBuf>,
    #[serde(default)]
    pub parameters: Parameters,
}

/// What a person may choose about a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// What the rows are and how is learned from them.
    pub method: Method,
    /// How closely a model that learns from pairs stays to where it starts; more holds it tighter. Above 0 and at most 10.
    pub beta: f64,
    /// Inner dimension of the adapter, 1 to 256.
    pub rank: usize,
    /// The adapter's output is scaled by `alpha / rank`; 1 to 1024.
    pub alpha: u32,
    /// Scales by `alpha / √rank` instead, so that a higher rank does not weaken the adapter.
    pub rank_stabilized: bool,
    /// Share of the adapter's input that is dropped in training, 0 to 0.5.
    pub dropout: f64,
    /// The projections that get an adapter; at least one.
    pub target_modules: BTreeSet<Projection>,
    /// Peak rate of AdamW, above 0 and at most 0.1.
    pub learning_rate: f64,
    /// Passes over the training rows, 1 to 100.
    pub epochs: u32,
    /// Rows whose gradients are computed together, 1 to 64.
    pub batch_size: usize,
    /// Batches a step, 1 to 256.
    pub gradient_accumulation_steps: usize,
    /// Tokens; longer rows are cut, 16 to 32,768. The base's own context length caps it further.
    pub max_seq_length: usize,
    /// Share of the steps in which the rate rises linearly, 0 to 0.5.
    pub warmup_ratio: f64,
    /// How the rate goes on after that.
    pub schedule: RateSchedule,
    /// AdamW's decoupled decay, 0 to 1.
    pub weight_decay: f64,
    /// Global norm that gradients are clipped to, above 0 and at most 1000.
    pub max_grad_norm: f64,
    /// Share of the rows kept for validation where it has no dataset of its own, 0 to 0.5. At least one row always stays in training.
    pub validation_fraction: f64,
    /// Evaluations in a row without a lower validation loss after which training stops, 1 to 100; the result is then the
    /// adapter of the best evaluation. There is one after every epoch. Absent means the last adapter of all epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping_patience: Option<u32>,
    pub seed: u64,
    /// Steps between checkpoints, 1 to 10,000.
    pub checkpoint_every_steps: u32,
    /// Absent means bf16 where the base is stored in it or in f16 and the processor multiplies it, else fp32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// How the linear maps of the base's layers are kept.
    pub quantization: Quantization,
    /// Whether layers are computed again in the backward pass instead of kept until then. The result is the same.
    pub gradient_checkpointing: Checkpointing,
    /// CPU threads, 1 to 256; absent means half of the machine's, so that two jobs do not fight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            method: Method::Supervised,
            beta: 0.1,
            rank: 16,
            alpha: 32,
            rank_stabilized: false,
            dropout: 0.0,
            target_modules: Projection::ALL.into_iter().collect(),
            learning_rate: 2e-4,
            epochs: 3,
            batch_size: 4,
            gradient_accumulation_steps: 1,
            max_seq_length: 1024,
            warmup_ratio: 0.03,
            schedule: RateSchedule::Cosine,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            validation_fraction: 0.1,
            early_stopping_patience: None,
            seed: 42,
            checkpoint_every_steps: 25,
            precision: None,
            quantization: Quantization::None,
            gradient_checkpointing: Checkpointing::Auto,
            threads: None,
        }
    }
}

/// A parameter outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: must be {bounds}.")]
pub struct ParametersError {
    /// The field's name as it stands in the job file.
    pub field: &'static str,
    pub bounds: &'static str,
}

impl Parameters {
    /// Checks every field against its bounds; the first one outside is named.
    pub fn validate(&self) -> Result<(), ParametersError> {
        let checks = [
            (
                self.beta > 0.0 && self.beta <= 10.0,
                "beta",
                "a number above 0 and at most 10",
            ),
            (within(self.rank, 1, 256), "rank", "a whole number from 1 to 256"),
            (within(self.alpha, 1, 1024), "alpha", "a whole number from 1 to 1024"),
            (within(self.dropout, 0.0, 0.5), "dropout", "a number from 0 to 0.5"),
            (
                !self.target_modules.is_empty(),
                "target_modules",
                "a list with at least one projection",
            ),
            (
                self.learning_rate > 0.0 && self.learning_rate <= 0.1,
                "learning_rate",
                "a number above 0 and at most 0.1",
            ),
            (within(self.epochs, 1, 100), "epochs", "a whole number from 1 to 100"),
            (
                within(self.batch_size, 1, 64),
                "batch_size",
                "a whole number from 1 to 64",
            ),
            (
                within(self.gradient_accumulation_steps, 1, 256),
                "gradient_accumulation_steps",
                "a whole number from 1 to 256",
            ),
            (
                within(self.max_seq_length, 16, 32_768),
                "max_seq_length",
                "a whole number from 16 to 32768",
            ),
            (
                within(self.warmup_ratio, 0.0, 0.5),
                "warmup_ratio",
                "a number from 0 to 0.5",
            ),
            (
                within(self.weight_decay, 0.0, 1.0),
                "weight_decay",
                "a number from 0 to 1",
            ),
            (
                self.max_grad_norm > 0.0 && self.max_grad_norm <= 1000.0,
                "max_grad_norm",
                "a number above 0 and at most 1000",
            ),
            (
                within(self.validation_fraction, 0.0, 0.5),
                "validation_fraction",
                "a number from 0 to 0.5",
            ),
            (
                self.early_stopping_patience
                    .is_none_or(|patience| within(patience, 1, 100)),
                "early_stopping_patience",
                "a whole number from 1 to 100",
            ),
            (
                self.early_stopping_patience.is_none() || self.validation_fraction > 0.0,
                "early_stopping_patience",
                "absent where validation_fraction is 0",
            ),
            (
                within(self.checkpoint_every_steps, 1, 10_000),
                "checkpoint_every_steps",
                "a whole number from 1 to 10000",
            ),
            (
                self.threads.is_none_or(|threads| within(threads, 1, 256)),
                "threads",
                "a whole number from 1 to 256",
            ),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, bounds)) => Err(ParametersError { field, bounds }),
            None => Ok(()),
        }
    }
}

fn within<T: PartialOrd>(value: T, least: T, most: T) -> bool {
    value >= least && value <= most
}

/// How is learned, which follows from what the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Conversations: what the assistant says in them becomes likelier.
    #[default]
    Supervised,
    /// Pairs of answers: the better one becomes likelier beside the worse one, measured from where training starts (direct
    /// preference optimisation, sigmoid loss).
    Dpo,
    /// Plain texts: each of their tokens becomes likelier.
    Text,
}

/// How numbers are kept and multiplied. Sums, the adapter and its optimizer are fp32 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    Fp32,
    /// The base's matrices are kept in bf16, and what is multiplied is rounded to it.
    Bf16,
}

/// How frozen linear maps are kept while an adapter is trained over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// As the precision has it.
    #[default]
    None,
    /// Four bits a value, unpacked for each product (QLoRA): blocks of 64 with their largest magnitude in fp32.
    Nf4,
}

/// Whether layers are computed again in the backward pass: slower by a third, with a fraction of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpointing {
    /// Where memory is short.
    #[default]
    Auto,
    On,
    Off,
}

/// What the learning rate does after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSchedule {
    /// Stays at its peak.
    Constant,
    /// Falls in a straight line to zero.
    Linear,
    /// Falls along half a cosine to zero.
    Cosine,
}

/// The linear projections of a Llama block, in the order in which the forward pass meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl Projection {
    pub const ALL: [Self; 7] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
    ];

    /// The module's path inside a block, `self_attn.q_proj` and so on.
    pub const fn path(self) -> &'static str {
        match self {
            Self::QProj => "self_attn.q_proj",
            Self::KProj => "self_attn.k_proj",
            Self::VProj => "self_attn.v_proj",
            Self::OProj => "self_attn.o_proj",
            Self::GateProj => "mlp.gate_proj",
            Self::UpProj => "mlp.up_proj",
            Self::DownProj => "mlp.down_proj",
        }
    }
}
