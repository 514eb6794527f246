//! Uploads in parts, which go on after whatever interrupts them.

use crate::{
    error::{AppError, AppResult},
    extract::{Body, Editor, Id, Query, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    limits, respond,
    state::App,
    uploads,
};
use actix_web::{HttpRequest, delete, get, post, put, web};
use cerebros_common::{
    ids::UploadId,
    uploads::{NewUpload, PartAddresses, PartNumbers, PartSignature, Upload, UploadEnd, UploadQuery},
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_uploads)
        .service(create_upload)
        .service(find_upload)
        .service(delete_upload)
        .service(create_part_addresses)
        .service(put_part)
        .service(complete_upload);
}

/// List your uploads
///
/// Those that you began for an agent's documents, or for datasets, and that are not done.
#[utoipa::path(
    tag = "uploads",
    params(UploadQuery),
    responses((status = 200, description = "A page of uploads, newest first", body = Envelope<Page<Upload>>)),
)]
#[get("/uploads")]
async fn list_uploads(app: web::Data<App>, Viewer(scope): Viewer, query: Query<UploadQuery>) -> AppResult {
    Ok(respond::ok(db::uploads::list(&scope, &app.db, &query.0).await?))
}

/// Begin an upload
///
/// Then ask for addresses, send each part to its own by `PUT`, in any order and as often as it takes, and complete it.
/// What was interrupted goes on: `GET` tells which parts arrived. Types and limits are those of `POST /api/v1/documents`, or of
/// `POST /api/v1/datasets/upload` where no agent is named.
#[utoipa::path(
    tag = "uploads",
    params(IdempotencyKeyHeader),
    request_body = NewUpload,
    responses((status = 201, description = "Waiting for parts", body = Envelope<Upload>)),
)]
#[post("/uploads")]
async fn create_upload(
    app: web::Data<App>,
    request: HttpRequest,
    Editor(scope): Editor,
    once: Once,
    body: Body<NewUpload>,
) -> AppResult {
    limits::upload(&request, &scope)?;
    let new = body.0;
    match once.begin(&app, &scope, &new).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => {
            if new.version_of.is_some() && new.agent_id.is_some() {
                return Err(AppError::field("version_of", "value", "goes with no agent"));
            }
            match (new.agent_id, new.kind) {
                (Some(agent_id), Some(kind)) => {
                    let sha256 = new.sha256.as_deref();
                    db::uploads::check(&scope, &app.db, agent_id, kind, sha256).await?;
                }
                (None, None) => {}
                (Some(_), None) => return Err(AppError::field("kind", "required", "is needed with an agent")),
                (None, Some(_)) => return Err(AppError::field("agent_id", "required", "is needed with a kind")),
            }
            uploads::begin(app.into_inner(), turn, scope, new).await
        }
    }
}

/// Find an upload
#[utoipa::path(
    tag = "uploads",
    params(("id" = UploadId, Path)),
    responses((status = 200, description = "The upload, with the parts that arrived", body = Envelope<Upload>)),
)]
#[get("/uploads/{id}")]
async fn find_upload(app: web::Data<App>, Viewer(scope): Viewer, id: Id<UploadId>) -> AppResult {
    Ok(respond::ok(uploads::find(&app, &scope, id.0).await?))
}

/// Cancel an upload
///
/// Or forget one that is over; what became of it stays.
#[utoipa::path(
    tag = "uploads",
    params(("id" = UploadId, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/uploads/{id}")]
async fn delete_upload(app: web::Data<App>, Editor(scope): Editor, id: Id<UploadId>) -> AppResult {
    uploads::delete(&app, &scope, id.0).await?;
    Ok(respond::no_content())
}

/// Ask where to send parts
///
/// The addresses work for an hour, without a session: pass them to nobody.
#[utoipa::path(
    tag = "uploads",
    params(("id" = UploadId, Path)),
    request_body = PartNumbers,
    responses((status = 200, description = "An address for each part", body = Envelope<PartAddresses>)),
)]
#[post("/uploads/{id}/urls")]
async fn create_part_addresses(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<UploadId>,
    body: Body<PartNumbers>,
) -> AppResult {
    let addresses = uploads::addresses(&app, &scope, id.0, &body.0.parts).await?;
    Ok(respond::ok(addresses))
}

/// Send a part
///
/// To an address as `POST /api/v1/uploads/{id}/urls` gives it. Sent again, it replaces what came before.
#[utoipa::path(
    tag = "uploads",
    params(("id" = UploadId, Path), ("number" = u32, Path, minimum = 1, maximum = 10_000), PartSignature),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "It arrived whole")),
)]
#[put("/uploads/{id}/parts/{number}")]
async fn put_part(
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    query: Query<PartSignature>,
    body: web::Payload,
) -> AppResult {
    let (id, number) = path.into_inner();
    let id: Result<UploadId, _> = id.parse();
    let id = id.map_err(|_| AppError::field("id", "type", "must be a UUID"))?;
    let number = number.parse();
    let number = number.map_err(|_| AppError::field("number", "type", "must be a number"))?;
    uploads::take_part(&app, id, number, &query.0, body).await?;
    Ok(respond::no_content())
}

/// Complete an upload
///
/// Once all parts arrived. The file is put together and checked in the background: wait for the status `done`, with
/// `document_id` or `dataset_id`, or `failed`.
#[utoipa::path(
    tag = "uploads",
    params(("id" = UploadId, Path), IdempotencyKeyHeader),
    request_body = UploadEnd,
    responses((status = 200, description = "Being completed", body = Envelope<Upload>)),
)]
#[post("/uploads/{id}/complete")]
async fn complete_upload(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    id: Id<UploadId>,
    body: Body<UploadEnd>,
) -> AppResult {
    match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => uploads::complete(app.into_inner(), turn, scope, id.0, body.0).await,
    }
}
