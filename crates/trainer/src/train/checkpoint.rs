//! Checkpoints: everything that the next step depends on, whole or not there.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::files;
use super::optimizer::Moments;
use super::run::{StepFigures, Validation};
use super::step::Learner;
use crate::base::weights::{Weights, to_safetensors};
use crate::model::adapter::{CONFIG_FILE, Values, WEIGHTS_FILE, read_peft};
use crate::protocol::{AdapterFile, Checkpointing, Event, FailureCode, Parameters, Precision};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// What the objective computed once.
const KNOWN_FILE: &str = "known.bin";
const BEST_FILE: &str = "best.safetensors";
const STATE_FILE: &str = "state.json";
const KEPT: usize = 2;

/// `state.json`. Floats are kept as bits: a resumed run must see exactly the same ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer steps done; with the seed it fixes which rows come next and at what rate.
    pub step: u64,
    pub parameters: Parameters,
    pub identity: Identity,
    pub progress: Progress,
    /// The `metric` lines before it, oldest first: whoever read them may have died before it kept them.
    pub recent: VecDeque<Event>,
    files: Vec<AdapterFile>,
}

/// What a run is made of: a checkpoint only continues a run of the same identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub base_sha256: String,
    pub dataset_sha256: String,
    /// Of the rows that it is measured on, where they are a file of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_sha256: Option<String>,
    /// Of the adapter that the run started from, where there is one.
    pub initial_adapter_sha256: Option<String>,
    pub precision: Precision,
}

/// Figures that are carried from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Sum of the losses of all trained tokens.
    #[serde(with = "bits")]
    pub loss_sum: f64,
    pub loss_tokens: u64,
    pub initial_validation: Option<Validation>,
    pub validation: Option<Validation>,
    /// Of the newest step, where the run was interrupted before it was reported.
    pub unreported: Option<StepFigures>,
    /// The best evaluation so far, where the job stops early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Mean loss of the first steps, once they are done.
    #[serde(with = "bits")]
    pub first_losses: f64,
    /// Steps in a row whose loss lay far above that of the start.
    pub high_losses: u64,
}

/// An evaluation that no other has beaten yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub step: u64,
    pub validation: Validation,
    /// Evaluations since.
    pub later: u32,
}

impl Progress {
    /// The figures of the adapter that would be the result now.
    pub fn kept_validation(&self) -> Option<Validation> {
        self.best.map(|best| best.validation).or(self.validation)
    }
}

impl State {
    pub fn new(
        step: u64,
        parameters: &Parameters,
        identity: &Identity,
        progress: Progress,
        recent: &VecDeque<Event>,
    ) -> Self {
        Self {
            step,
            parameters: parameters.clone(),
            identity: identity.clone(),
            progress,
            recent: recent.clone(),
            files: Vec::new(),
        }
    }
}

/// An `f64` as its bits.
pub mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

/// A checkpoint that was read back.
pub struct Restored {
    pub step: u64,
    pub progress: Progress,
    pub recent: VecDeque<Event>,
    pub values: Values,
    pub moments: Vec<Moments>,
    /// The adapter's weights file as it was at the best evaluation.
    pub best: Option<Vec<u8>>,
    /// What the objective computed once.
    pub known: Option<Vec<u8>>,
}

fn directory(job_dir: &Path) -> PathBuf {
    job_dir.join("checkpoints")
}

/// Writes `checkpoints/step-N` and removes all but the newest two.
pub fn write(
    job_dir: &Path,
    learner: &Learner,
    moments: &[Moments],
    best: Option<&[u8]>,
    known: Option<Vec<u8>>,
    mut state: State,
) -> Result<(), Failure> {
    let mut contents = vec![
        (CONFIG_FILE, learner.adapter.config_file()),
        (WEIGHTS_FILE, learner.adapter.weights_file()?),
        (OPTIMIZER_FILE, optimizer_file(learner, moments)),
    ];
    contents.extend(best.map(|weights| (BEST_FILE, weights.to_vec())));
    contents.extend(known.map(|known| (KNOWN_FILE, known)));
    state.files = files::describe(&contents);
    contents.push((STATE_FILE, format!("{:#}\n", serde_json::json!(state)).into_bytes()));
    files::write_directory(&directory(job_dir).join(format!("step-{}", state.step)), &contents)?;
    for (_, path) in steps(job_dir).into_iter().skip(KEPT) {
        files::remove_directory(&path)?;
    }
    Ok(())
}

