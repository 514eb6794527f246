//! Datasets: build, upload, what validation found.

use crate::{
    datasets::{self, diff, form_of, preview, versions, written},
    download,
    error::{AppError, AppResult},
    extract::{Body, Editor, Id, Query, Trainer, Viewer},
    idempotency::{Begun, IdempotencyKeyHeader, Once},
    jobs, limits, paging, respond,
    routes::jobs::require_ready,
    state::App,
    upload::{self, Form},
};
use actix_multipart::Multipart;
use actix_web::{HttpRequest, delete, get, post, web};
use cerebros_common::{
    datasets::{
        Dataset, DatasetCursor, DatasetDiff, DatasetExport, DatasetFinding, DatasetLayout, DatasetLengths,
        DatasetQuery, DatasetReportQuery, DatasetRow, DatasetUpload, DiffQuery, DiffRowsQuery, LengthsChoice,
        NewDataset, NewDatasetSplit, ReportFormat, RowFilters,
    },
    documents::FileForm,
    ids::DatasetId,
    jobs::{JobParameters, NewJob},
    wire::{CursorPage, Envelope, Page, PageQuery},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_datasets)
        .service(create_dataset)
        .service(upload_dataset)
        .service(find_dataset)
        .service(repair_dataset)
        .service(list_dataset_versions)
        .service(create_dataset_version)
        .service(find_dataset_diff)
        .service(list_dataset_diff_rows)
        .service(delete_dataset)
        .service(restore_dataset)
        .service(split_dataset)
        .service(measure_dataset_lengths)
        .service(list_dataset_rows)
        .service(list_dataset_findings)
        .service(find_dataset_content)
        .service(export_dataset)
        .service(find_dataset_report)
        .service(find_repaired_dataset);
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
/// JSON Lines or one JSON list, in any of the formats: which one is told by the members of its rows. It is validated in the background: wait for the status `ready` or `error`.
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
    if let Some(id) = query.0.version_of {
        db::datasets::find(&scope, &app.db, id).await?;
    }
    let upload = upload::receive(&app.storage, &mut form, app.config.max_dataset_bytes).await?;
    match once.begin(&app, &scope, &upload.fingerprint()).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => datasets::take_in(app.into_inner(), turn, scope, query.0, upload, datasets::native).await,
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

/// Repair a dataset
///
/// Makes its next version of what its repaired file holds. That is validated in the background like any other; the version it came from stays.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), IdempotencyKeyHeader),
    responses((status = 201, description = "Written, and waiting to be validated", body = Envelope<Dataset>)),
)]
#[post("/datasets/{id}/repair")]
async fn repair_dataset(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<DatasetId>) -> AppResult {
    match once.begin(&app, &scope, &id.0).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => versions::repair(app.into_inner(), turn, scope, id.0).await,
    }
}

/// List a dataset's versions
///
/// All of them, whichever is named.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), PageQuery),
    responses((status = 200, description = "A page of versions, the newest first", body = Envelope<Page<Dataset>>)),
)]
#[get("/datasets/{id}/versions")]
async fn list_dataset_versions(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<PageQuery>,
) -> AppResult {
    let versions = db::datasets::versions::list(&scope, &app.db, id.0, &query.0).await?;
    Ok(respond::ok(versions))
}

/// Make a version of a dataset's rows
///
/// Of the accepted rows that pass all filters, in their order. It is validated in the background; the version it came from stays as it is.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), IdempotencyKeyHeader),
    request_body = RowFilters,
    responses((status = 201, description = "Written, and waiting to be validated", body = Envelope<Dataset>)),
)]
#[post("/datasets/{id}/versions")]
async fn create_dataset_version(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    id: Id<DatasetId>,
    body: Body<RowFilters>,
) -> AppResult {
    let filters = body.0;
    if filters == RowFilters::default() {
        return Err(AppError::field(
            "without_duplicates",
            "required",
            "must be chosen, or another filter",
        ));
    }
    match once.begin(&app, &scope, &(id.0, &filters)).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => versions::filter(app.into_inner(), turn, scope, id.0, filters).await,
    }
}

/// Compare two datasets
///
/// Usually two versions of one. Both files are read to their end.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DiffQuery),
    responses((status = 200, description = "How many rows are new, gone and the same", body = Envelope<DatasetDiff>)),
)]
#[get("/datasets/{id}/diff")]
async fn find_dataset_diff(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DiffQuery>,
) -> AppResult {
    Ok(respond::ok(diff::count(&app, &scope, query.0.from_id, id.0).await?))
}

/// List the rows that two datasets do not share
///
/// Those that are new, or those that are gone. The file that has them is read as far as the rows asked for, the other one to its end.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DiffRowsQuery),
    responses((status = 200, description = "Rows in the order of the file that has them", body = Envelope<CursorPage<DatasetRow>>)),
)]
#[get("/datasets/{id}/diff/rows")]
async fn list_dataset_diff_rows(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DiffRowsQuery>,
) -> AppResult {
    let skipped = paging::cursor(query.0.cursor.as_deref())?.unwrap_or(0);
    let limit = paging::limit(query.0.limit) as usize;
    let rows = diff::rows(&app, &scope, id.0, &query.0, skipped, limit).await?;
    Ok(respond::ok(rows))
}

