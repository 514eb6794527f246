//! Trained adapters.

use crate::{
    download,
    error::{AppError, AppResult},
    extract::{Editor, Id, Query, Viewer},
    models, respond,
    state::App,
};
use actix_web::{HttpResponse, delete, get, http::header, web};
use cerebros_common::{
    ids::ModelId,
    models::{Lineage, Model, ModelQuery},
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_models)
        .service(find_model)
        .service(find_lineage)
        .service(find_model_card)
        .service(download_adapter)
        .service(delete_model);
}

/// List models
#[utoipa::path(
    tag = "models",
    params(ModelQuery),
    responses((status = 200, description = "A page of models, newest first", body = Envelope<Page<Model>>)),
)]
#[get("/models")]
async fn list_models(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ModelQuery>) -> AppResult {
    Ok(respond::ok(db::models::list(&scope, &app.db, &query.0).await?))
}

/// Find a model
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path)),
    responses((status = 200, description = "The model and its lineage", body = Envelope<Model>)),
)]
#[get("/models/{id}")]
async fn find_model(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ModelId>) -> AppResult {
    Ok(respond::ok(db::models::find(&scope, &app.db, id.0).await?.model))
}

/// Find a model's lineage
///
/// Dataset, base and job that it comes from; agents and exports that came of it.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path)),
    responses((status = 200, description = "The lineage", body = Envelope<Lineage>)),
)]
#[get("/models/{id}/lineage")]
async fn find_lineage(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ModelId>) -> AppResult {
    Ok(respond::ok(models::lineage(&app, &scope, id.0).await?))
}

/// Download a model's card
///
/// Markdown, made of what is known. Its intended use is left for a person to write.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path)),
    responses((status = 200, description = "The card", body = String, content_type = "text/markdown")),
)]
#[get("/models/{id}/card")]
async fn find_model_card(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ModelId>) -> AppResult {
    let card = models::card::card(&models::lineage(&app, &scope, id.0).await?);
    Ok(HttpResponse::Ok()
        .content_type("text/markdown; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, download::disposition("README.md")))
        .body(card))
}

/// Download a model's adapter
///
/// A ZIP archive of a PEFT directory: unpack it and give it to `PeftModel.from_pretrained`.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path)),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip")),
)]
#[get("/models/{id}/adapter")]
async fn download_adapter(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ModelId>) -> AppResult {
    let stored = db::models::find(&scope, &app.db, id.0).await?;
    let blob = app.storage.read(&stored.blob_key).await.map_err(AppError::io)?;
    let name = format!("adapter-{}.zip", id.0);
    Ok(download::attachment(blob, "application/zip", &name))
}

/// Delete a model
///
/// Refused while an agent answers with it.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path)),
    responses((status = 204, description = "Model and adapter are gone")),
)]
#[delete("/models/{id}")]
async fn delete_model(app: web::Data<App>, Editor(scope): Editor, id: Id<ModelId>) -> AppResult {
    models::delete(&app, &scope, id.0).await?;
    Ok(respond::no_content())
}
