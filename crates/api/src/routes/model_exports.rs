//! Models written for other programs.

use crate::{
    download::{self, Kept},
    error::{AppError, AppResult},
    extract::{Body, Editor, Id, Query, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    model_exports, respond,
    state::App,
};
use actix_web::{HttpRequest, delete, get, post, web};
use cerebros_common::{
    ids::{ModelExportId, ModelId},
    model_exports::{ModelExport, NewModelExport},
    wire::{Envelope, Page, PageQuery, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_model_exports)
        .service(create_model_export)
        .service(find_model_export)
        .service(download_model_export)
        .service(delete_model_export);
}

/// List a model's exports
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path), PageQuery),
    responses((status = 200, description = "A page of exports, oldest first", body = Envelope<Page<ModelExport>>)),
)]
#[get("/models/{id}/exports")]
async fn list_model_exports(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<ModelId>,
    query: Query<PageQuery>,
) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(
        db::model_exports::list(&scope, &app.db, id.0, paging).await?,
    ))
}

/// Export a model
///
/// Written in the background: wait for the status `ready` or `failed`. It counts only where it answers as the model does. There is at most one of each kind; one that failed makes room.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelId, Path), IdempotencyKeyHeader),
    request_body = NewModelExport,
    responses((status = 201, description = "A queued export", body = Envelope<ModelExport>)),
)]
#[post("/models/{id}/exports")]
async fn create_model_export(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    id: Id<ModelId>,
    body: Body<NewModelExport>,
) -> AppResult {
    match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => model_exports::create(turn, id.0, body.kind).await,
    }
}

/// Find an export
#[utoipa::path(
    tag = "models",
    params(("id" = ModelExportId, Path)),
    responses((status = 200, description = "The export, with its certificate once computed", body = Envelope<ModelExport>)),
)]
#[get("/model-exports/{id}")]
async fn find_model_export(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ModelExportId>) -> AppResult {
    Ok(respond::ok(
        db::model_exports::find(&scope, &app.db, id.0).await?.export,
    ))
}

/// Download an export
///
/// Takes `Range`, so that a download that broke off goes on, and `If-None-Match`.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelExportId, Path)),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The part of it that `Range` names", body = Vec<u8>, content_type = "application/octet-stream"),
    ),
)]
#[get("/model-exports/{id}/content")]
async fn download_model_export(
    app: web::Data<App>,
    request: HttpRequest,
    Viewer(scope): Viewer,
    id: Id<ModelExportId>,
) -> AppResult {
    let stored = db::model_exports::find(&scope, &app.db, id.0).await?;
    let export = stored.export;
    let (Some(key), Some(size_bytes), Some(sha256)) = (stored.blob_key, export.size_bytes, export.sha256) else {
        return Err(AppError::conflict("This export has no file: see its status."));
    };
    let (media_type, end) = model_exports::form(export.kind);
    let file = Kept {
        key: &key,
        size_bytes,
        sha256: &sha256,
        media_type,
        name: &format!("{}-{end}", export.model_id),
    };
    download::resumable(&request, &app.storage, file)
        .await
        .map_err(AppError::io)
}

/// Delete an export
///
/// Whatever its status: one that is being written is stopped.
#[utoipa::path(
    tag = "models",
    params(("id" = ModelExportId, Path)),
    responses((status = 204, description = "Export and file are gone")),
)]
#[delete("/model-exports/{id}")]
async fn delete_model_export(app: web::Data<App>, Editor(scope): Editor, id: Id<ModelExportId>) -> AppResult {
    model_exports::delete(&app, &scope, id.0).await?;
    Ok(respond::no_content())
}
