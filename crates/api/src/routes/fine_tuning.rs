//! OpenAI's fine-tuning jobs.

use crate::{
    error::{AppError, AppResult},
    extract::{Body, Query, Trainer, Viewer},
    fine_tuning::{self, Teller},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    jobs,
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use cerebros_common::{
    files::WireList,
    fine_tuning::{FineTuningCheckpoint, FineTuningEvent, FineTuningJob, NewFineTuningJob, WireCursor},
    jobs::JobMetadata,
};
use cerebros_db::{self as db, Scope, Way, jobs::Stop};
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_JOBS: u32 = 20;
const DEFAULT_EVENTS: u32 = 20;
const DEFAULT_CHECKPOINTS: u32 = 10;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(create_fine_tuning_job)
        .service(list_fine_tuning_jobs)
        .service(find_fine_tuning_job)
        .service(cancel_fine_tuning_job)
        .service(pause_fine_tuning_job)
        .service(resume_fine_tuning_job)
        .service(list_fine_tuning_events)
        .service(list_fine_tuning_checkpoints);
}

/// Fine-tune
///
/// Queues LoRA fine-tuning of a base on a file. A file may still be on its way through validation: the job waits for it.
#[utoipa::path(
    tag = "openai",
    params(IdempotencyKeyHeader),
    request_body = NewFineTuningJob,
    responses((status = 200, description = "The job", body = FineTuningJob)),
)]
#[post("/fine_tuning/jobs")]
async fn create_fine_tuning_job(
    app: web::Data<App>,
    Trainer(scope): Trainer,
    once: Once,
    body: Body<NewFineTuningJob>,
) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    let order = fine_tuning::read(&app, &scope, &body).await?;
    let teller = Teller::new(&app, &scope).await?;
    let work = async |write: &mut db::Write| {
        let job = db::jobs::insert(write, &order.job, &order.label).await?;
        jobs::queue(write, &job.job).await?;
        Answer::plain(teller.shape(&job, order.validating))
    };
    turn.run(work).await
}

/// List fine-tuning jobs
///
/// Newest first. `metadata[name]=text` keeps those alone that have it.
#[utoipa::path(
    tag = "openai",
    params(WireCursor),
    responses((status = 200, description = "OpenAI's list of jobs", body = WireList<FineTuningJob>)),
)]
#[get("/fine_tuning/jobs")]
async fn list_fine_tuning_jobs(
    app: web::Data<App>,
    http: HttpRequest,
    Viewer(scope): Viewer,
    query: Query<WireCursor>,
) -> AppResult {
    let after = match &query.0.after {
        Some(id) => Some(fine_tuning::parse(id, "after")?),
        None => None,
    };
    let limit = query.0.limit.unwrap_or(DEFAULT_JOBS);
    let teller = Teller::new(&app, &scope).await?;
    let metadata = wanted_metadata(http.query_string());
    let (data, has_more) = teller.list(after, &metadata, count(limit)).await?;
    Ok(HttpResponse::Ok().json(WireList::new(data, has_more, |job| &job.id)))
}

/// The pairs of `metadata[name]=text`.
fn wanted_metadata(query: &str) -> JobMetadata {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let named = pairs.filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?.to_owned();
        Some((name, value.into_owned()))
    });
    named.collect()
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Find a fine-tuning job
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path)),
    responses((status = 200, description = "The job as it stands", body = FineTuningJob)),
)]
#[get("/fine_tuning/jobs/{fine_tuning_job_id}")]
async fn find_fine_tuning_job(app: web::Data<App>, Viewer(scope): Viewer, id: web::Path<String>) -> AppResult {
    let teller = Teller::new(&app, &scope).await?;
    Ok(HttpResponse::Ok().json(teller.find(&id).await?))
}

/// Cancel a fine-tuning job
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path)),
    responses((status = 200, description = "The job; a running one ends a moment later", body = FineTuningJob)),
)]
#[post("/fine_tuning/jobs/{fine_tuning_job_id}/cancel")]
async fn cancel_fine_tuning_job(app: web::Data<App>, Trainer(scope): Trainer, id: web::Path<String>) -> AppResult {
    stop(&app, &scope, &id, Stop::Cancel).await
}

/// Pause a fine-tuning job
///
/// It writes a checkpoint and leaves the trainer to the next. Until it is resumed, its status is `queued`.
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path)),
    responses((status = 200, description = "The job; a running one is paused a moment later", body = FineTuningJob)),
)]
#[post("/fine_tuning/jobs/{fine_tuning_job_id}/pause")]
async fn pause_fine_tuning_job(app: web::Data<App>, Trainer(scope): Trainer, id: web::Path<String>) -> AppResult {
    stop(&app, &scope, &id, Stop::Pause).await
}

