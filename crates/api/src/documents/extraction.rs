//! The task that reads a document, in a child process with limits of its own.

use crate::{
    error::AppError,
    examples,
    scan::{self, Verdict},
    state::App,
};
use cerebros_common::{
    documents::{DocumentError, DocumentKind, DocumentPage, Scan},
    ids::{DocumentId, WorkspaceId},
};
use cerebros_db::{
    self as db, Scope,
    chunks::NewChunk,
    documents::{Extraction, LocatedDocument},
};
use cerebros_ingest::{
    ExtractCode, ExtractError, Page, Piece, Reading, Tokens,
    child::{Exit, outcome_of_exit},
};
use cerebros_queue::{Burial, HookError, Lease, Task, TaskError};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::fs;

/// Wall-clock time for one file; the child limits its CPU time by itself.
const DEADLINE: Duration = Duration::from_secs(180);
/// A child that ended from outside says nothing about the file, so it gets another chance; one that ends so each time does.
const CRASHES_BELIEVED: u32 = 3;

#[derive(Debug, Serialize, Deserialize)]
pub struct ExtractDocument {
    pub document_id: DocumentId,
}

impl Task for ExtractDocument {
    const NAME: &'static str = "extract_document";
    const QUEUE: &'static str = "documents";
    const MAX_ATTEMPTS: u32 = 8;
}

