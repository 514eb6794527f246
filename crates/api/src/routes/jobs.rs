//! Training jobs.

use crate::{
    download,
    error::{AppError, AppResult},
    extract::{Body, Id, Query, Trainer, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    jobs::{self, Misfit},
    respond,
    state::App,
};
use actix_web::{get, post, web};
use cerebros_common::{
    bases::BaseStatus,
    datasets::{Dataset, DatasetStatus, RowsKind},
    ids::{JobId, ModelId},
    jobs::{
        Checkpoint, Job, JobCursor, JobEstimate, JobLogLine, JobParameters, JobQuery, JobSamples, MetricPoint, NewJob,
    },
    wire::{CursorPage, Envelope, Page},
};
use cerebros_db::{
    self as db, DbError, Scope, Way,
    jobs::{JobLabel, Stop},
};
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_POINTS: u32 = 500;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_jobs)
        .service(create_job)
        .service(estimate_job)
        .service(find_job)
        .service(cancel_job)
        .service(pause_job)
        .service(resume_job)
        .service(retry_job)
        .service(list_job_checkpoints)
        .service(download_checkpoint_adapter)
        .service(list_job_metrics)
        .service(list_job_log)
        .service(find_job_samples);
}

/// List training jobs
#[utoipa::path(
    tag = "jobs",
    params(JobQuery),
    responses((status = 200, description = "A page of jobs, newest first", body = Envelope<Page<Job>>)),
)]
#[get("/jobs")]
async fn list_jobs(app: web::Data<App>, Viewer(scope): Viewer, query: Query<JobQuery>) -> AppResult {
    Ok(respond::ok(db::jobs::list(&scope, &app.db, &query.0).await?))
}

/// Train
///
/// Queues LoRA fine-tuning of a base on a dataset, with a fresh adapter or going on from a model's: supervised on
/// conversations, by direct preference optimisation (DPO) on pairs of a better and a worse answer. With `agent_id`, the
/// agent answers with the model once it is trained.
#[utoipa::path(
    tag = "jobs",
    params(IdempotencyKeyHeader),
    request_body = NewJob,
    responses((status = 201, description = "A queued job", body = Envelope<Job>)),
)]
#[post("/jobs")]
async fn create_job(app: web::Data<App>, Trainer(scope): Trainer, once: Once, body: Body<NewJob>) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    require_ready(&app, &scope, &body.0).await?;
    require_measured(&app, &scope, &body.0).await?;
    let work = async |write: &mut db::Write| {
        if let Some(agent_id) = body.agent_id {
            db::agents::require(write, agent_id).await?;
        }
        let job = db::jobs::insert(write, &body, &JobLabel::default()).await?.job;
        jobs::queue(write, &job).await?;
        Answer::created(format!("/api/v1/jobs/{}", job.id), job)
    };
    turn.run(work).await
}

/// Estimate a job
///
/// Counts what a job would do, without starting it: its rows, tokens and steps exactly, its memory and time about.
#[utoipa::path(
    tag = "jobs",
    request_body = NewJob,
    responses((status = 200, description = "What the job would do and need", body = Envelope<JobEstimate>)),
)]
#[post("/jobs/estimate")]
async fn estimate_job(app: web::Data<App>, Trainer(scope): Trainer, body: Body<NewJob>) -> AppResult {
    require_ready(&app, &scope, &body.0).await?;
    if let Some(agent_id) = body.agent_id {
        db::agents::find(&scope, &app.db, agent_id).await?;
    }
    Ok(respond::ok(jobs::estimate(&app, &scope, &body.0).await?))
}

/// Refuses what could not start.
pub async fn require_ready(app: &App, scope: &Scope, new: &NewJob) -> AppResult<()> {
    let kind = async |id| -> AppResult<Option<RowsKind>> {
        require_rows(&db::datasets::find(scope, &app.db, id).await?)?;
        let located = db::datasets::find_for_training(scope, &app.db, id).await?;
        Ok(located.dataset.rows_kind)
    };
    let rows = kind(new.dataset_id).await?;
    let measured = match new.validation_dataset_id {
        Some(id) => Some(kind(id).await?),
        None => None,
    };
    jobs::method(new.parameters.method, rows, measured).map_err(|misfit| match misfit {
        Misfit::Method(message) => AppError::field("parameters.method", "invalid_value", message),
        Misfit::Validation(message) => AppError::field("validation_dataset_id", "invalid_value", message),
    })?;
    let base = db::bases::find(scope, &app.db, new.base_id).await?;
    if base.status != BaseStatus::Ready {
        return Err(AppError::conflict(
            "The base is not ready. Wait until it is, or choose another one.",
        ));
    }
    match new.initial_model_id {
        Some(id) => require_same_adapter(app, scope, id, new).await,
        None => Ok(()),
    }
}

