//! Concepts of documents: list, find, write, merge.

use crate::{
    concepts,
    error::AppResult,
    extract::{Body, Editor, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    concepts::{Concept, ConceptFinding, ConceptMerge, ConceptPatch, ConceptQuery, ConceptSearch, NewConcept},
    ids::ConceptId,
    studies::StudyStatus,
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_concepts)
        .service(create_concept)
        .service(find_document_concepts)
        .service(find_concept)
        .service(update_concept)
        .service(delete_concept)
        .service(merge_concept);
}

/// List concepts
#[utoipa::path(
    tag = "concepts",
    params(ConceptQuery),
    responses((status = 200, description = "A page of concepts, the most important first", body = Envelope<Page<Concept>>)),
)]
#[get("/concepts")]
async fn list_concepts(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ConceptQuery>) -> AppResult {
    Ok(respond::ok(db::concepts::list(&scope, &app.db, &query.0).await?))
}

/// Write a concept
#[utoipa::path(
    tag = "concepts",
    params(IdempotencyKeyHeader),
    request_body = NewConcept,
    responses((status = 201, description = "The concept", body = Envelope<Concept>)),
)]
#[post("/concepts")]
async fn create_concept(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewConcept>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let concept = db::concepts::insert(write, &body).await?;
        let location = format!("/api/v1/concepts/{}", concept.id);
        Ok(Answer::created(location, &concept)?.version(concept.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Find the concepts of a document
///
/// In the background; `GET /api/v1/studies/{id}` tells when it is done. What a person wrote or changed stays; of other
/// concepts of the same name, whatever its case, the newer find counts.
#[utoipa::path(
    tag = "concepts",
    params(IdempotencyKeyHeader),
    request_body = ConceptSearch,
    responses((status = 200, description = "They are being looked for", body = Envelope<ConceptFinding>)),
)]
#[post("/concepts/find")]
async fn find_document_concepts(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    body: Body<ConceptSearch>,
) -> AppResult {
    let document_id = body.document_id;
    let work = async |write: &mut db::Write| {
        concepts::order(write, &scope, document_id).await?;
        let status = StudyStatus::Running;
        Answer::ok(ConceptFinding { document_id, status })
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Find a concept
#[utoipa::path(
    tag = "concepts",
    params(("id" = ConceptId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The concept; `ETag` holds its version", body = Envelope<Concept>)),
)]
#[get("/concepts/{id}")]
async fn find_concept(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ConceptId>) -> AppResult {
    let concept = db::concepts::find(&scope, &app.db, id.0).await?;
    let version = concept.version;
    Ok(respond::ok_versioned(concept, version))
}

/// Change a concept
#[utoipa::path(
    tag = "concepts",
    params(("id" = ConceptId, Path), IfMatchHeader),
    request_body = ConceptPatch,
    responses((status = 200, description = "The concept as it is now", body = Envelope<Concept>)),
)]
#[patch("/concepts/{id}")]
async fn update_concept(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<ConceptId>,
    version: IfMatch,
    body: Body<ConceptPatch>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let concept = db::concepts::update(&mut write, id.0, version.0, &body).await?;
    write.commit().await?;
    let version = concept.version;
    Ok(respond::ok_versioned(concept, version))
}

/// Delete a concept
///
/// What was drawn of it stays.
#[utoipa::path(
    tag = "concepts",
    params(("id" = ConceptId, Path), IfMatchHeader),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/concepts/{id}")]
async fn delete_concept(app: web::Data<App>, Editor(scope): Editor, id: Id<ConceptId>, version: IfMatch) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::concepts::delete(&mut write, id.0, version.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Merge a concept into another
///
/// It is gone then; its diagrams belong to the other, which keeps its own words and the higher importance.
#[utoipa::path(
    tag = "concepts",
    params(("id" = ConceptId, Path), IfMatchHeader),
    request_body = ConceptMerge,
    responses((status = 200, description = "The concept that took it in", body = Envelope<Concept>)),
)]
#[post("/concepts/{id}/merge")]
async fn merge_concept(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<ConceptId>,
    version: IfMatch,
    body: Body<ConceptMerge>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let concept = db::concepts::merge(&mut write, id.0, version.0, body.into_id).await?;
    write.commit().await?;
    let version = concept.version;
    Ok(respond::ok_versioned(concept, version))
}