/// Delete a dataset
///
/// It can be restored for 30 days and is gone after them; where jobs were run on it, its name stays as part of their lineage. Refused while a job works with it.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 204, description = "It is in no list any more")),
)]
#[delete("/datasets/{id}")]
async fn delete_dataset(app: web::Data<App>, Editor(scope): Editor, id: Id<DatasetId>) -> AppResult {
    datasets::delete(&app, &scope, id.0).await?;
    Ok(respond::no_content())
}

/// Restore a deleted dataset
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 200, description = "The dataset as it was", body = Envelope<Dataset>)),
)]
#[post("/datasets/{id}/restore")]
async fn restore_dataset(app: web::Data<App>, Editor(scope): Editor, id: Id<DatasetId>) -> AppResult {
    Ok(respond::ok(datasets::restore(&app, &scope, id.0).await?))
}

/// Choose what is kept out of training
///
/// Once and for all: every job on this dataset is measured on the same rows, unless it names another dataset for that. Where nothing was chosen, its first job chooses the default.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    request_body = NewDatasetSplit,
    responses((status = 200, description = "The dataset with its parts", body = Envelope<Dataset>)),
)]
#[post("/datasets/{id}/split")]
async fn split_dataset(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<DatasetId>,
    body: Body<NewDatasetSplit>,
) -> AppResult {
    Ok(respond::ok(datasets::split(&app, &scope, id.0, body.0).await?))
}

/// Measure a dataset's rows
///
/// In a base's tokens: how long they are, which are cut at a length, and of which nothing is left to learn. Counted as a job
/// counts, over all rows, those included that are kept out of training.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    request_body = LengthsChoice,
    responses((status = 200, description = "How long the rows are", body = Envelope<DatasetLengths>)),
)]
#[post("/datasets/{id}/lengths")]
async fn measure_dataset_lengths(
    app: web::Data<App>,
    Trainer(scope): Trainer,
    id: Id<DatasetId>,
    body: Body<LengthsChoice>,
) -> AppResult {
    let counted = NewJob {
        dataset_id: id.0,
        validation_dataset_id: None,
        base_id: body.0.base_id,
        initial_model_id: None,
        agent_id: None,
        parameters: JobParameters {
            max_seq_length: body.0.max_seq_length,
            ..JobParameters::default()
        },
    };
    require_ready(&app, &scope, &counted).await?;
    Ok(respond::ok(jobs::lengths(&app, &scope, &counted).await?))
}

/// List a dataset's rows
///
/// Those that validation accepts, whatever their format as training reads them.
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
    let form = form_of(&located.dataset);
    let file = app.storage.local(&located.blob_key).await;
    let file = file.map_err(AppError::internal)?;
    let rows = web::block(move || preview::rows(file.path(), form, from, limit)).await;
    Ok(respond::ok(
        rows.map_err(AppError::internal)?.map_err(AppError::internal)?,
    ))
}

/// List a dataset's findings
///
/// The first thousand; the downloadable report has all.
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
        db::datasets::findings::list(&scope, &app.db, id.0, after, limit).await?,
    ))
}

/// Download a dataset
///
/// The file as it came.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 200, description = "The rows", body = Vec<u8>, content_type = "application/jsonl")),
)]
#[get("/datasets/{id}/content")]
async fn find_dataset_content(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DatasetId>) -> AppResult {
    let located = db::datasets::find_with_content(&scope, &app.db, id.0).await?;
    let blob = app.storage.read(&located.blob_key).await.map_err(AppError::internal)?;
    let name = &located.dataset.name;
    let (media_type, extension) = match located.dataset.layout {
        Some(DatasetLayout::List) => ("application/json", ".json"),
        _ => ("application/jsonl", ".jsonl"),
    };
    let name = format!("{}{extension}", name.strip_suffix(extension).unwrap_or(name));
    Ok(download::attachment(blob, media_type, &name))
}

/// Export a dataset
///
/// Its accepted rows or one part of them, in a format of their kind. Refused where the format cannot say all of them in full.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DatasetExport),
    responses((status = 200, description = "The rows, written while they are sent", body = Vec<u8>, content_type = "application/jsonl")),
)]
#[get("/datasets/{id}/export")]
async fn export_dataset(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DatasetExport>,
) -> AppResult {
    written::rows(&app, &scope, id.0, &query.0).await
}

/// Download a dataset's findings
///
/// All of them, in the order of the file.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path), DatasetReportQuery),
    responses((status = 200, description = "The findings, one a line", body = Vec<u8>, content_type = "application/jsonl")),
)]
#[get("/datasets/{id}/report")]
async fn find_dataset_report(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DatasetId>,
    query: Query<DatasetReportQuery>,
) -> AppResult {
    let format = query.0.format.unwrap_or(ReportFormat::Jsonl);
    written::report(&app, &scope, id.0, format).await
}

/// Download a dataset repaired
///
/// In its own format: rejected rows are mended where that needs no guess, and left out where not. Each finding says which.
#[utoipa::path(
    tag = "datasets",
    params(("id" = DatasetId, Path)),
    responses((status = 200, description = "Sound rows alone", body = Vec<u8>, content_type = "application/jsonl")),
)]
#[get("/datasets/{id}/repaired")]
async fn find_repaired_dataset(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DatasetId>) -> AppResult {
    written::repaired(&app, &scope, id.0).await
}
