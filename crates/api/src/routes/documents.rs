//! Documents: upload, what was read in them, download.

use crate::{
    deletions,
    documents::{self, reading},
    download,
    error::{AppError, AppResult},
    extract::{Editor, Id, Query, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    limits, paging, respond,
    state::App,
    upload::{self, Form},
};
use actix_multipart::Multipart;
use actix_web::{HttpRequest, delete, get, post, web};
use cerebros_common::{
    deletions::{DeletionSubject, DeletionTarget},
    documents::{
        Chunk, ChunkQuery, Document, DocumentMatch, DocumentQuery, DocumentSearchQuery, DocumentStatus, DocumentText,
        DocumentTextQuery, FileForm, NewDocument,
    },
    ids::DocumentId,
    wire::{CursorPage, Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_TEXT_LENGTH: u64 = 20_000;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_documents)
        .service(create_document)
        .service(find_document)
        .service(delete_document)
        .service(find_document_text)
        .service(search_document)
        .service(list_document_chunks)
        .service(find_document_content)
        .service(retry_document);
}

/// List documents
#[utoipa::path(
    tag = "documents",
    params(DocumentQuery),
    responses((status = 200, description = "A page of documents, newest first", body = Envelope<Page<Document>>)),
)]
#[get("/documents")]
async fn list_documents(app: web::Data<App>, Viewer(scope): Viewer, query: Query<DocumentQuery>) -> AppResult {
    Ok(respond::ok(db::documents::list(&scope, &app.db, &query.0).await?))
}

/// Upload a document
///
/// PDF, DOCX, DOC, TXT, MD, CSV, JSON or XML, told by the bytes. Its text is read in the background: wait for the status
/// `ready` or `error`.
#[utoipa::path(
    tag = "documents",
    params(NewDocument, IdempotencyKeyHeader),
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "Stored, and waiting to be read", body = Envelope<Document>)),
)]
#[post("/documents")]
async fn create_document(
    app: web::Data<App>,
    request: HttpRequest,
    Editor(scope): Editor,
    once: Once,
    query: Query<NewDocument>,
    form: Multipart,
) -> AppResult {
    let mut form = Form::new(form, &app.config);
    let check = async {
        limits::upload(&request, &scope)?;
        // A repeated request may have taken the last room itself.
        if !once.has_key() {
            db::documents::check_room(&scope, &app.db, query.0.agent_id, query.0.kind).await?;
        }
        Ok(())
    };
    if let Err(refused) = check.await {
        upload::discard(&mut form).await;
        return Err(refused);
    }
    let upload = upload::receive(&app.storage, &mut form, app.config.max_document_bytes).await?;
    match once.begin(&app, &scope, &upload.fingerprint()).await? {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(turn) => documents::store(app.into_inner(), turn, scope, query.0, upload).await,
    }
}

/// Find a document
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 200, description = "The document", body = Envelope<Document>)),
)]
#[get("/documents/{id}")]
async fn find_document(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DocumentId>) -> AppResult {
    Ok(respond::ok(db::documents::find(&scope, &app.db, id.0).await?))
}

/// Delete a document
///
/// Its examples go along. Datasets that hold its text lose their content, and models that learned from it answer no more;
/// that, and its file, is seen to by a deletion in the background. `POST /api/v1/deletions/preview` tells what goes.
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/documents/{id}")]
async fn delete_document(app: web::Data<App>, Editor(scope): Editor, id: Id<DocumentId>) -> AppResult {
    let target = DeletionTarget {
        subject: DeletionSubject::Document,
        id: id.0.0,
    };
    deletions::delete(&app, &scope, target, None).await?;
    Ok(respond::no_content())
}

/// Read a document's text
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path), DocumentTextQuery),
    responses((status = 200, description = "A stretch of the text", body = Envelope<DocumentText>)),
)]
#[get("/documents/{id}/text")]
async fn find_document_text(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DocumentId>,
    query: Query<DocumentTextQuery>,
) -> AppResult {
    let offset = query.0.offset.unwrap_or(0);
    let length = query.0.length.unwrap_or(DEFAULT_TEXT_LENGTH);
    Ok(respond::ok(reading::text(&app, &scope, id.0, offset, length).await?))
}

/// Search in a document
///
/// Matches in the order of the text. Of a long document a part is searched at a time: an answer may have no matches and yet a
/// `next_cursor`.
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path), DocumentSearchQuery),
    responses((status = 200, description = "Where the words stand", body = Envelope<CursorPage<DocumentMatch>>)),
)]
#[get("/documents/{id}/search")]
async fn search_document(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DocumentId>,
    query: Query<DocumentSearchQuery>,
) -> AppResult {
    let from = paging::cursor(query.0.cursor.as_deref())?.unwrap_or(0);
    let limit = paging::limit(query.0.limit) as usize;
    Ok(respond::ok(
        reading::search(&app, &scope, id.0, &query.0.q, from, limit).await?,
    ))
}

/// List a document's chunks
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path), ChunkQuery),
    responses((status = 200, description = "Chunks in order; none until the document is ready", body = Envelope<CursorPage<Chunk>>)),
)]
#[get("/documents/{id}/chunks")]
async fn list_document_chunks(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DocumentId>,
    query: Query<ChunkQuery>,
) -> AppResult {
    let after = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::chunks::list(&scope, &app.db, id.0, after, limit).await?,
    ))
}

/// Download a document
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 200, description = "The file as it was uploaded", body = Vec<u8>, content_type = "*/*")),
)]
#[get("/documents/{id}/content")]
async fn find_document_content(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DocumentId>) -> AppResult {
    let located = db::documents::find_located(&scope, &app.db, id.0).await?;
    if located.document.status == DocumentStatus::Quarantined {
        return Err(AppError::conflict(
            "The virus scanner found something in this file: it is not given out.",
        ));
    }
    let blob = app.storage.read(&located.blob_key).await.map_err(AppError::internal)?;
    let media_type = documents::media_type(located.document.format);
    Ok(download::attachment(blob, media_type, &located.document.name))
}

/// Read a document once more
///
/// Only one in status `error`.
#[utoipa::path(
    tag = "documents",
    params(("id" = DocumentId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "Waiting to be read again", body = Envelope<Document>)),
)]
#[post("/documents/{id}/retry")]
async fn retry_document(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<DocumentId>) -> AppResult {
    let work = async |write: &mut db::Write| Answer::ok(documents::retry(write, id.0).await?);
    once.run(&app, &scope, &(), work).await
}
