//! Documents as the studio sees them.

use crate::{
    error::AppResult,
    extract::{Id, Query, Viewer},
    respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    ids::DocumentId,
    studies::{Study, StudyQuery},
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_studies).service(find_study);
}

/// List documents with their concepts and diagrams
#[utoipa::path(
    tag = "studies",
    params(StudyQuery),
    responses((status = 200, description = "A page of documents, newest first", body = Envelope<Page<Study>>)),
)]
#[get("/studies")]
async fn list_studies(app: web::Data<App>, Viewer(scope): Viewer, query: Query<StudyQuery>) -> AppResult {
    Ok(respond::ok(db::studies::list(&scope, &app.db, &query.0).await?))
}

/// Find out how far a document's concepts and diagrams are
#[utoipa::path(
    tag = "studies",
    params(("id" = DocumentId, Path, description = "Of the document")),
    responses((status = 200, description = "How far they are", body = Envelope<Study>)),
)]
#[get("/studies/{id}")]
async fn find_study(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DocumentId>) -> AppResult {
    Ok(respond::ok(db::studies::find(&scope, &app.db, id.0).await?))
}
