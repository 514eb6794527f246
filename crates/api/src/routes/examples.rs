//! Examples: list, write, judge.

use crate::{
    error::{AppError, AppResult},
    examples::{
        duplicates::enqueue_grouping,
        quality::{self, assess},
    },
    extract::{Body, Caller, Editor, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Reviewer, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    paging, respond,
    state::App,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    api_keys::KeyScope,
    examples::{
        ClaimedExamples, Example, ExampleClaim, ExampleJudgement, ExampleLine, ExampleOutlineQuery, ExamplePatch,
        ExampleQuery, ExampleRelease, ExampleReview, ExampleReviewResult, ExampleSort, ExampleSplit, ExampleSummary,
        ExampleSummaryQuery, ExampleVerification, NewExample, SplitExamples, VerifiedExamples,
    },
    ids::{ExampleId, UserId},
    wire::{CursorPage, Envelope},
    workspaces::Role,
};
use cerebros_db::{
    self as db, Scope,
    examples::{After, Judged},
};
use utoipa_actix_web::service_config::ServiceConfig;

/// Lines of an outline.
const OUTLINED: u32 = 500;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_examples)
        .service(create_example)
        .service(review_examples)
        .service(outline_examples)
        .service(summarize_examples)
        .service(claim_examples)
        .service(release_examples)
        .service(verify_examples)
        .service(judge_example)
        .service(undo_example)
        .service(split_example)
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
        description = "Newest first, the examples of one document in the order of its text; or by score",
        body = Envelope<CursorPage<Example>>,
    )),
)]
#[get("/examples")]
async fn list_examples(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ExampleQuery>) -> AppResult {
    let after = after(query.0.cursor.as_deref(), query.0.sort)?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::examples::list(&scope, &app.db, &query.0, after, limit).await?,
    ))
}

/// Outline examples
///
/// The beginnings of many, for long lists.
#[utoipa::path(
    tag = "examples",
    params(ExampleOutlineQuery),
    responses((status = 200, description = "In the order of the list", body = Envelope<CursorPage<ExampleLine>>)),
)]
#[get("/examples/outline")]
async fn outline_examples(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ExampleOutlineQuery>) -> AppResult {
    let after = after(query.0.cursor.as_deref(), query.0.sort)?;
    let limit = query.0.limit.unwrap_or(OUTLINED);
    Ok(respond::ok(
        db::examples::outline(&scope, &app.db, &query.0, after, limit).await?,
    ))
}

/// Reads the cursor of a list in this order.
fn after(cursor: Option<&str>, sort: Option<ExampleSort>) -> AppResult<Option<After>> {
    let after: Option<After> = paging::cursor(cursor)?;
    if after.is_some_and(|after| !after.fits(sort.unwrap_or_default())) {
        let message = "must be the `next_cursor` of a list in the same order";
        return Err(AppError::field("cursor", "type", message));
    }
    Ok(after)
}

