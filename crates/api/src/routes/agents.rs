//! Agents; assistants on screen.

use crate::{
    deletions,
    error::AppResult,
    extract::{Body, Editor, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
    vllm,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    agents::{Agent, AgentPatch, AgentQuery, NewAgent},
    deletions::{DeletionSubject, DeletionTarget},
    ids::AgentId,
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_agents)
        .service(create_agent)
        .service(find_agent)
        .service(update_agent)
        .service(delete_agent);
}

/// List agents
#[utoipa::path(
    tag = "agents",
    params(AgentQuery),
    responses((status = 200, description = "A page of agents", body = Envelope<Page<Agent>>)),
)]
#[get("/agents")]
async fn list_agents(app: web::Data<App>, Viewer(scope): Viewer, query: Query<AgentQuery>) -> AppResult {
    Ok(respond::ok(db::agents::list(&scope, &app.db, &query.0).await?))
}

/// Create an agent
#[utoipa::path(
    tag = "agents",
    params(IdempotencyKeyHeader),
    request_body = NewAgent,
    responses((status = 201, description = "A draft without documents", body = Envelope<Agent>)),
)]
#[post("/agents")]
async fn create_agent(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewAgent>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let agent = db::agents::insert(write, &body).await?;
        let location = format!("/api/v1/agents/{}", agent.id);
        Ok(Answer::created(location, &agent)?.version(agent.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Find an agent
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The agent; `ETag` holds its version", body = Envelope<Agent>)),
)]
#[get("/agents/{id}")]
async fn find_agent(app: web::Data<App>, Viewer(scope): Viewer, id: Id<AgentId>) -> AppResult {
    let agent = db::agents::find(&scope, &app.db, id.0).await?;
    let version = agent.version;
    Ok(respond::ok_versioned(agent, version))
}

/// Change an agent
///
/// `model_id` takes a model live, or the agent offline with null. With `host` `vllm` the model's adapter is loaded there
/// first; it is unloaded once no agent answers with it there any more.
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path), IfMatchHeader),
    request_body = AgentPatch,
    responses((status = 200, description = "The agent as it is now", body = Envelope<Agent>)),
)]
#[patch("/agents/{id}")]
async fn update_agent(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<AgentId>,
    version: IfMatch,
    body: Body<AgentPatch>,
) -> AppResult {
    vllm::load_for(&app, &scope, id.0, version.0, &body).await?;
    let mut write = app.db.write(&scope).await?;
    if let Some(Some(model_id)) = body.model_id {
        db::models::require_servable(&write, model_id).await?;
    }
    let agent = db::agents::update(&mut write, id.0, version.0, &body).await?;
    if app.vllm.is_some() && (body.model_id.is_some() || body.host.is_some()) {
        vllm::enqueue_sweep(&write).await?;
    }
    write.commit().await?;
    let version = agent.version;
    Ok(respond::ok_versioned(agent, version))
}

/// Delete an agent
///
/// Its documents and examples go along. Datasets that hold their text lose their content, and models that learned from
/// them answer no more; that, and the files, is seen to by a deletion in the background. `POST /api/v1/deletions/preview`
/// tells what goes.
#[utoipa::path(
    tag = "agents",
    params(("id" = AgentId, Path), IfMatchHeader),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/agents/{id}")]
async fn delete_agent(app: web::Data<App>, Editor(scope): Editor, id: Id<AgentId>, version: IfMatch) -> AppResult {
    let target = DeletionTarget {
        subject: DeletionSubject::Agent,
        id: id.0.0,
    };
    deletions::delete(&app, &scope, target, version.0).await?;
    Ok(respond::no_content())
}
