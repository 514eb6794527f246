//! What the trainer needs in its directory: the rows and `job.json`.

use super::directory as job_directory;
use crate::{
    bases,
    datasets::{form_of, split_of},
    state::App,
};
use cerebros_common::{
    bases::BaseStatus,
    ids::{BaseId, DatasetId, ModelId},
    jobs::{
        GradientCheckpointing, Job, JobFailure, JobParameters, MethodChoice, PrecisionChoice, Quantization,
        RateSchedule, TargetModule, TrainingMethod,
    },
};
use cerebros_datasets::{Options, Split, format::Form};
use cerebros_db::{self as db, DbError, Scope, bases::LocatedBase, datasets::LocatedDataset, models::StoredModel};
use cerebros_queue::TaskError;
use cerebros_trainer::protocol::{self, JobSpec, Parameters, Projection, VERSION};
use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

const ROWS: &str = "dataset.jsonl";
const VALIDATION_ROWS: &str = "validation.jsonl";
const INITIAL: &str = "initial";
const SPEC: &str = "job.json";
/// About every so many steps a kill costs at most the work since.
const CHECKPOINT_EVERY_STEPS: u32 = 20;

/// Fills the directory, once: a later run finds it as it was. The inner error ends the job.
pub async fn directory(app: &App, scope: &Scope, job: &Job) -> Result<Result<(), JobFailure>, TaskError> {
    let directory = job_directory(app, job.id);
    if tokio::fs::try_exists(directory.join(SPEC)).await.unwrap_or(false) {
        return Ok(Ok(()));
    }
    let parts = Parts {
        base_id: job.base_id,
        dataset_id: job.dataset_id,
        validation_dataset_id: job.validation_dataset_id,
        initial_model_id: job.initial_model_id,
        method: job.parameters.method,
    };
    let source = match source(app, scope, &parts).await {
        Ok(source) => source,
        Err(DbError::Conflict(message)) => {
            return Ok(Err(failure("invalid_dataset", &message, "Train on another dataset.")));
        }
        Err(error) => return Err(super::database(error)),
    };
    if source.base.base.status != BaseStatus::Ready {
        return Ok(Err(failure(
            "invalid_base",
            "The base is not ready.",
            "Choose a base that is ready.",
        )));
    }
    match fill(app, &directory, source, job.id.0, &job.parameters).await {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(Err(failure(
            "disk_full",
            "The server's disk is full.",
            "Free some space and resume the job.",
        ))),
        Err(error) => {
            tracing::error!(job.id = %job.id, error = %error, "a job's directory cannot be written");
            Err(TaskError::retry("The job's directory could not be written"))
        }
    }
}

/// What a job is made of.
pub struct Parts {
    pub base_id: BaseId,
    pub dataset_id: DatasetId,
    pub validation_dataset_id: Option<DatasetId>,
    pub initial_model_id: Option<ModelId>,
    pub method: MethodChoice,
}

/// Where that is.
pub struct Source {
    base: LocatedBase,
    dataset: LocatedDataset,
    validation: Option<LocatedDataset>,
    initial: Option<StoredModel>,
    method: TrainingMethod,
}

pub async fn source(app: &App, scope: &Scope, parts: &Parts) -> Result<Source, DbError> {
    let validation = match parts.validation_dataset_id {
        Some(id) => Some(db::datasets::find_for_training(scope, &app.db, id).await?),
        None => None,
    };
    let initial = match parts.initial_model_id {
        Some(id) => Some(db::models::find(scope, &app.db, id).await?),
        None => None,
    };
    let dataset = db::datasets::find_for_training(scope, &app.db, parts.dataset_id).await?;
    let measured = validation.as_ref().map(|located| located.dataset.rows_kind);
    let method = super::method(parts.method, dataset.dataset.rows_kind, measured)
        .map_err(|misfit| DbError::Conflict(misfit.sentence()))?;
    Ok(Source {
        base: db::bases::find_located(scope, &app.db, parts.base_id).await?,
        dataset,
        validation,
        initial,
        method,
    })
}

