//! The training of an agent in stages.

use crate::{
    error::AppResult,
    extract::{Body, Id, Trainer, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    respond,
    state::App,
    trainings,
};
use actix_web::{get, post, web};
use cerebros_common::{
    ids::AgentId,
    trainings::{NewTraining, Training},
    wire::Envelope,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(create_training)
        .service(find_training)
        .service(cancel_training);
}

/// Train an agent
///
/// In five stages, each a job that goes on from the adapter of the one before: the text of all documents, of communications,
/// of work products, general instructions, and the approved examples. A stage without anything to learn from is skipped.
/// What each learns from becomes a dataset now; what happens to documents and examples later does not change it. The agent
/// answers with the last stage's model. A training that has halted is cancelled by another one.
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path), IdempotencyKeyHeader),
    request_body = NewTraining,
    responses((status = 201, description = "A training whose first stage is queued", body = Envelope<Training>)),
)]
#[post("/agents/{id}/training")]
async fn create_training(
    app: web::Data<App>,
    Trainer(scope): Trainer,
    id: Id<AgentId>,
    once: Once,
    body: Body<NewTraining>,
) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    trainings::begin(app.into_inner(), turn, scope, id.0, body.0).await
}

/// Find an agent's training
///
/// The newest one, with its stages as they stand.
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path)),
    responses((status = 200, description = "The newest training", body = Envelope<Training>)),
)]
#[get("/agents/{id}/training")]
async fn find_training(app: web::Data<App>, Viewer(scope): Viewer, id: Id<AgentId>) -> AppResult {
    let mut training = db::trainings::find_latest(&scope, &app.db, id.0).await?;
    trainings::price(&app, &mut training);
    Ok(respond::ok(training))
}

/// Cancel an agent's training
///
/// The stage under way stops, those after it never begin. Models of stages that have ended stay.
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path)),
    responses((status = 200, description = "The training; a running stage ends a moment later", body = Envelope<Training>)),
)]
#[post("/agents/{id}/training/cancel")]
async fn cancel_training(app: web::Data<App>, Trainer(scope): Trainer, id: Id<AgentId>) -> AppResult {
    Ok(respond::ok(trainings::cancel(&app, &scope, id.0).await?))
}