/// The newest checkpoint that is intact; an error where it belongs to another run.
pub fn newest(
    job_dir: &Path,
    learner_names: &[String],
    parameters: &Parameters,
    identity: &Identity,
) -> Result<Option<Restored>, Failure> {
    for (_, path) in steps(job_dir) {
        let Some(state) = intact_state(&path) else {
            continue;
        };
        let same_run = comparable(&state.parameters) == comparable(parameters) && state.identity == *identity;
        if !same_run {
            return Err(Failure::new(
                FailureCode::JobChanged,
                "The job's parameters, base or dataset changed after training had begun.",
                "Start a new job with them, or restore what this job began with.",
            ));
        }
        let (_, values) = read_peft(&path)?;
        let moments = read_moments(&path, learner_names)?;
        let best = state
            .progress
            .best
            .map(|_| fs::read(path.join(BEST_FILE)))
            .transpose()?;
        let has_known = state.files.iter().any(|file| file.name == KNOWN_FILE);
        let known = has_known.then(|| fs::read(path.join(KNOWN_FILE))).transpose()?;
        return Ok(Some(Restored {
            step: state.step,
            progress: state.progress,
            recent: state.recent,
            values,
            moments,
            best,
            known,
        }));
    }
    Ok(None)
}

/// What a run that goes on from the newest checkpoint has to tell again, as nobody may have listened: its newest metrics, and
/// the checkpoint itself.
pub fn told(job_dir: &Path) -> Vec<Event> {
    let Some(state) = steps(job_dir).iter().find_map(|(_, path)| intact_state(path)) else {
        return Vec::new();
    };
    let step = state.step;
    let itself = Event::Checkpoint { step };
    state.recent.into_iter().chain([itself]).collect()
}

/// Without what does not change the result.
fn comparable(parameters: &Parameters) -> Parameters {
    Parameters {
        threads: None,
        gradient_checkpointing: Checkpointing::Auto,
        checkpoint_every_steps: 1,
        ..parameters.clone()
    }
}

/// Newest first.
fn steps(job_dir: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(directory(job_dir)).into_iter().flatten().flatten();
    let mut steps: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    steps.sort_by_key(|(step, _)| std::cmp::Reverse(*step));
    steps
}

fn intact_state(path: &Path) -> Option<State> {
    let state: State = serde_json::from_slice(&fs::read(path.join(STATE_FILE)).ok()?).ok()?;
    files::intact(path, &state.files).then_some(state)
}

fn moment_names(name: &str) -> [String; 2] {
    [format!("exp_avg.{name}"), format!("exp_avg_sq.{name}")]
}

fn optimizer_file(learner: &Learner, moments: &[Moments]) -> Vec<u8> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = learner
        .variables
        .iter()
        .zip(moments)
        .flat_map(|((name, variable), moments)| {
            let [first, second] = moment_names(name);
            let shape = variable.dims().to_vec();
            [
                (first, shape.clone(), bytes(&moments.first)),
                (second, shape, bytes(&moments.second)),
            ]
        })
        .collect();
    to_safetensors(
        tensors
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), shape.clone(), bytes.as_slice())),
    )
}

fn read_moments(path: &Path, names: &[String]) -> Result<Vec<Moments>, Failure> {
    let weights = Weights::open(vec![path.join(OPTIMIZER_FILE)])?;
    let read = |name: &String| {
        let [first, second] = moment_names(name);
        Ok(Moments {
            first: weights.load_values(&first)?,
            second: weights.load_values(&second)?,
        })
    };
    names.iter().map(read).collect()
}