/// Clears away what interrupted tasks left. Only for a process that knows that it is alone.
///
/// # Errors
/// When the directory cannot be removed.
pub fn clear(app: &App) -> io::Result<()> {
    match std::fs::remove_dir_all(app.config.work_dir()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads the file and stores its text and chunks, or why there are none. A document that is gone or settled stays as it is.
pub async fn run(app: Arc<App>, task: ExtractDocument, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    let begun = db::documents::begin(&mut write, task.document_id)
        .await
        .map_err(AppError::from)?;
    let Some(located) = begun else {
        lease.complete(write.connection()).await?;
        write.commit().await.map_err(AppError::from)?;
        return Ok(());
    };
    lease.fence(write.connection()).await?;
    write.commit().await.map_err(AppError::from)?;
    if !look(&app, &scope, &located, &lease).await? {
        return Ok(());
    }
    let outcome = extract(&app, &located, &lease).await?;
    if let Err(error) = &outcome
        && matches!(
            error.code,
            ExtractCode::Crashed | ExtractCode::OutOfMemory | ExtractCode::Unwritable
        )
        && lease.attempt() < CRASHES_BELIEVED
    {
        return Err(TaskError::Retry {
            message: error.message.clone(),
            after: Some(Duration::from_millis(200)),
        });
    }
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    match outcome {
        Ok(extraction) => {
            let kind = db::documents::finish(&mut write, task.document_id, extraction)
                .await
                .map_err(AppError::from)?;
            if kind == Some(DocumentKind::WorkProduct) {
                examples::enqueue_generation(&write, &scope, task.document_id).await?;
            }
        }
        Err(error) => {
            let error = DocumentError {
                code: error.code.as_str().to_owned(),
                message: error.message,
            };
            db::documents::fail(&mut write, task.document_id, &error)
                .await
                .map_err(AppError::from)?;
        }
    }
    lease.complete(write.connection()).await?;
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// Has the virus scanner look at the file. `false`: the document was settled, and the task ended with it.
async fn look(app: &App, scope: &Scope, located: &LocatedDocument, lease: &Lease) -> Result<bool, TaskError> {
    let id = located.document.id;
    let verdict = match (&app.config.clamd, located.document.scan) {
        (_, Some(Scan::Clean | Scan::TooLarge)) => return Ok(true),
        (None, _) => Ok(None),
        (Some(clamd), _) => {
            let blob = app.storage.read(&located.blob_key).await.map_err(failed)?;
            tokio::select! {
                verdict = scan::scan(clamd, blob, app.config.deadlines.scan) => verdict.map(Some),
                () = lease.cancellation().cancelled() => return Err(TaskError::Interrupted),
            }
        }
    };
    if let Err(error) = &verdict {
        tracing::warn!(error = %error, "a file could not be scanned");
        if !lease.is_last_attempt() {
            return Err(TaskError::Retry {
                message: "The virus scanner gave no answer".to_owned(),
                after: app.config.deadlines.scan_again,
            });
        }
    }
    let mut write = app.db.write(scope).await.map_err(AppError::from)?;
    let scan = match verdict {
        Ok(None) => Some(Scan::NotScanned),
        Ok(Some(Verdict::Clean)) => Some(Scan::Clean),
        Ok(Some(Verdict::TooLarge)) => Some(Scan::TooLarge),
        Ok(Some(Verdict::Infected(name))) => {
            let message = format!(
                "The virus scanner found {name} in this file. It is kept apart: nobody can read or download it. Delete \
                 it, and look at where it came from."
            );
            let quarantined = db::documents::quarantine(&mut write, id, message).await;
            quarantined.map_err(AppError::from)?;
            None
        }
        Err(_) => {
            let error = DocumentError {
                code: "scanner_unavailable".to_owned(),
                message:
                    "The virus scanner could not be asked, so the file was not read. Try again; if it stays, tell \
                          the operator."
                        .to_owned(),
            };
            let failed = db::documents::fail(&mut write, id, &error).await;
            failed.map_err(AppError::from)?;
            None
        }
    };
    if let Some(scan) = scan {
        let passed = db::documents::pass(&mut write, id, scan).await;
        passed.map_err(AppError::from)?;
        lease.fence(write.connection()).await?;
    } else {
        lease.complete(write.connection()).await?;
    }
    write.commit().await.map_err(AppError::from)?;
    Ok(scan.is_some())
}

/// Says on the document that the server gave up.
pub async fn bury(app: Arc<App>, task: ExtractDocument, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(WorkspaceId(workspace_id))).await?;
    let error = DocumentError {
        code: "interrupted".to_owned(),
        message: "The server failed each time it read this file. Try again; if it stays, tell the operator.".to_owned(),
    };
    db::documents::fail(&mut write, task.document_id, &error).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

/// The scope of a task that was enqueued for a workspace.
pub fn scope_of(workspace_id: Option<uuid::Uuid>) -> Result<Scope, TaskError> {
    workspace_id
        .map(|id| Scope::system(WorkspaceId(id)))
        .ok_or_else(|| TaskError::permanent("The task belongs to no workspace"))
}

async fn extract(
    app: &App,
    located: &LocatedDocument,
    lease: &Lease,
) -> Result<Result<Extraction, ExtractError>, TaskError> {
    let directory = work_dir(app).join(lease.task_id().to_string());
    let output = directory.join("outcome.json");
    // What an earlier attempt left would be taken for this one's.
    remove(&directory).await?;
    fs::create_dir_all(&directory).await.map_err(failed)?;
    let exit = run_child(app, located, &output, lease).await;
    let outcome = match exit {
        Ok(exit) => {
            let output = output.clone();
            let read = move || outcome_of_exit(exit, &output).map(extraction);
            tokio::task::spawn_blocking(read)
                .await
                .map_err(|_| TaskError::retry("Reading the extracted text failed"))
        }
        Err(error) => Err(error),
    };
    remove(&directory).await?;
    outcome
}

async fn run_child(app: &App, located: &LocatedDocument, output: &Path, lease: &Lease) -> Result<Exit, TaskError> {
    let format = super::ingest_format(located.document.format);
    let file = app.storage.local(&located.blob_key).await.map_err(failed)?;
    let mut command = crate::child::command(&app.config, "extract");
    command.arg(file.path()).arg(format.as_str()).arg(output);
    tokio::select! {
        exit = crate::child::run(command, DEADLINE) => exit.map_err(failed),
        () = lease.cancellation().cancelled() => Err(TaskError::Interrupted),
    }
}

fn extraction(reading: Reading) -> Extraction {
    let page = |page: Page| DocumentPage {
        number: page.number,
        start: page.start as u64,
        end: page.end as u64,
    };
    let tokens = reading
        .tokens
        .unwrap_or_else(|| Tokens::of(&reading.text, &reading.pieces));
    let chunk = |(piece, tokens): (Piece, usize)| NewChunk {
        start: piece.start as u64,
        end: piece.end as u64,
        page: piece.page,
        headings: piece.headings,
        tokens: tokens as u64,
    };
    let code = |(start, end): (usize, usize)| (start as u64, end as u64);
    Extraction {
        characters: reading.characters as u64,
        tokens: tokens.whole as u64,
        pages: reading.pages.into_iter().map(page).collect(),
        code: reading.code.into_iter().map(code).collect(),
        chunks: reading.pieces.into_iter().zip(tokens.pieces).map(chunk).collect(),
        text: reading.text,
    }
}

fn work_dir(app: &App) -> PathBuf {
    app.config.work_dir().join("extraction")
}

async fn remove(directory: &Path) -> Result<(), TaskError> {
    match fs::remove_dir_all(directory).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: io::Error) -> TaskError {
    tracing::warn!(error = %error, "an extraction could not be run");
    TaskError::retry(format!("The extraction could not be run: {error}"))
}
