//! What a finished job leaves: the adapter's directory and `result.json`.

use std::fs;
use std::path::Path;

use super::checkpoint::{Identity, Progress};
use super::failure::Stop;
use super::files;
use crate::model::adapter::{Adapter, CONFIG_FILE, WEIGHTS_FILE};
use crate::protocol::{Event, GenerationCheck, Method, Parameters, Precision, Quantization, RateSchedule};

const ADAPTER_DIR: &str = "adapter";
const RESULT_FILE: &str = "result.json";

/// The `done` event of a job that has finished before, where its adapter still stands as it was written.
pub fn finished(job_dir: &Path) -> Option<Event> {
    let event: Event = serde_json::from_slice(&fs::read(job_dir.join(RESULT_FILE)).ok()?).ok()?;
    match &event {
        Event::Done { adapter_dir, files, .. } if files::intact(&job_dir.join(adapter_dir), files) => Some(event),
        _ => None,
    }
}

/// Writes the adapter, `best` where the job kept one, then the result; returns the `done` event. `check` looks at the
/// adapter as it was written.
#[expect(clippy::too_many_arguments, reason = "all that a job leaves")]
pub fn write(
    job_dir: &Path,
    adapter: &Adapter,
    best: Option<Vec<u8>>,
    parameters: &Parameters,
    identity: &Identity,
    progress: Progress,
    steps: u64,
    check: impl FnOnce(&Path) -> Result<Option<GenerationCheck>, Stop>,
) -> Result<Event, Stop> {
    let weights = match best {
        Some(weights) => weights,
        None => adapter.weights_file()?,
    };
    let contents = [
        (CONFIG_FILE, adapter.config_file()),
        (WEIGHTS_FILE, weights),
        (
            "README.md",
            model_card(adapter, parameters, identity, progress, steps).into_bytes(),
        ),
    ];
    files::write_directory(&job_dir.join(ADAPTER_DIR), &contents)?;
    let validation = progress.kept_validation();
    let done = Event::Done {
        train_loss: progress.loss_sum / progress.loss_tokens.max(1) as f64,
        initial_validation_loss: progress.initial_validation.map(|validation| validation.loss),
        validation_loss: validation.map(|validation| validation.loss),
        validation_token_accuracy: validation
            .filter(|_| parameters.method != Method::Dpo)
            .map(|validation| validation.accuracy),
        generation: check(&job_dir.join(ADAPTER_DIR))?,
        steps,
        best_step: progress.best.map(|best| best.step),
        adapter_dir: ADAPTER_DIR.into(),
        files: files::describe(&contents),
    };
    files::write_file(
        &job_dir.join(RESULT_FILE),
        format!("{:#}\n", serde_json::json!(done)).as_bytes(),
    )?;
    Ok(done)
}

/// Nothing in it depends on when or where the job ran.
fn model_card(
    adapter: &Adapter,
    parameters: &Parameters,
    identity: &Identity,
    progress: Progress,
    steps: u64,
) -> String {
    let config = &adapter.config;
    let targets: Vec<&str> = config.targets.iter().map(|target| target.path()).collect();
    let validation = match (progress.initial_validation, progress.kept_validation()) {
        (Some(before), Some(after)) => format!("{:.4} before training, {:.4} after", before.loss, after.loss),
        _ => "none (no rows were kept for it)".into(),
    };
    let kept = match progress.best {
        Some(best) => format!("{steps}, the best after {}", best.step),
        None => steps.to_string(),
    };
    format!(
        "---\nbase_model: {base}\nlibrary_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n---\n\
         # LoRA adapter for {base}\n\n\
         Trained by Cerebros {method}.\n\n\
         | | |\n|---|---|\n\
         | base | {base} |\n| base SHA-256 | `{base_sha}` |\n| dataset SHA-256 | `{dataset_sha}` |\n\
         | rank, alpha, dropout | {rank}, {alpha}{stabilized}, {dropout} |\n| target modules | {targets} |\n\
         | precision | {precision}{packed} |\n| steps | {kept} |\n| learning rate | {rate}, {schedule} |\n| seed | {seed} |\n\
         | mean training loss | {loss:.4} |\n| validation loss | {validation} |\n\n\
         ```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n\
         model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(\"{base}\"), \"path/to/this/directory\")\n```\n",
        base = config.base,
        method = match parameters.method {
            Method::Supervised => "on response tokens of chat rows".to_owned(),
            Method::Text => "on all tokens of plain texts".to_owned(),
            Method::Dpo => format!(
                "by direct preference optimisation (sigmoid loss, beta {}) on pairs of answers",
                parameters.beta
            ),
        },
        base_sha = identity.base_sha256,
        dataset_sha = identity.dataset_sha256,
        rank = config.rank,
        alpha = config.alpha,
        stabilized = if config.rank_stabilized { " (rsLoRA)" } else { "" },
        dropout = config.dropout,
        targets = targets.join(", "),
        precision = match identity.precision {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16, sums in fp32",
        },
        packed = match parameters.quantization {
            Quantization::None => "",
            Quantization::Nf4 =>
                "; the base's linear maps in NF4 (blocks of 64, largest magnitudes in fp32) while training",
        },
        rate = parameters.learning_rate,
        schedule = match parameters.schedule {
            RateSchedule::Constant => "constant",
            RateSchedule::Linear => "linear",
            RateSchedule::Cosine => "cosine",
        },
        seed = parameters.seed,
        loss = progress.loss_sum / progress.loss_tokens.max(1) as f64,
    )
}
