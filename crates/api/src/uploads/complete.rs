//! The task that puts a file together of its parts, checks it, and makes a document or a dataset of it.

use super::parts_of;
use crate::{
    datasets, documents,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    documents::DocumentError,
    ids::{DocumentId, UploadId, WorkspaceId},
    uploads::{Upload, UploadStatus},
};
use cerebros_db::{self as db, Actor, DbError, Scope, documents::StoredDocument, uploads::LocatedUpload};
use cerebros_ingest::{Format, SniffError};
use cerebros_queue::{Burial, HookError, Lease, Task, TaskError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Serialize, Deserialize)]
pub struct CompleteUpload {
    pub(super) upload_id: UploadId,
}

impl Task for CompleteUpload {
    const NAME: &'static str = "complete_upload";
    const QUEUE: &'static str = "default";
    /// Over some minutes: a bucket that is asked again puts the file together all the while.
    const MAX_ATTEMPTS: u32 = 10;
}

/// What was found in a whole file.
struct Found {
    sha256: String,
    /// Of documents alone: what a dataset is, its validation tells.
    format: Option<Result<Format, SniffError>>,
}

/// A file that may become what it is to become.
struct Checked {
    sha256: String,
    format: Option<Format>,
}

/// Puts the file together, checks it, and makes a document or a dataset of it or notes why not. May be broken off and done again.
pub async fn run(app: Arc<App>, task: CompleteUpload, lease: Lease) -> Result<(), TaskError> {
    let workspace_id = documents::extraction::scope_of(lease.workspace_id())?.workspace_id;
    let located = match db::uploads::find(&Scope::system(workspace_id), &app.db, task.upload_id).await {
        Err(DbError::NotFound(_)) => None,
        located => Some(located.map_err(AppError::from)?),
    };
    let located = located.filter(|located| located.upload.status == UploadStatus::Completing);
    let scope = Scope {
        workspace_id,
        // What becomes of it is theirs, though the server puts it together.
        actor: located
            .as_ref()
            .map_or(Actor::System, |located| Actor::User(located.user_id)),
    };
    let Some(located) = located else {
        let write = app.db.write(&scope).await.map_err(AppError::from)?;
        lease.complete(write.connection()).await?;
        return Ok(write.commit().await.map_err(AppError::from)?);
    };
    let (upload, parts) = (&located.upload, parts_of(&located));
    let joined = app.storage.join(&parts, upload.part_bytes, upload.size_bytes).await;
    joined.map_err(failed)?;
    let found = inspect(&app, upload, &parts.key(), lease.cancellation()).await?;
    let outcome = match judge(upload, found) {
        Ok(made) => insert(&app, &scope, &lease, &located, made).await?,
        Err(refused) => Err(refused),
    };
    let Err(refused) = outcome else { return Ok(()) };
    app.storage.remove(&parts.key()).await.map_err(failed)?;
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    let error = DocumentError {
        code: refused.code_name(),
        message: refused.detail,
    };
    db::uploads::fail(&mut write, upload.id, &error)
        .await
        .map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    Ok(write.commit().await.map_err(AppError::from)?)
}

/// Makes what it is to become, or tells why that cannot be.
async fn insert(
    app: &App,
    scope: &Scope,
    lease: &Lease,
    located: &LocatedUpload,
    checked: Checked,
) -> Result<Result<(), AppError>, TaskError> {
    let (upload, blob_key) = (&located.upload, parts_of(located).key());
    let mut write = app.db.write(scope).await.map_err(AppError::from)?;
    let inserted = match (upload.agent_id, upload.kind, checked.format) {
        (Some(agent_id), Some(kind), Some(format)) => {
            let document = StoredDocument {
                id: DocumentId(upload.id.0),
                agent_id,
                kind,
                name: upload.name.clone(),
                format: documents::wire_format(format),
                blob_key,
                size_bytes: upload.size_bytes,
                sha256: checked.sha256,
            };
            documents::insert(&mut write, document).await.map(drop)
        }
        _ => {
            let dataset = datasets::uploaded(upload, blob_key, checked.sha256);
            datasets::insert(&mut write, dataset).await.map(drop)
        }
    };
    match inserted {
        Err(refused) if refused.code.status() < 500 => return Ok(Err(refused)),
        inserted => inserted?,
    }
    db::uploads::finish(&mut write, upload.id)
        .await
        .map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    write.commit().await.map_err(AppError::from)?;
    Ok(Ok(()))
}

fn judge(upload: &Upload, found: Found) -> AppResult<Checked> {
    if upload.sha256.as_ref().is_some_and(|wanted| *wanted != found.sha256) {
        let message = "is not that of the file that arrived: it changed on the way, or meanwhile. Upload it again";
        return Err(AppError::field("sha256", "value", message));
    }
    Ok(Checked {
        sha256: found.sha256,
        format: found.format.transpose().map_err(documents::refuse_file)?,
    })
}

async fn inspect(app: &App, upload: &Upload, key: &str, cancelled: &CancellationToken) -> Result<Found, TaskError> {
    let file = app.storage.local(key).await.map_err(failed)?;
    let (name, token, dataset) = (upload.name.clone(), cancelled.clone(), upload.agent_id.is_none());
    let reading = tokio::task::spawn_blocking(move || {
        let sha256 = checksum(file.path(), &token)?;
        let format = (!dataset).then(|| cerebros_ingest::sniff_path(file.path(), &name));
        io::Result::Ok(Found { sha256, format })
    });
    let found = reading
        .await
        .map_err(|_| TaskError::retry("Checking the file failed"))?;
    if cancelled.is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    found.map_err(failed)
}

fn checksum(path: &Path, cancelled: &CancellationToken) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        if cancelled.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        hash.update(&piece[..count]);
    }
}

fn failed(error: io::Error) -> TaskError {
    tracing::warn!(error = %error, "an upload could not be completed");
    TaskError::retry("The upload could not be completed")
}

/// Says on the upload that the server gave up.
pub async fn bury(app: Arc<App>, task: CompleteUpload, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(WorkspaceId(workspace_id))).await?;
    let error = DocumentError {
        code: "interrupted".to_owned(),
        message: "The server failed each time it put this file together. Upload it again; if it stays, tell the \
                  operator."
            .to_owned(),
    };
    db::uploads::fail(&mut write, task.upload_id, &error).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}
