//! Examples: list, write, judge.

use crate::{
    error::AppResult,
    extract::{Body, Editor, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Reviewer, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    paging, respond,
    state::App,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    examples::{Example, ExamplePatch, ExampleQuery, ExampleReview, ExampleReviewResult, NewExample},
    ids::ExampleId,
    wire::{CursorPage, Envelope},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_examples)
        .service(create_example)
        .service(review_examples)
        .service(find_example)
        .service(update_example)
        .service(delete_example);
}

/// List examples
#[utoipa::path(
    tag = "examples",
    params(ExampleQuery),
    responses((
        status = 200,
        description = "Newest first, the examples of one document in the order of its text",
        body = Envelope<CursorPage<Example>>,
    )),
)]
#[get("/examples")]
async fn list_examples(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ExampleQuery>) -> AppResult {
    let after = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::examples::list(&scope, &app.db, &query.0, after, limit).await?,
    ))
}

/// Write an example
///
/// It starts approved: its author vouches for it.
#[utoipa::path(
    tag = "examples",
    params(IdempotencyKeyHeader),
    request_body = NewExample,
    responses((status = 201, description = "An approved example", body = Envelope<Example>)),
)]
#[post("/examples")]
async fn create_example(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewExample>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let example = db::examples::insert(write, &body).await?;
        let location = format!("/api/v1/examples/{}", example.id);
        Ok(Answer::created(location, &example)?.version(example.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Judge many examples
///
/// The named ones of the agent, or every pending one.
#[utoipa::path(
    tag = "examples",
    request_body = ExampleReview,
    responses((status = 200, description = "How many changed", body = Envelope<ExampleReviewResult>)),
)]
#[post("/examples/review")]
async fn review_examples(app: web::Data<App>, Reviewer(scope): Reviewer, body: Body<ExampleReview>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let changed = db::examples::review(&mut write, &body).await?;
    write.commit().await?;
    Ok(respond::ok(ExampleReviewResult { changed }))
}

/// Find an example
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The example; `ETag` holds its version", body = Envelope<Example>)),
)]
#[get("/examples/{id}")]
async fn find_example(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ExampleId>) -> AppResult {
    let example = db::examples::find(&scope, &app.db, id.0).await?;
    let version = example.version;
    Ok(respond::ok_versioned(example, version))
}

/// Change an example
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfMatchHeader),
    request_body = ExamplePatch,
    responses((status = 200, description = "The example as it is now", body = Envelope<Example>)),
)]
#[patch("/examples/{id}")]
async fn update_example(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<ExampleId>,
    version: IfMatch,
    body: Body<ExamplePatch>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let example = db::examples::update(&mut write, id.0, version.0, &body).await?;
    write.commit().await?;
    let version = example.version;
    Ok(respond::ok_versioned(example, version))
}

/// Delete an example
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfMatchHeader),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/examples/{id}")]
async fn delete_example(app: web::Data<App>, Editor(scope): Editor, id: Id<ExampleId>, version: IfMatch) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::examples::delete(&mut write, id.0, version.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
