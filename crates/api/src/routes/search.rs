//! Search.

use crate::{
    error::AppResult,
    extract::{Query, Viewer},
    respond, search,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    search::{SearchQuery, SearchResult},
    wire::Envelope,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_PASSAGES: u32 = 5;

pub fn configure(config: &mut ServiceConfig) {
    config.service(search_passages);
}

/// Search documents
///
/// Words of the question in any order and in other forms too; words such as "what" and "the" do not count.
#[utoipa::path(
    tag = "search",
    params(SearchQuery),
    responses((status = 200, description = "Passages, best first", body = Envelope<SearchResult>)),
)]
#[get("/search")]
async fn search_passages(app: web::Data<App>, Viewer(scope): Viewer, query: Query<SearchQuery>) -> AppResult {
    let SearchQuery { q, agent_id, limit } = query.0;
    if let Some(agent_id) = agent_id {
        db::agents::find(&scope, &app.db, agent_id).await?;
    }
    let limit = limit.unwrap_or(DEFAULT_PASSAGES);
    let passages = search::passages(&app, &scope, agent_id, &[], &q, limit).await?;
    Ok(respond::ok(SearchResult { passages }))
}
