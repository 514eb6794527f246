//! What the trainer needs in its directory: the rows and `job.json`.

use super::directory as job_directory;
use crate::{bases, datasets::form_of, state::App};
use cerebros_common::{
    bases::BaseStatus,
    jobs::{Job, JobFailure, JobParameters},
};
use cerebros_datasets::{Options, format::Form};
use cerebros_db::{self as db, Scope};
use cerebros_queue::TaskError;
use cerebros_trainer::protocol::{JobSpec, Parameters, VERSION};
use std::{
    fs,
    io::{self, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

const ROWS: &str = "dataset.jsonl";
const SPEC: &str = "job.json";
/// About every so many steps a kill costs at most the work since.
const CHECKPOINT_EVERY_STEPS: u32 = 20;

/// Fills the directory, once: a later run finds it as it was. The inner error ends the job.
pub async fn directory(app: &App, scope: &Scope, job: &Job) -> Result<Result<(), JobFailure>, TaskError> {
    let directory = job_directory(app, job.id);
    if tokio::fs::try_exists(directory.join(SPEC)).await.unwrap_or(false) {
        return Ok(Ok(()));
    }
    let base = db::bases::find_located(scope, &app.db, job.base_id)
        .await
        .map_err(super::database)?;
    if base.base.status != BaseStatus::Ready {
        return Ok(Err(failure(
            "invalid_base",
            "The base is not ready.",
            "Choose a base that is ready.",
        )));
    }
    let dataset = db::datasets::find_for_training(scope, &app.db, job.dataset_id)
        .await
        .map_err(super::database)?;
    let rows = app.storage.local(&dataset.blob_key).await.map_err(|error| {
        tracing::error!(job.id = %job.id, error = %error, "a dataset's file cannot be read");
        TaskError::retry("The dataset's file could not be read")
    })?;
    let spec = JobSpec {
        version: VERSION,
        job_id: job.id.to_string(),
        base_dir: bases::directory(&app.config, &base),
        dataset: PathBuf::from(ROWS),
        initial_adapter: None,
        parameters: trainer_parameters(&job.parameters, app.config.training_threads),
    };
    let form = form_of(&dataset.dataset);
    let written = tokio::task::spawn_blocking(move || write(&directory, rows.path(), form, &spec)).await;
    match written {
        Ok(Ok(())) => Ok(Ok(())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => Ok(Err(failure(
            "disk_full",
            "The server's disk is full.",
            "Free some space and resume the job.",
        ))),
        Ok(Err(error)) => {
            tracing::error!(job.id = %job.id, error = %error, "a job's directory cannot be written");
            Err(TaskError::retry("The job's directory could not be written"))
        }
        Err(error) => Err(TaskError::retry(error.to_string())),
    }
}

/// The trainer's form of a job's parameters.
fn trainer_parameters(parameters: &JobParameters, threads: u32) -> Parameters {
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    Parameters {
        rank: size(parameters.rank),
        alpha: parameters.alpha,
        dropout: parameters.dropout,
        learning_rate: parameters.learning_rate,
        epochs: parameters.epochs,
        batch_size: size(parameters.batch_size),
        gradient_accumulation_steps: size(parameters.gradient_accumulation_steps),
        max_seq_length: size(parameters.max_seq_length),
        warmup_ratio: parameters.warmup_ratio,
        weight_decay: parameters.weight_decay,
        max_grad_norm: parameters.max_grad_norm,
        validation_fraction: parameters.validation_fraction,
        seed: parameters.seed,
        checkpoint_every_steps: CHECKPOINT_EVERY_STEPS,
        threads: Some(size(threads)),
        ..Parameters::default()
    }
}

/// Copies the accepted rows alone, then writes the job file as the last, at once.
fn write(directory: &Path, dataset: &Path, form: Form, spec: &JobSpec) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut out = BufWriter::new(fs::File::create(directory.join(ROWS))?);
    let mut result = Ok(());
    cerebros_datasets::validate(
        BufReader::new(fs::File::open(dataset)?),
        &Options::new(form),
        None,
        |row| {
            if result.is_ok() {
                result = out.write_all(row.json.as_bytes()).and_then(|()| out.write_all(b"\n"));
            }
        },
        |_| {},
    )?;
    result?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let unfinished = directory.join("job.json.new");
    fs::write(&unfinished, serde_json::to_vec_pretty(spec)?)?;
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, directory.join(SPEC))
}

fn failure(code: &str, message: &str, remedy: &str) -> JobFailure {
    JobFailure {
        code: code.to_owned(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    }
}
