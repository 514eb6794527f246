//! The trainer's stdout: one JSON object a line.

use serde::{Deserialize, Serialize};

use super::{Method, Precision};

/// One line. `seq` counts from 1 in every run of the process; a resumed run tells the last 1,000 metrics before its checkpoint
/// again, then repeats those since, with equal losses, rates and norms, so a receiver keys metrics by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    pub v: u32,
    pub seq: u64,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Started {
        #[serde(default)]
        method: Method,
        total_steps: u64,
        train_rows: u64,
        validation_rows: u64,
        /// Tokens of the training rows, after truncation; of a pair, of both its sequences.
        train_tokens: u64,
        /// Those of them that carry loss.
        trainable_tokens: u64,
        truncated_rows: u64,
        /// Rows without any token to learn from, and pairs that are alike up to where they are cut.
        dropped_rows: u64,
        trainable_parameters: u64,
        /// What the base's matrices are kept and multiplied in.
        precision: Precision,
        /// What computes it: the processor, and the instructions that products of bf16 take.
        #[serde(default)]
        device: String,
        base_sha256: String,
        /// The checkpoint's step; 0 on a fresh start.
        resumed_from_step: u64,
    },
    Metric {
        /// Optimizer steps done; step 0 only carries the validation figures of the untrained adapter.
        step: u64,
        /// Passes over the training rows, as a fraction.
        epoch: f64,
        /// Mean over what the step learns from; at step 0 over the validation rows. The cross-entropy (nats) of tokens, or the
        /// loss of pairs.
        loss: f64,
        learning_rate: f64,
        /// Global norm before clipping.
        grad_norm: f64,
        tokens_per_second: f64,
        /// Resident memory of the process.
        memory_bytes: u64,
        /// Share of the step's trainable tokens whose likeliest prediction was right; absent at step 0 and where pairs are
        /// learned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_accuracy: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_loss: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_token_accuracy: Option<f64>,
        /// Where pairs are learned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rewards: Option<Rewards>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_rewards: Option<Rewards>,
    },
    /// The validation rows that the model says best and worst, after an evaluation; the last one tells of the result. At most
    /// five of either, worst first among the worst. A resumed run tells those before its checkpoint again.
    Samples {
        step: u64,
        best: Vec<RowSample>,
        worst: Vec<RowSample>,
    },
    Checkpoint {
        step: u64,
    },
    Log {
        level: LogLevel,
        message: String,
    },
    Done {
        /// Mean over all training steps, weighted by trainable tokens, or by pairs.
        train_loss: f64,
        /// Absent when no row was kept for validation.
        initial_validation_loss: Option<f64>,
        /// Of the adapter that is the result.
        validation_loss: Option<f64>,
        /// Of the adapter that is the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_token_accuracy: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<GenerationCheck>,
        steps: u64,
        /// The evaluation that the adapter stands at, where the job keeps the best.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        best_step: Option<u64>,
        /// Relative to the job's directory.
        adapter_dir: String,
        files: Vec<AdapterFile>,
    },
    Failed {
        code: FailureCode,
        /// What went wrong, in a sentence.
        message: String,
        /// What a person can do about it, in a sentence.
        remedy: String,
    },
}

/// What the result says to held-out prompts, always by the likeliest token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GenerationCheck {
    pub rows: u32,
    /// 0 to 1: the mean share of the tokens of the rows' own answers that it says too.
    pub overlap: f64,
}

/// How far better answers are preferred. A reward is `beta` times what an answer's log-probability has gained since the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rewards {
    /// Of the better answer over the worse one, on average.
    pub margin: f64,
    /// Share of the pairs whose better answer has the higher reward.
    pub accuracy: f64,
}

/// A validation row and how well the model says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowSample {
    /// Its line in the file that it was read from.
    pub row: u64,
    /// Nats for each learned token on average, or the loss of the pair.
    pub loss: f64,
    /// Of a pair: reward of the better answer over that of the worse one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Those that are learned.
    pub tokens: u64,
    /// The end of what stands before the first learned token.
    pub prompt: String,
    /// The start of what is learned; of a pair, the better answer.
    pub answer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterFile {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// job.json is absent, unreadable or of another version.
    InvalidJob,
    InvalidParameters,
    InvalidBase,
    InvalidDataset,
    InvalidAdapter,
    /// The job, its base or its dataset changed since the checkpoint was written.
    JobChanged,
    /// Another trainer works in the job's directory.
    Locked,
    OutOfMemory,
    DiskFull,
    /// An export answers otherwise than the model.
    Inexact,
    /// The loss is no longer a number, or stays far above that of the start.
    Diverged,
    Internal,
}
