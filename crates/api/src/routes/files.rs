//! OpenAI's files: rows to fine-tune on, and results of jobs.

use crate::{
    download,
    error::{AppError, AppResult},
    extract::{Editor, Query, Viewer},
    files::{self, File},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    jobs, limits,
    state::App,
    upload::{self, Form},
};
use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, post, web};
use cerebros_common::files::{Deleted, FileObject, FileQuery, NewFile, WireList};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(create_file)
        .service(list_files)
        .service(find_file)
        .service(find_file_content)
        .service(delete_file);
}

/// Upload a file
///
/// Chat JSONL to fine-tune on. It becomes a dataset of the workspace, and is validated in the background: its status is
/// `uploaded` until it is `processed` or `error`.
#[utoipa::path(
    tag = "openai",
    params(IdempotencyKeyHeader),
    request_body(content = NewFile, content_type = "multipart/form-data"),
    responses((status = 200, description = "The file", body = FileObject)),
)]
#[post("/files")]
async fn create_file(
    app: web::Data<App>,
    request: HttpRequest,
    Editor(scope): Editor,
    once: Once,
    form: Multipart,
) -> AppResult {
    let mut form = Form::new(form, &app.config);
    if let Err(refused) = limits::upload(&request, &scope) {
        upload::discard(&mut form).await;
        return Err(refused);
    }
    let (upload, texts) = upload::receive_with_texts(&app.storage, &mut form, app.config.max_dataset_bytes).await?;
    if texts.get("purpose").is_none_or(|purpose| purpose != "fine-tune") {
        let message = "must be `fine-tune`: files for anything else are not served";
        return Err(AppError::field("purpose", "invalid_value", message));
    }
    match once.begin(&app, &scope, &upload.fingerprint()).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => files::create(app.into_inner(), turn, scope, upload).await,
    }
}

/// List files
///
/// Those to fine-tune on and those with results; 100 come at once, and the SDKs ask for the rest by themselves.
#[utoipa::path(
    tag = "openai",
    params(FileQuery),
    responses((status = 200, description = "OpenAI's list of files", body = WireList<FileObject>)),
)]
#[get("/files")]
async fn list_files(app: web::Data<App>, Viewer(scope): Viewer, query: Query<FileQuery>) -> AppResult {
    Ok(HttpResponse::Ok().json(files::list(&app, &scope, &query.0).await?))
}

/// Find a file
#[utoipa::path(
    tag = "openai",
    params(("file_id" = String, Path)),
    responses((status = 200, description = "The file", body = FileObject)),
)]
#[get("/files/{file_id}")]
async fn find_file(app: web::Data<App>, Viewer(scope): Viewer, id: web::Path<String>) -> AppResult {
    Ok(HttpResponse::Ok().json(files::find(&app, &scope, &id).await?.object()))
}

/// Read a file
///
/// Its rows as they were uploaded; of results a CSV table of the steps.
#[utoipa::path(
    tag = "openai",
    params(("file_id" = String, Path)),
    responses((status = 200, description = "Its bytes", body = Vec<u8>, content_type = "application/octet-stream")),
)]
#[get("/files/{file_id}/content")]
async fn find_file_content(app: web::Data<App>, Viewer(scope): Viewer, id: web::Path<String>) -> AppResult {
    const MEDIA_TYPE: &str = "application/octet-stream";
    let file = files::find(&app, &scope, &id).await?;
    let name = file.object().filename;
    match file {
        File::Rows(located) => {
            let blob = app.storage.read(&located.blob_key).await.map_err(AppError::io)?;
            Ok(download::attachment(blob, MEDIA_TYPE, &name))
        }
        File::Results(job) => Ok(HttpResponse::Ok()
            .content_type(MEDIA_TYPE)
            .insert_header((header::CONTENT_DISPOSITION, download::disposition(&name)))
            .body(jobs::results::table(&app, &scope, job.job.id).await?)),
    }
}

/// Delete a file
///
/// Refused while a job works with it. Where jobs were run on it, its name and their lineage stay; its content is gone.
#[utoipa::path(
    tag = "openai",
    params(("file_id" = String, Path)),
    responses((status = 200, description = "It is gone", body = Deleted)),
)]
#[delete("/files/{file_id}")]
async fn delete_file(app: web::Data<App>, Editor(scope): Editor, id: web::Path<String>) -> AppResult {
    files::delete(&app, &scope, &id).await?;
    Ok(HttpResponse::Ok().json(Deleted {
        id: id.into_inner(),
        object: "file".to_owned(),
        deleted: true,
    }))
}
