//! Keeps the adapters of checkpoints: the trainer removes its own but for the newest.

use super::directory;
use crate::{
    error::{AppError, AppResult},
    state::App,
    storage::{self, Storage},
};
use cerebros_common::{errors::ErrorCode, ids::JobId, jobs::KEPT_ADAPTERS};
use cerebros_db::{self as db, DbError, Scope, jobs::StoredAdapter};
use chrono::{DateTime, Utc};
use std::io;
use uuid::Uuid;

/// Of a checkpoint's directory; the rest is the trainer's own.
const FILES: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

/// Stores the adapter of the checkpoint at a step. `None` where that is done already, or cannot be: training goes on all the
/// same.
pub async fn store(app: &App, scope: &Scope, id: JobId, step: u64) -> Option<StoredAdapter> {
    if db::jobs::has_adapter(scope, &app.db, id, step).await.ok()? {
        return None;
    }
    match pack(app, scope, id, step).await {
        Ok(stored) => Some(stored),
        Err(error) => {
            // The trainer may be two checkpoints further by now.
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(job.id = %id, step, error = %error, "a checkpoint's adapter cannot be stored");
            }
            None
        }
    }
}

async fn pack(app: &App, scope: &Scope, id: JobId, step: u64) -> io::Result<StoredAdapter> {
    let adapter_id = Uuid::now_v7();
    let directory = directory(app, id);
    let source = directory.join("checkpoints").join(format!("step-{step}"));
    let archive = directory.join(format!("checkpoint-{step}.zip"));
    let path = archive.clone();
    let packed = tokio::task::spawn_blocking(move || storage::pack_some(&source, &FILES, &path)).await;
    let size_bytes = packed.map_err(io::Error::other)??;
    let blob_key = Storage::key("checkpoints", scope.workspace_id, adapter_id, "adapter.zip");
    app.storage.keep(&archive, &blob_key).await?;
    Ok(StoredAdapter {
        id: adapter_id,
        blob_key,
        size_bytes,
    })
}

/// Removes adapters that no row names any more. What fails is collected later.
pub async fn remove(app: &App, keys: &[String]) {
    for key in keys {
        if let Err(error) = app.storage.remove(key).await {
            tracing::warn!(key, error = %error, "a checkpoint's adapter could not be removed");
        }
    }
}

/// The adapter of a checkpoint, and when that was written.
///
/// # Errors
/// 404 where none is kept.
pub async fn find(app: &App, scope: &Scope, id: JobId, step: u64) -> AppResult<(StoredAdapter, DateTime<Utc>)> {
    match db::jobs::checkpoint_adapter(scope, &app.db, id, step).await {
        Err(DbError::NotFound("checkpoint's adapter")) => Err(AppError::new(
            ErrorCode::NotFound,
            format!(
                "The adapter of step {step} is not kept. Of a job's checkpoints, {KEPT_ADAPTERS} at most keep theirs, spread over \
             its steps; `GET /api/v1/jobs/{id}/checkpoints` says which."
            ),
        )),
        other => Ok(other?),
    }
}
