//! Batches of generated examples.

use crate::{
    batches,
    error::AppResult,
    extract::{Body, Editor, Id, Query, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    paging, respond,
    state::App,
};
use actix_web::{get, post, web};
use cerebros_common::{
    batches::{Batch, BatchEstimate, BatchItem, BatchItemQuery, BatchQuery, NewBatch},
    ids::BatchId,
    wire::{CursorPage, Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_batches)
        .service(create_batch)
        .service(estimate_batch)
        .service(find_batch)
        .service(pause_batch)
        .service(resume_batch)
        .service(cancel_batch)
        .service(retry_batch)
        .service(list_batch_items);
}

/// List batches
#[utoipa::path(
    tag = "batches",
    params(BatchQuery),
    responses((status = 200, description = "A page of batches, newest first", body = Envelope<Page<Batch>>)),
)]
#[get("/batches")]
async fn list_batches(app: web::Data<App>, Viewer(scope): Viewer, query: Query<BatchQuery>) -> AppResult {
    Ok(respond::ok(db::batches::list(&scope, &app.db, &query.0).await?))
}

/// Make examples of many chunks
///
/// With the workspace's language model, or without one from the text itself. Every example waits for review.
#[utoipa::path(
    tag = "batches",
    params(IdempotencyKeyHeader),
    request_body = NewBatch,
    responses((status = 201, description = "A running batch", body = Envelope<Batch>)),
)]
#[post("/batches")]
async fn create_batch(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewBatch>) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    let plan = batches::plan(&app, &scope, &body).await?;
    let work = async |write: &mut db::Write| {
        let (batch, next) = db::batches::insert(write, &body, &plan.sources, None).await?;
        batches::enqueue_items(write, batch.id, &next).await?;
        Answer::created(format!("/api/v1/batches/{}", batch.id), batch)
    };
    turn.run(work).await
}

/// Estimate a batch
///
/// What the same body would take as a batch. Nothing starts.
#[utoipa::path(
    tag = "batches",
    request_body = NewBatch,
    responses((status = 200, description = "Chunks, calls, tokens and cost", body = Envelope<BatchEstimate>)),
)]
#[post("/batches/estimate")]
async fn estimate_batch(app: web::Data<App>, Editor(scope): Editor, body: Body<NewBatch>) -> AppResult {
    let plan = batches::plan(&app, &scope, &body).await?;
    Ok(respond::ok(batches::estimate(&body, &plan)))
}

/// Find a batch
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path)),
    responses((status = 200, description = "The batch as it stands", body = Envelope<Batch>)),
)]
#[get("/batches/{id}")]
async fn find_batch(app: web::Data<App>, Viewer(scope): Viewer, id: Id<BatchId>) -> AppResult {
    Ok(respond::ok(db::batches::find(&scope, &app.db, id.0).await?))
}

/// Pause a batch
///
/// No further item starts; those that are worked on come to their end.
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path)),
    responses((status = 200, description = "The batch, paused", body = Envelope<Batch>)),
)]
#[post("/batches/{id}/pause")]
async fn pause_batch(app: web::Data<App>, Editor(scope): Editor, id: Id<BatchId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let batch = db::batches::pause(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::ok(batch))
}

/// Continue a batch
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The batch, running", body = Envelope<Batch>)),
)]
#[post("/batches/{id}/resume")]
async fn resume_batch(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<BatchId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let (batch, next) = db::batches::resume(write, id.0).await?;
        batches::enqueue_items(write, batch.id, &next).await?;
        Answer::ok(batch)
    };
    once.run(&app, &scope, &(), work).await
}

/// Cancel a batch
///
/// What it has made stays.
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path)),
    responses((status = 200, description = "The batch, cancelled", body = Envelope<Batch>)),
)]
#[post("/batches/{id}/cancel")]
async fn cancel_batch(app: web::Data<App>, Editor(scope): Editor, id: Id<BatchId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let batch = db::batches::cancel(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::ok(batch))
}

/// Retry what failed
///
/// Puts the failed items in line again, each as a new question.
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The batch, running", body = Envelope<Batch>)),
)]
#[post("/batches/{id}/retry")]
async fn retry_batch(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<BatchId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let (batch, next) = db::batches::retry(write, id.0).await?;
        batches::enqueue_items(write, batch.id, &next).await?;
        Answer::ok(batch)
    };
    once.run(&app, &scope, &(), work).await
}

/// List a batch's items
#[utoipa::path(
    tag = "batches",
    params(("id" = BatchId, Path), BatchItemQuery),
    responses((
        status = 200,
        description = "In the order in which they are worked on",
        body = Envelope<CursorPage<BatchItem>>,
    )),
)]
#[get("/batches/{id}/items")]
async fn list_batch_items(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<BatchId>,
    query: Query<BatchItemQuery>,
) -> AppResult {
    let after = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    let items = db::batches::list_items(&scope, &app.db, id.0, &query.0, after, limit).await?;
    Ok(respond::ok(items))
}
