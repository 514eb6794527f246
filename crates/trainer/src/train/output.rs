//! What a finished job leaves: the adapter's directory and `result.json`.

use std::fs;
use std::path::Path;

use super::checkpoint::{Identity, Progress};
use super::failure::Failure;
use super::files;
use crate::model::adapter::{Adapter, CONFIG_FILE, WEIGHTS_FILE};
use crate::protocol::{Event, Parameters};

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

/// Writes the adapter, then the result; returns the `done` event.
pub fn write(
    job_dir: &Path,
    adapter: &Adapter,
    parameters: &Parameters,
    identity: &Identity,
    progress: Progress,
    steps: u64,
) -> Result<Event, Failure> {
    let contents = [
        (CONFIG_FILE, adapter.config_file()),
        (WEIGHTS_FILE, adapter.weights_file()?),
        (
            "README.md",
            model_card(adapter, parameters, identity, progress, steps).into_bytes(),
        ),
    ];
    files::write_directory(&job_dir.join(ADAPTER_DIR), &contents)?;
    let done = Event::Done {
        train_loss: progress.loss_sum / progress.loss_tokens.max(1) as f64,
        initial_validation_loss: progress.initial_validation.map(|validation| validation.loss),
        validation_loss: progress.validation.map(|validation| validation.loss),
        steps,
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
    let validation = match (progress.initial_validation, progress.validation) {
        (Some(before), Some(after)) => format!("{:.4} before training, {:.4} after", before.loss, after.loss),
        _ => "none (no rows were kept for it)".into(),
    };
    format!(
        "---\nbase_model: {base}\nlibrary_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n---\n\
         # LoRA adapter for {base}\n\n\
         Trained by Cerebros on response tokens of chat rows.\n\n\
         | | |\n|---|---|\n\
         | base | {base} |\n| base SHA-256 | `{base_sha}` |\n| dataset SHA-256 | `{dataset_sha}` |\n\
         | rank, alpha, dropout | {rank}, {alpha}, {dropout} |\n| target modules | {targets} |\n\
         | steps | {steps} |\n| learning rate | {rate} |\n| seed | {seed} |\n\
         | mean training loss | {loss:.4} |\n| validation loss | {validation} |\n\n\
         ```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n\
         model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(\"{base}\"), \"path/to/this/directory\")\n```\n",
        base = config.base,
        base_sha = identity.base_sha256,
        dataset_sha = identity.dataset_sha256,
        rank = config.rank,
        alpha = config.alpha,
        dropout = config.dropout,
        targets = targets.join(", "),
        rate = parameters.learning_rate,
        seed = parameters.seed,
        loss = progress.loss_sum / progress.loss_tokens.max(1) as f64,
    )
}