/// Writes the accepted rows, the adapter to go on from and, as the last, the job file.
pub async fn fill(app: &App, directory: &Path, source: Source, id: Uuid, parameters: &JobParameters) -> io::Result<()> {
    let rows = app.storage.local(&source.dataset.blob_key).await?;
    let form = form_of(&source.dataset.dataset);
    let measured = match &source.validation {
        Some(located) => Some((app.storage.local(&located.blob_key).await?, form_of(&located.dataset))),
        None => None,
    };
    let split = match measured {
        Some(_) => None,
        None => Some(split_of(&source.dataset.dataset)).filter(|split| !split.is_empty()),
    };
    let initial = match &source.initial {
        Some(stored) => Some(app.storage.unpacked(&stored.blob_key).await?),
        None => None,
    };
    let spec = JobSpec {
        version: VERSION,
        job_id: id.to_string(),
        base_dir: bases::directory(&app.config, &source.base),
        dataset: PathBuf::from(ROWS),
        validation_dataset: (measured.is_some() || split.is_some()).then(|| PathBuf::from(VALIDATION_ROWS)),
        initial_adapter: initial.as_ref().map(|_| PathBuf::from(INITIAL)),
        parameters: trainer_parameters(
            parameters,
            source.method,
            app.config.training_threads,
            measured.is_some() || split.is_some(),
        ),
    };
    let directory = directory.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&directory)?;
        let validation = directory.join(VALIDATION_ROWS);
        let kept_out = split.map(|split| (split, validation.as_path()));
        write_rows(rows.path(), form, &directory.join(ROWS), kept_out, |_| {})?;
        if let Some((measured, form)) = measured {
            write_rows(measured.path(), form, &validation, None, |_| {})?;
        }
        if let Some(initial) = initial {
            copy_files(&initial, &directory.join(INITIAL))?;
        }
        write_spec(&directory, &spec)
    })
    .await;
    written.map_err(io::Error::other)?
}

/// As [`fill`], with all accepted rows of the dataset together. The line of each in the dataset's file.
pub async fn fill_whole(
    app: &App,
    directory: &Path,
    source: Source,
    parameters: &JobParameters,
) -> io::Result<Vec<u64>> {
    let rows = app.storage.local(&source.dataset.blob_key).await?;
    let form = form_of(&source.dataset.dataset);
    let spec = JobSpec {
        version: VERSION,
        job_id: Uuid::nil().to_string(),
        base_dir: bases::directory(&app.config, &source.base),
        dataset: PathBuf::from(ROWS),
        validation_dataset: None,
        initial_adapter: None,
        parameters: trainer_parameters(parameters, source.method, app.config.training_threads, false),
    };
    let directory = directory.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&directory)?;
        let mut lines = Vec::new();
        write_rows(rows.path(), form, &directory.join(ROWS), None, |line| lines.push(line))?;
        write_spec(&directory, &spec)?;
        Ok(lines)
    })
    .await;
    written.map_err(io::Error::other)?
}

/// The trainer's form of a job's parameters.
fn trainer_parameters(parameters: &JobParameters, method: TrainingMethod, threads: u32, measured: bool) -> Parameters {
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    Parameters {
        method: match method {
            TrainingMethod::Supervised => protocol::Method::Supervised,
            TrainingMethod::Dpo => protocol::Method::Dpo,
            TrainingMethod::Text => protocol::Method::Text,
        },
        beta: parameters.beta,
        rank: size(parameters.rank),
        alpha: parameters.alpha,
        rank_stabilized: parameters.rank_stabilized,
        target_modules: parameters.target_modules.iter().copied().map(projection).collect(),
        dropout: parameters.dropout,
        learning_rate: parameters.learning_rate,
        epochs: parameters.epochs,
        batch_size: size(parameters.batch_size),
        gradient_accumulation_steps: size(parameters.gradient_accumulation_steps),
        max_seq_length: size(parameters.max_seq_length),
        warmup_ratio: parameters.warmup_ratio,
        schedule: match parameters.schedule {
            RateSchedule::Constant => protocol::RateSchedule::Constant,
            RateSchedule::Linear => protocol::RateSchedule::Linear,
            RateSchedule::Cosine => protocol::RateSchedule::Cosine,
        },
        weight_decay: parameters.weight_decay,
        max_grad_norm: parameters.max_grad_norm,
        // The rows come split.
        validation_fraction: if measured {
            protocol::Parameters::default().validation_fraction
        } else {
            0.0
        },
        early_stopping_patience: parameters.early_stopping_patience,
        seed: parameters.seed,
        checkpoint_every_steps: CHECKPOINT_EVERY_STEPS,
        precision: match parameters.precision {
            PrecisionChoice::Auto => None,
            PrecisionChoice::Fp32 => Some(protocol::Precision::Fp32),
            PrecisionChoice::Bf16 => Some(protocol::Precision::Bf16),
        },
        quantization: match parameters.quantization {
            Quantization::None => protocol::Quantization::None,
            Quantization::Nf4 => protocol::Quantization::Nf4,
        },
        gradient_checkpointing: match parameters.gradient_checkpointing {
            GradientCheckpointing::Auto => protocol::Checkpointing::Auto,
            GradientCheckpointing::On => protocol::Checkpointing::On,
            GradientCheckpointing::Off => protocol::Checkpointing::Off,
        },
        threads: Some(size(threads)),
    }
}