/// An adapter keeps its shape, and fits its base alone.
async fn require_same_adapter(app: &App, scope: &Scope, id: ModelId, new: &NewJob) -> AppResult<()> {
    let model = db::models::find(scope, &app.db, id).await?.model;
    if model.source_deleted_at.is_some() {
        return Err(DbError::SourceDeleted.into());
    }
    if model.base_id != new.base_id {
        let message = format!("must be the base of the model to go on from, `{}`", model.base_name);
        return Err(AppError::field("base_id", "mismatch", message));
    }
    let before = db::jobs::find(scope, &app.db, model.job_id).await?.parameters;
    let after = &new.parameters;
    let modules = |parameters: &JobParameters| serde_json::to_string(&parameters.target_modules).unwrap_or_default();
    let all = [
        ("rank", before.rank.to_string(), after.rank.to_string()),
        ("alpha", before.alpha.to_string(), after.alpha.to_string()),
        (
            "rank_stabilized",
            before.rank_stabilized.to_string(),
            after.rank_stabilized.to_string(),
        ),
        ("target_modules", modules(&before), modules(after)),
    ];
    match all.iter().find(|(_, before, after)| before != after) {
        Some((name, before, _)) => Err(AppError::field(
            &format!("parameters.{name}"),
            "mismatch",
            format!("must be {before}, as in the model to go on from"),
        )),
        None => Ok(()),
    }
}

fn require_rows(dataset: &Dataset) -> AppResult<()> {
    if dataset.status != DatasetStatus::Ready {
        return Err(AppError::conflict(
            "The dataset is not ready. Wait until it is, or see what is wrong with it.",
        ));
    }
    if dataset.report.as_ref().is_none_or(|report| report.rows_accepted == 0) {
        return Err(AppError::conflict(
            "The dataset has no row to train on. Approve examples or upload others.",
        ));
    }
    Ok(())
}

/// Find a job
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, description = "The job as it stands", body = Envelope<Job>)),
)]
#[get("/jobs/{id}")]
async fn find_job(app: web::Data<App>, Viewer(scope): Viewer, id: Id<JobId>) -> AppResult {
    Ok(respond::ok(db::jobs::find(&scope, &app.db, id.0).await?))
}

/// Cancel a job
///
/// A running one writes a checkpoint first, so it can be resumed.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, description = "The job; a running one ends a moment later", body = Envelope<Job>)),
)]
#[post("/jobs/{id}/cancel")]
async fn cancel_job(app: web::Data<App>, Trainer(scope): Trainer, id: Id<JobId>) -> AppResult {
    Ok(respond::ok(jobs::stop(&app, &scope, id.0, Stop::Cancel).await?))
}

/// Pause a job
///
/// A queued one leaves the queue; a running one writes a checkpoint and leaves the trainer to the next. Resumed, it goes on
/// at the same step.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, description = "The job; a running one is paused a moment later", body = Envelope<Job>)),
)]
#[post("/jobs/{id}/pause")]
async fn pause_job(app: web::Data<App>, Trainer(scope): Trainer, id: Id<JobId>) -> AppResult {
    Ok(respond::ok(jobs::stop(&app, &scope, id.0, Stop::Pause).await?))
}

/// Resume a job
///
/// Puts a paused, failed or cancelled job at the end of the queue. It goes on from its last checkpoint.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The job, queued", body = Envelope<Job>)),
)]
#[post("/jobs/{id}/resume")]
async fn resume_job(app: web::Data<App>, Trainer(scope): Trainer, once: Once, id: Id<JobId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let job = db::jobs::resume(write, id.0).await?.job;
        jobs::queue(write, &job).await?;
        Answer::ok(job)
    };
    once.run(&app, &scope, &(), work).await
}

