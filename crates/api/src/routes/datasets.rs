//! Datasets: build, upload, what validation found.

use crate::{
    datasets::{self, preview},
    download,
    error::{AppError, AppResult},
    extract::{Body, Editor, Id, Query, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    limits, paging, respond,
    state::App,
    upload::{self, Form},
};
use actix_multipart::Multipart;
use actix_web::{HttpRequest, delete, get, post, web};
use cerebros_common::{
    datasets::{Dataset, DatasetCursor, DatasetFinding, DatasetQuery, DatasetRow, DatasetUpload, NewDataset},
    documents::FileForm,
    ids::DatasetId,
    wire::{CursorPage, Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_datasets)
        .service(create_dataset)
        .service(upload_dataset)
        .service(find_dataset)
        .service(delete_dataset)
        .service(list_dataset_rows)
        .service(list_dataset_findings)
        .service(find_dataset_content);
}

/// List datasets
#[utoipa::path(
    tag = "datasets",
    params(DatasetQuery),
    responses((status = 200, description = "A page of datasets, newest first", body = Envelope<Page<Dataset>>)),
)]
#[get("/datasets")]
async fn list_datasets(app: web::Data<App>, Viewer(scope): Viewer, query: Query<DatasetQuery>) -> AppResult {
    Ok(respond::ok(db::datasets::list(&scope, &app.db, &query.0).await?))
}

/// Build a dataset
///
/// From the examples of an agent that are approved now. It is validated in the background: wait for the status `ready`.
#[utoipa::path(
    tag = "datasets",
    params(IdempotencyKeyHeader),
    request_body = NewDataset,
    responses((status = 201, description = "Written, and waiting to be validated", body = Envelope<Dataset>)),
)]
#[post("/datasets")]
async fn create_dataset(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewDataset>) -> AppResult {
    match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => datasets::build(app.into_inner(), turn, scope, body.0).await,
    }
}

/// Upload a dataset
///
/// Chat JSONL as OpenAI's fine-tuning takes it. It is validated in the background: wait for the status `ready` or `error`.
#[utoipa::path(
    tag = "datasets",
    params(DatasetUpload, IdempotencyKeyHeader),
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "Stored, and waiting to be validated", body = Envelope<Dataset>)),
)]
#[post("/datasets/upload")]
async fn upload_dataset(
    app: web::Data<App>,
    request: HttpRequest,
    Editor(scope): Editor,
    once: Once,
    query: Query<DatasetUpload>,
    form: Multipart,
) -> AppResult {
    let mut form = Form::new(form, &app.config);
    if let Err(refused) = limits::upload(&request, &scope) {
        upload::discard(&mut form).await;
        return Err(refused);
    }
    let upload = upload::receive(&app.storage, &mut form, app.config.max_dataset_bytes).await?;
    match once.begin(&app, &scope, &upload.fingerprint()).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => {
            datasets::take_in(app.into_inner(), turn, scope, query.0.name, upload, datasets::native).await
        }
    }
}

/// Find a dataset
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 200, description = "The dataset, with its report once validated", body = Envelope<Dataset>)),
)]
#[get("/datasets/{id}")]
async fn find_dataset(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DatasetId>) -> AppResult {
    Ok(respond::ok(db::datasets::find(&scope, &app.db, id.0).await?))
}

/// Delete a dataset
///
/// Refused once a job was run on it.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 204, description = "Dataset and file are gone")),
)]
#[delete("/datasets/{id}")]
async fn delete_dataset(app: web::Data<App>, Editor(scope): Editor, id: Id<DatasetId>) -> AppResult {
    datasets::delete(&app, &scope, id.0).await?;
    Ok(respond::no_content())
}

/// List a dataset's rows
///
/// Those that validation accepts, as they stand in the file.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DatasetCursor),
    responses((status = 200, description = "Rows in the order of the file", body = Envelope<CursorPage<DatasetRow>>)),
)]
#[get("/datasets/{id}/rows")]
async fn list_dataset_rows(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DatasetCursor>,
) -> AppResult {
    let from = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit) as usize;
    let located = db::datasets::find_with_content(&scope, &app.db, id.0).await?;
    let file = app.storage.local(&located.blob_key).await;
    let file = file.map_err(AppError::internal)?;
    let rows = web::block(move || preview::rows(file.path(), from, limit)).await;
    Ok(respond::ok(
        rows.map_err(AppError::internal)?.map_err(AppError::internal)?,
    ))
}

/// List a dataset's findings
///
/// The first thousand; the report counts all.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DatasetCursor),
    responses((status = 200, description = "Findings in the order of the file", body = Envelope<CursorPage<DatasetFinding>>)),
)]
#[get("/datasets/{id}/findings")]
async fn list_dataset_findings(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DatasetCursor>,
) -> AppResult {
    let after = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::datasets::findings(&scope, &app.db, id.0, after, limit).await?,
    ))
}

/// Download a dataset
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 200, description = "The rows as JSON Lines", body = Vec<u8>, content_type = "application/jsonl")),
)]
#[get("/datasets/{id}/content")]
async fn find_dataset_content(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DatasetId>) -> AppResult {
    let located = db::datasets::find_with_content(&scope, &app.db, id.0).await?;
    let blob = app.storage.read(&located.blob_key).await.map_err(AppError::internal)?;
    let name = &located.dataset.name;
    let name = format!("{}.jsonl", name.strip_suffix(".jsonl").unwrap_or(name));
    Ok(download::attachment(blob, "application/jsonl", &name))
}