fn projection(module: TargetModule) -> Projection {
    match module {
        TargetModule::QProj => Projection::QProj,
        TargetModule::KProj => Projection::KProj,
        TargetModule::VProj => Projection::VProj,
        TargetModule::OProj => Projection::OProj,
        TargetModule::GateProj => Projection::GateProj,
        TargetModule::UpProj => Projection::UpProj,
        TargetModule::DownProj => Projection::DownProj,
    }
}

/// Copies the accepted rows alone, some of them elsewhere.
fn write_rows(
    dataset: &Path,
    form: Form,
    to: &Path,
    kept_out: Option<(Split, &Path)>,
    mut each_line: impl FnMut(u64),
) -> io::Result<()> {
    let create = |path: &Path| fs::File::create(path).map(BufWriter::new);
    let mut out = create(to)?;
    let mut apart = match kept_out {
        Some((split, path)) => Some((split, create(path)?)),
        None => None,
    };
    let mut result = Ok(());
    cerebros_datasets::validate(
        fs::File::open(dataset)?,
        &Options::new(form),
        None,
        |row| {
            each_line(row.line);
            let out = match apart.as_mut().map(|(split, apart)| (split.keeps_next(), apart)) {
                Some((true, apart)) => apart,
                _ => &mut out,
            };
            if result.is_ok() {
                result = out.write_all(row.json).and_then(|()| out.write_all(b"\n"));
            }
        },
        |_| {},
    )?;
    result?;
    for out in std::iter::once(out).chain(apart.map(|(_, apart)| apart)) {
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    Ok(())
}

/// The adapter is small, and the job outlives the place that it is unpacked in.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Writes the job file, as the last, at once.
fn write_spec(directory: &Path, spec: &JobSpec) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use cerebros_datasets::format::{Format, Layout};

    #[test]
    fn rows_are_kept_out_as_the_split_says() {
        let row = |number| {
            format!(r#"{{"messages":[{{"role":"user","content":"{number}"}},{{"role":"assistant","content":"a"}}]}}"#)
        };
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let rows: Vec<String> = (0..20).map(row).collect();
        let mut file = rows.clone();
        // What is rejected counts for neither part.
        file.insert(3, "broken".to_owned());
        fs::write(at("file"), file.join("\n")).unwrap();
        let form = Form {
            format: Format::Chat,
            layout: Layout::Lines,
        };
        let split = Split::new(20, 5, 7);
        let mut of_row = split.clone();
        let (kept, left): (Vec<String>, Vec<String>) = rows.into_iter().partition(|_| of_row.keeps_next());
        write_rows(
            &at("file"),
            form,
            &at("train"),
            Some((split, &at("validation"))),
            |_| {},
        )
        .unwrap();
        let lines = |name: &str| -> Vec<String> {
            let text = fs::read_to_string(at(name)).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        assert_eq!((lines("train"), lines("validation")), (left, kept));
    }
}
