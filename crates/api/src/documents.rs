//! Documents: taking files in, reading them in a child process, and letting them go.

pub mod extraction;
pub mod reading;

use crate::{
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    state::App,
    storage::Storage,
    upload::Upload,
};
use actix_web::rt;
use cerebros_common::{
    documents::{Document, DocumentFormat, NewDocument},
    errors::ErrorCode,
    ids::DocumentId,
};
use cerebros_db::{self as db, Scope, Write, documents::StoredDocument};
use cerebros_ingest::{Format, SniffCode, SniffError};
use cerebros_queue::{Enqueue, enqueue};
use extraction::ExtractDocument;
use std::sync::Arc;
use uuid::Uuid;

/// Keeps an uploaded file and asks for its text. Goes on to the end if the client leaves meanwhile.
///
/// # Errors
/// 400 for an empty file, 415 for one that cannot be read, 409 for one that is too many or here already, 507 on a full
/// disk. Nothing is kept then.
pub async fn store(app: Arc<App>, turn: Turn, scope: Scope, new: NewDocument, upload: Upload) -> AppResult {
    let Upload { name, writer } = upload;
    let path = writer.path().to_owned();
    let sniffed = {
        let name = name.clone();
        tokio::task::spawn_blocking(move || cerebros_ingest::sniff_path(&path, &name)).await
    };
    let format = sniffed.map_err(AppError::internal)?.map_err(refuse_file)?;
    let storing = async move {
        let id = DocumentId(Uuid::now_v7());
        let blob_key = Storage::key("documents", scope.workspace_id, id, "original");
        let stored = writer.finish(&blob_key).await.map_err(AppError::io)?;
        let document = StoredDocument {
            id,
            agent_id: new.agent_id,
            kind: new.kind,
            name,
            format: wire_format(format),
            blob_key: blob_key.clone(),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
        };
        let work = async |write: &mut Write| {
            let document = insert(write, document).await?;
            Answer::created(format!("/api/v1/documents/{id}"), document)
        };
        let inserted = turn.run(work).await;
        if inserted.is_err() {
            remove_file(&app, &blob_key).await;
        }
        inserted
    };
    rt::spawn(storing).await.map_err(AppError::internal)?
}

/// Reads a document once more whose file could not be read before.
pub async fn retry(write: &mut Write, id: DocumentId) -> AppResult<Document> {
    let document = db::documents::retry(write, id).await?;
    enqueue_extraction(write, id).await?;
    Ok(document)
}

/// Removes a file that no row names any more. What fails is the operator's to clean up: the row is gone already.
pub async fn remove_file(app: &App, blob_key: &str) {
    if let Err(error) = app.storage.remove(blob_key).await {
        tracing::error!(blob.key = blob_key, error = %error, "the file of a deleted row could not be removed");
    }
}

pub fn media_type(format: DocumentFormat) -> &'static str {
    ingest_format(format).media_type()
}

/// Adds a document whose file lies in its place, and asks for its text.
pub async fn insert(write: &mut Write, document: StoredDocument) -> AppResult<Document> {
    let id = document.id;
    let document = db::documents::insert(write, document).await?;
    enqueue_extraction(write, id).await?;
    Ok(document)
}

async fn enqueue_extraction(write: &Write, document_id: DocumentId) -> AppResult<()> {
    let options = Enqueue {
        workspace_id: Some(write.workspace_id()?.0),
        dedup_key: Some(document_id.to_string()),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &ExtractDocument { document_id }, options).await?;
    Ok(())
}

/// Why no document comes of a file.
pub fn refuse_file(error: SniffError) -> AppError {
    match error.code {
        SniffCode::Unreadable => AppError::internal(error),
        SniffCode::Empty => AppError::field("file", "empty", "is empty"),
        SniffCode::Unsupported | SniffCode::Protected | SniffCode::NotText | SniffCode::Damaged => {
            AppError::new(ErrorCode::UnsupportedMediaType, error.message)
        }
    }
}

pub fn wire_format(format: Format) -> DocumentFormat {
    match format {
        Format::Pdf => DocumentFormat::Pdf,
        Format::Docx => DocumentFormat::Docx,
        Format::Doc => DocumentFormat::Doc,
        Format::Txt => DocumentFormat::Txt,
        Format::Md => DocumentFormat::Md,
        Format::Csv => DocumentFormat::Csv,
        Format::Json => DocumentFormat::Json,
        Format::Xml => DocumentFormat::Xml,
    }
}

fn ingest_format(format: DocumentFormat) -> Format {
    match format {
        DocumentFormat::Pdf => Format::Pdf,
        DocumentFormat::Docx => Format::Docx,
        DocumentFormat::Doc => Format::Doc,
        DocumentFormat::Txt => Format::Txt,
        DocumentFormat::Md => Format::Md,
        DocumentFormat::Csv => Format::Csv,
        DocumentFormat::Json => Format::Json,
        DocumentFormat::Xml => Format::Xml,
    }
}
