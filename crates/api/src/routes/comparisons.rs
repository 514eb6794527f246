//! Comparisons of two models.

use crate::{
    comparisons::{self, judge},
    error::AppResult,
    extract::{Body, Editor, Id, Query, Reviewer, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{delete, get, post, put, web};
use cerebros_common::{
    comparisons::{Comparison, ComparisonQuery, ComparisonRound, NewComparison, NewVote},
    ids::{ComparisonId, ComparisonRoundId},
    wire::{Envelope, Page, PageQuery, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_comparisons)
        .service(create_comparison)
        .service(find_comparison)
        .service(delete_comparison)
        .service(judge_comparison)
        .service(list_comparison_rounds)
        .service(vote_on_round);
}

/// List comparisons
#[utoipa::path(
    tag = "comparisons",
    params(ComparisonQuery),
    responses((status = 200, description = "A page of comparisons, newest first", body = Envelope<Page<Comparison>>)),
)]
#[get("/comparisons")]
async fn list_comparisons(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ComparisonQuery>) -> AppResult {
    Ok(respond::ok(db::comparisons::list(&scope, &app.db, &query.0).await?))
}

/// Compare two models
///
/// Both answer each prompt in the background, always by the likeliest token; read the rounds while they do. For each prompt it is drawn who stands on the left.
#[utoipa::path(
    tag = "comparisons",
    params(IdempotencyKeyHeader),
    request_body = NewComparison,
    responses((status = 201, description = "A comparison whose answers are on their way", body = Envelope<Comparison>)),
)]
#[post("/comparisons")]
async fn create_comparison(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    body: Body<NewComparison>,
) -> AppResult {
    match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => comparisons::create(turn, body.0).await,
    }
}

/// Find a comparison
#[utoipa::path(
    tag = "comparisons",
    params(("id" = ComparisonId, Path)),
    responses((status = 200, description = "The comparison and its votes", body = Envelope<Comparison>)),
)]
#[get("/comparisons/{id}")]
async fn find_comparison(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ComparisonId>) -> AppResult {
    Ok(respond::ok(db::comparisons::find(&scope, &app.db, id.0).await?))
}

/// Delete a comparison
///
/// Its answers and votes go along.
#[utoipa::path(
    tag = "comparisons",
    params(("id" = ComparisonId, Path)),
    responses((status = 204, description = "The comparison is gone")),
)]
#[delete("/comparisons/{id}")]
async fn delete_comparison(app: web::Data<App>, Editor(scope): Editor, id: Id<ComparisonId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::comparisons::delete(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Have a comparison judged
///
/// In the background the workspace's language model reads both answers to each prompt, without names, once in either
/// order: an opinion counts where both times it is the same. Verdicts stay; asked again, it goes on with the rounds that
/// have none. 409 without a language model, and before all answers are there.
#[utoipa::path(
    tag = "comparisons",
    params(("id" = ComparisonId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "The comparison, whose rounds are being judged", body = Envelope<Comparison>)),
)]
#[post("/comparisons/{id}/judge")]
async fn judge_comparison(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<ComparisonId>) -> AppResult {
    match once.begin(&app, &scope, &()).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => judge::order(&app, &scope, turn, id.0).await,
    }
}

/// List a comparison's rounds
///
/// One for each prompt, with the answers as far as they have come. Who is who, and what a language model thinks of the
/// answers, is shown once somebody voted.
#[utoipa::path(
    tag = "comparisons",
    params(("id" = ComparisonId, Path), PageQuery),
    responses((status = 200, description = "A page of rounds, in their order", body = Envelope<Page<ComparisonRound>>)),
)]
#[get("/comparisons/{id}/rounds")]
async fn list_comparison_rounds(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<ComparisonId>,
    query: Query<PageQuery>,
) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(
        db::comparisons::rounds::list(&scope, &app.db, id.0, paging).await?,
    ))
}

/// Vote on a round
///
/// Once both answers are there. A vote stays: the answer shows who is who.
#[utoipa::path(
    tag = "comparisons",
    params(("id" = ComparisonRoundId, Path)),
    request_body = NewVote,
    responses((status = 200, description = "The round, with who was who", body = Envelope<ComparisonRound>)),
)]
#[put("/comparison-rounds/{id}/vote")]
async fn vote_on_round(
    app: web::Data<App>,
    Reviewer(scope): Reviewer,
    id: Id<ComparisonRoundId>,
    body: Body<NewVote>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let round = db::comparisons::rounds::vote(&mut write, id.0, body.vote).await?;
    write.commit().await?;
    Ok(respond::ok(round))
}