/// Sum up examples
///
/// How far the review of an agent's examples is, and who works on it.
#[utoipa::path(
    tag = "examples",
    params(ExampleSummaryQuery),
    responses((status = 200, description = "Counts", body = Envelope<ExampleSummary>)),
)]
#[get("/examples/summary")]
async fn summarize_examples(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    query: Query<ExampleSummaryQuery>,
) -> AppResult {
    Ok(respond::ok(
        db::examples::summary(&scope, &app.db, query.0.agent_id).await?,
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
        let assessed = assess(&Judged {
            prompt: &body.prompt,
            reasoning: &body.reasoning,
            response: &body.response,
            quoted: None,
        });
        let example = db::examples::insert(write, &body, assessed).await?;
        enqueue_grouping(write, &scope, example.agent_id).await?;
        let location = format!("/api/v1/examples/{}", example.id);
        Ok(Answer::created(location, &example)?.version(example.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Judge many examples
///
/// The named ones of the agent, those that a filter finds, or every pending one; what others hold stays as it is.
#[utoipa::path(
    tag = "examples",
    request_body = ExampleReview,
    responses((status = 200, description = "How many changed", body = Envelope<ExampleReviewResult>)),
)]
#[post("/examples/review")]
async fn review_examples(app: web::Data<App>, Reviewer(scope): Reviewer, body: Body<ExampleReview>) -> AppResult {
    if body.dry_run {
        return Ok(respond::ok(db::examples::preview(&scope, &app.db, &body).await?));
    }
    let mut write = app.db.write(&scope).await?;
    let result = db::examples::review(&mut write, &body).await?;
    write.commit().await?;
    Ok(respond::ok(result))
}

/// Claim examples
///
/// Reserves pending examples for some minutes, so that nobody else reviews them meanwhile. Claiming by a filter lets go
/// of what was claimed before and is not found again.
#[utoipa::path(
    tag = "examples",
    request_body = ExampleClaim,
    responses((status = 200, description = "What is reserved, and until when", body = Envelope<ClaimedExamples>)),
)]
#[post("/examples/claim")]
async fn claim_examples(app: web::Data<App>, Reviewer(scope): Reviewer, body: Body<ExampleClaim>) -> AppResult {
    let user_id = person(&scope)?;
    let mut write = reservation(&app, &scope).await?;
    let claimed = db::examples::claim(&mut write, user_id, &body).await?;
    write.commit().await?;
    Ok(respond::ok(claimed))
}

/// Release examples
///
/// Lets go of all that the caller has claimed of an agent.
#[utoipa::path(
    tag = "examples",
    request_body = ExampleRelease,
    responses((status = 204, description = "They are free")),
)]
#[post("/examples/release")]
async fn release_examples(app: web::Data<App>, Reviewer(scope): Reviewer, body: Body<ExampleRelease>) -> AppResult {
    let user_id = person(&scope)?;
    let mut write = reservation(&app, &scope).await?;
    db::examples::release(&mut write, user_id, body.agent_id).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// A reservation passes by itself and changes nothing that is kept: it is nothing for the audit log.
async fn reservation(app: &App, scope: &Scope) -> AppResult<db::Write> {
    Ok(app.db.write(&Scope::system(scope.workspace_id)).await?)
}

fn person(scope: &Scope) -> AppResult<UserId> {
    let user_id = scope.actor.user_id();
    user_id.ok_or_else(|| AppError::internal(anyhow::anyhow!("a task sent a request")))
}

/// Verify examples
///
/// Checks the quotations of a document's examples against its stored text, and sets wrong marks right.
#[utoipa::path(
    tag = "examples",
    request_body = ExampleVerification,
    responses((status = 200, description = "What was found", body = Envelope<VerifiedExamples>)),
)]
#[post("/examples/verify")]
async fn verify_examples(app: web::Data<App>, Editor(scope): Editor, body: Body<ExampleVerification>) -> AppResult {
    Ok(respond::ok(quality::verify(&app, &scope, body.document_id).await?))
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
    let example = db::examples::update(&mut write, id.0, version.0, &body, assess).await?;
    enqueue_grouping(&write, &scope, example.agent_id).await?;
    write.commit().await?;
    let version = example.version;
    Ok(respond::ok_versioned(example, version))
}

/// Judge an example
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfMatchHeader),
    request_body = ExampleJudgement,
    responses((status = 200, description = "The example as it is now", body = Envelope<Example>)),
)]
#[post("/examples/{id}/judge")]
async fn judge_example(
    app: web::Data<App>,
    Reviewer(scope): Reviewer,
    id: Id<ExampleId>,
    version: IfMatch,
    body: Body<ExampleJudgement>,
) -> AppResult {
    let patch = ExamplePatch {
        status: Some(body.status),
        ..ExamplePatch::default()
    };
    let mut write = app.db.write(&scope).await?;
    let example = db::examples::update(&mut write, id.0, version.0, &patch, assess).await?;
    write.commit().await?;
    let version = example.version;
    Ok(respond::ok_versioned(example, version))
}

/// Undo the last change of an example
///
/// Brings back words and status; up to 20 changes are kept. Undoing a change of words takes the role editor.
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfMatchHeader),
    responses((status = 200, description = "The example as it was, at a new version", body = Envelope<Example>)),
)]
#[post("/examples/{id}/undo")]
async fn undo_example(app: web::Data<App>, caller: Caller, id: Id<ExampleId>, version: IfMatch) -> AppResult {
    caller.require(Role::Reviewer, KeyScope::Write)?;
    let may_edit = caller.role >= Role::Editor;
    let mut write = app.db.write(&caller.scope).await?;
    let example = db::examples::undo(&mut write, id.0, version.0, may_edit, assess).await?;
    enqueue_grouping(&write, &caller.scope, example.agent_id).await?;
    write.commit().await?;
    let version = example.version;
    Ok(respond::ok_versioned(example, version))
}

/// Split an example
///
/// It becomes the first part; the others are new, pending, and keep its source.
#[utoipa::path(
    tag = "examples",
    params(("id" = ExampleId, Path), IfMatchHeader, IdempotencyKeyHeader),
    request_body = ExampleSplit,
    responses((status = 200, description = "The parts", body = Envelope<SplitExamples>)),
)]
#[post("/examples/{id}/split")]
async fn split_example(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<ExampleId>,
    version: IfMatch,
    once: Once,
    body: Body<ExampleSplit>,
) -> AppResult {
    let work = async |write: &mut db::Write| {
        let parts = db::examples::split(write, id.0, version.0, &body.parts, assess).await?;
        if let Some(first) = parts.items.first() {
            enqueue_grouping(write, &scope, first.agent_id).await?;
        }
        Answer::ok(&parts)
    };
    once.run(&app, &scope, &body.0, work).await
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
    let agent_id = db::examples::delete(&mut write, id.0, version.0).await?;
    enqueue_grouping(&write, &scope, agent_id).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