async fn stop(app: &App, scope: &Scope, id: &str, how: Stop) -> AppResult {
    let teller = Teller::new(app, scope).await?;
    // Also what is missing is told in its terms.
    teller.find(id).await?;
    jobs::stop(app, scope, fine_tuning::parse(id, "fine_tuning_job_id")?, how).await?;
    Ok(HttpResponse::Ok().json(teller.find(id).await?))
}

/// Resume a fine-tuning job
///
/// Puts a paused, failed or cancelled job at the end of the queue. It goes on from its last checkpoint.
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The job, queued", body = FineTuningJob)),
)]
#[post("/fine_tuning/jobs/{fine_tuning_job_id}/resume")]
async fn resume_fine_tuning_job(
    app: web::Data<App>,
    Trainer(scope): Trainer,
    once: Once,
    id: web::Path<String>,
) -> AppResult {
    let job_id = fine_tuning::parse(&id, "fine_tuning_job_id")?;
    let teller = Teller::new(&app, &scope).await?;
    let work = async |write: &mut db::Write| {
        let job = db::jobs::resume(write, job_id).await;
        let job = job.map_err(fine_tuning::not_found(&id))?;
        jobs::queue(write, &job.job).await?;
        Answer::plain(teller.tell(&job).await?)
    };
    once.run(&app, &scope, &(), work).await
}

/// List a fine-tuning job's events
///
/// Newest first: what the trainer said, and the figures of each step.
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path), WireCursor),
    responses((status = 200, description = "OpenAI's list of events", body = WireList<FineTuningEvent>)),
)]
#[get("/fine_tuning/jobs/{fine_tuning_job_id}/events")]
async fn list_fine_tuning_events(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: web::Path<String>,
    query: Query<WireCursor>,
) -> AppResult {
    let job_id = fine_tuning::parse(&id, "fine_tuning_job_id")?;
    let job = db::jobs::find(&scope, &app.db, job_id).await;
    let job = job.map_err(fine_tuning::not_found(&id))?;
    let after = match &query.0.after {
        Some(event) => Some(fine_tuning::parse_mark(job_id, event).ok_or_else(|| no_such("after"))?),
        None => None,
    };
    let limit = query.0.limit.unwrap_or(DEFAULT_EVENTS);
    let mut found = db::jobs::history(&scope, &app.db, job_id, after, limit + 1).await?;
    let has_more = found.len() > count(limit);
    found.truncate(count(limit));
    let data = found.into_iter().map(|happened| fine_tuning::event(&job, happened));
    Ok(
        HttpResponse::Ok().json(WireList::new(data.collect(), has_more, |event: &FineTuningEvent| {
            &event.id
        })),
    )
}

/// List a fine-tuning job's checkpoints
///
/// Newest first; those whose adapter is kept, which answer under the name that is told.
#[utoipa::path(
    tag = "openai",
    params(("fine_tuning_job_id" = String, Path), WireCursor),
    responses((status = 200, description = "OpenAI's list of checkpoints", body = WireList<FineTuningCheckpoint>)),
)]
#[get("/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints")]
async fn list_fine_tuning_checkpoints(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: web::Path<String>,
    query: Query<WireCursor>,
) -> AppResult {
    let job_id = fine_tuning::parse(&id, "fine_tuning_job_id")?;
    let labelled = db::jobs::find_labelled(&scope, &app.db, job_id).await;
    let labelled = labelled.map_err(fine_tuning::not_found(&id))?;
    let after = match &query.0.after {
        Some(checkpoint) => Some(fine_tuning::parse_checkpoint(job_id, checkpoint).ok_or_else(|| no_such("after"))?),
        None => None,
    };
    let limit = query.0.limit.unwrap_or(DEFAULT_CHECKPOINTS);
    let found = db::jobs::checkpoints(&scope, &app.db, job_id, Way::Down, after, true, limit).await?;
    let model = Teller::new(&app, &scope).await?.model_name(&labelled);
    let data = found
        .items
        .iter()
        .map(|checkpoint| fine_tuning::checkpoint(&labelled.job, &model, checkpoint));
    Ok(HttpResponse::Ok().json(WireList::new(
        data.collect(),
        found.next_cursor.is_some(),
        |checkpoint: &FineTuningCheckpoint| &checkpoint.id,
    )))
}

fn no_such(param: &str) -> AppError {
    AppError::field(param, "invalid_value", "must be an id of this list")
}
