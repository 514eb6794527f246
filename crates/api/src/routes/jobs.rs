//! Training jobs.

use crate::{
    error::{AppError, AppResult},
    extract::{Body, Id, Query, Trainer, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    jobs, respond,
    state::App,
};
use actix_web::{get, post, web};
use cerebros_common::{
    agents::TrainingState,
    bases::BaseStatus,
    datasets::DatasetStatus,
    ids::JobId,
    jobs::{Job, JobCursor, JobLogLine, JobQuery, MetricPoint, NewJob},
    wire::{CursorPage, Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_POINTS: u32 = 500;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_jobs)
        .service(create_job)
        .service(find_job)
        .service(cancel_job)
        .service(resume_job)
        .service(list_job_metrics)
        .service(list_job_log);
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
/// Queues LoRA fine-tuning of a base on a dataset. With `agent_id`, the agent answers with the model once it is trained.
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
    let dataset = db::datasets::find(&scope, &app.db, body.dataset_id).await?;
    if dataset.status != DatasetStatus::Ready {
        return Err(AppError::conflict(
            "The dataset is not ready. Wait until it is, or see what is wrong with it.",
        ));
    }
    db::datasets::find_for_training(&scope, &app.db, body.dataset_id).await?;
    if dataset.report.is_none_or(|report| report.rows_accepted == 0) {
        return Err(AppError::conflict(
            "The dataset has no row to train on. Approve examples or upload others.",
        ));
    }
    let base = db::bases::find(&scope, &app.db, body.base_id).await?;
    if base.status != BaseStatus::Ready {
        return Err(AppError::conflict(
            "The base is not ready. Wait until it is, or choose another one.",
        ));
    }
    let work = async |write: &mut db::Write| {
        if let Some(agent_id) = body.agent_id {
            db::agents::require(write, agent_id).await?;
        }
        let job = db::jobs::insert(write, &body).await?;
        queue(write, &job).await?;
        Answer::created(format!("/api/v1/jobs/{}", job.id), job)
    };
    turn.run(work).await
}

async fn queue(write: &mut db::Write, job: &Job) -> AppResult<()> {
    if let Some(agent_id) = job.agent_id {
        db::agents::set_training(write, agent_id, job.id, TrainingState::Queued, None).await?;
    }
    jobs::enqueue_training(write, job).await
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
    let mut write = app.db.write(&scope).await?;
    let job = db::jobs::request_cancel(&mut write, id.0).await?;
    if let (Some(agent_id), true) = (job.agent_id, job.status.is_over()) {
        db::agents::set_training(&mut write, agent_id, job.id, TrainingState::Idle, None).await?;
    }
    write.commit().await?;
    Ok(respond::ok(job))
}

/// Resume a job
///
/// Queues a failed or cancelled job again. It goes on from its last checkpoint.
#[utoipa::path(
    tag = "jobs",
    params(("id" = JobId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The job, queued", body = Envelope<Job>)),
)]
#[post("/jobs/{id}/resume")]
async fn resume_job(app: web::Data<App>, Trainer(scope): Trainer, once: Once, id: Id<JobId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let job = db::jobs::requeue(write, id.0).await?;
        queue(write, &job).await?;
        Answer::ok(job)
    };
    once.run(&app, &scope, &(), work).await
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

fn number(cursor: Option<&str>) -> AppResult<Option<i64>> {
    let Some(text) = cursor else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| AppError::field("cursor", "type", "must be a `next_cursor` of this list"))
}