/// Try a failed job again
///
/// Puts it at the end of the queue. It goes on from its last checkpoint, if it had come to one.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The job, queued", body = Envelope<Job>)),
)]
#[post("/jobs/{id}/retry")]
async fn retry_job(app: web::Data<App>, Trainer(scope): Trainer, once: Once, id: Id<JobId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let job = db::jobs::retry(write, id.0).await?.job;
        jobs::queue(write, &job).await?;
        Answer::ok(job)
    };
    once.run(&app, &scope, &(), work).await
}

/// List a job's checkpoints
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), JobCursor),
    responses((status = 200, description = "Checkpoints by step", body = Envelope<CursorPage<Checkpoint>>)),
)]
#[get("/jobs/{id}/checkpoints")]
async fn list_job_checkpoints(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<JobId>,
    query: Query<JobCursor>,
) -> AppResult {
    let after = number(query.0.cursor.as_deref())?;
    let limit = query.0.limit.unwrap_or(DEFAULT_POINTS);
    Ok(respond::ok(
        db::jobs::checkpoints(&scope, &app.db, id.0, Way::Up, after, false, limit).await?,
    ))
}

/// Download a checkpoint's adapter
///
/// A ZIP archive of a PEFT directory, as a model's. Of a job's checkpoints, eight at most keep their adapters.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), ("step" = u64, Path, description = "The checkpoint's step")),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip")),
)]
#[get("/jobs/{id}/checkpoints/{step}/adapter")]
async fn download_checkpoint_adapter(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    path: web::Path<(JobId, u64)>,
) -> AppResult {
    let (id, step) = path.into_inner();
    let (stored, _) = jobs::checkpoints::find(&app, &scope, id, step).await?;
    let blob = app.storage.read(&stored.blob_key).await.map_err(AppError::io)?;
    Ok(download::attachment(
        blob,
        "application/zip",
        &format!("adapter-{id}-step-{step}.zip"),
    ))
}

/// List a job's metric points
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), JobCursor),
    responses((status = 200, description = "Points by step", body = Envelope<CursorPage<MetricPoint>>)),
)]
#[get("/jobs/{id}/metrics")]
async fn list_job_metrics(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<JobId>,
    query: Query<JobCursor>,
) -> AppResult {
    let after = number(query.0.cursor.as_deref())?;
    let limit = query.0.limit.unwrap_or(DEFAULT_POINTS);
    Ok(respond::ok(
        db::jobs::metrics(&scope, &app.db, id.0, after, limit).await?,
    ))
}

/// List a job's log
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), JobCursor),
    responses((status = 200, description = "Lines, oldest first", body = Envelope<CursorPage<JobLogLine>>)),
)]
#[get("/jobs/{id}/log")]
async fn list_job_log(app: web::Data<App>, Viewer(scope): Viewer, id: Id<JobId>, query: Query<JobCursor>) -> AppResult {
    let after = number(query.0.cursor.as_deref())?;
    let limit = query.0.limit.unwrap_or(DEFAULT_POINTS);
    Ok(respond::ok(db::jobs::log(&scope, &app.db, id.0, after, limit).await?))
}

/// Find a job's best and worst validation rows
///
/// Those that its model says best and worst, with their text and loss: what it has learned, and where it fails.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, description = "Rows of the last evaluation that counts", body = Envelope<JobSamples>)),
)]
#[get("/jobs/{id}/samples")]
async fn find_job_samples(app: web::Data<App>, Viewer(scope): Viewer, id: Id<JobId>) -> AppResult {
    Ok(respond::ok(db::jobs::samples(&scope, &app.db, id.0).await?))
}

fn number(cursor: Option<&str>) -> AppResult<Option<i64>> {
    let Some(text) = cursor else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| AppError::field("cursor", "type", "must be a `next_cursor` of this list"))
}

/// Without a validation loss, nothing says when to stop early.
async fn require_measured(app: &App, scope: &Scope, new: &NewJob) -> AppResult<()> {
    if new.parameters.early_stopping_patience.is_none() || new.validation_dataset_id.is_some() {
        return Ok(());
    }
    let split = db::datasets::find(scope, &app.db, new.dataset_id).await?.split;
    if split.is_some_and(|split| split.validation_fraction == 0.0) {
        let message = "needs a validation dataset: this dataset keeps no rows out of training";
        return Err(AppError::field(
            "parameters.early_stopping_patience",
            "requires",
            message,
        ));
    }
    Ok(())
}
