//! Deleting for good: the task that removes what a deletion left out of reach, and the receipt that it signs at the end.

use crate::{
    error::{AppError, AppResult},
    examples::duplicates::enqueue_grouping,
    jobs,
    keys::{Keys, Purpose},
    state::App,
    storage::{self, Parts},
    uploads, vllm,
};
use cerebros_common::{
    deletions::{Deletion, DeletionSubject, DeletionTarget, Receipt, ReceiptStatement},
    ids::{DeletionId, DocumentId, JobId, WorkspaceId},
};
use cerebros_db::{self as db, Scope, Write, deletions::Work};
use cerebros_queue::{Enqueue, Lease, Task, TaskError, enqueue};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::{io, sync::Arc};

#[derive(Debug, Serialize, Deserialize)]
pub struct Erase {
    deletion_id: DeletionId,
}

impl Task for Erase {
    const NAME: &'static str = "erase";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 20;
}

/// Deletes something as part of a transaction: out of reach with its commit, gone soon after.
pub async fn begin(write: &mut Write, target: DeletionTarget, version: Option<i64>) -> AppResult<Deletion> {
    let agent_id = match target.subject {
        DeletionSubject::Document => db::documents::lock_agent_of(write, DocumentId(target.id)).await?,
        _ => None,
    };
    let deletion = db::deletions::begin(write, target, version).await?;
    enqueue_erasure(write, deletion.id).await?;
    if let Some(agent_id) = agent_id {
        let scope = Scope::system(write.workspace_id()?);
        enqueue_grouping(write, &scope, agent_id).await?;
    }
    Ok(deletion)
}

/// [`begin`] in a transaction of its own.
pub async fn delete(app: &App, scope: &Scope, target: DeletionTarget, version: Option<i64>) -> AppResult<Deletion> {
    let mut write = app.db.write(scope).await?;
    let deletion = begin(&mut write, target, version).await?;
    write.commit().await?;
    Ok(deletion)
}

/// Takes up deletions whose task was given up.
pub async fn resume(app: &App) -> AppResult<()> {
    for id in db::deletions::list_open_unscoped(&app.db).await? {
        let write = app.db.write_unscoped().await?;
        enqueue_erasure(&write, id).await?;
        write.commit().await?;
    }
    Ok(())
}

async fn enqueue_erasure(write: &Write, deletion_id: DeletionId) -> AppResult<()> {
    // Of no workspace: the task outlives the one that goes.
    let options = Enqueue {
        dedup_key: Some(deletion_id.to_string()),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &Erase { deletion_id }, options).await?;
    Ok(())
}

/// Removes files, then rows, then what rests of them in the database's own files. Each step may be done again.
pub async fn run(app: Arc<App>, task: Erase, lease: Lease) -> Result<(), TaskError> {
    let open = db::deletions::find_open_unscoped(&app.db, task.deletion_id)
        .await
        .map_err(AppError::from)?;
    let Some(open) = open else {
        let write = app.db.write_unscoped().await.map_err(AppError::from)?;
        lease.complete(write.connection()).await?;
        return commit(write).await;
    };
    trainers_left(&app, &open.work, &lease).await?;
    remove_jobs(&app, &open.work.jobs).await?;
    for blob in &open.work.blobs {
        app.storage.remove(blob).await.map_err(unremovable)?;
    }
    if let Err(error) = vllm::sweep(&app).await {
        // The files are gone; vLLM is told again by the hour.
        tracing::warn!(error = ?error, "vLLM still holds adapters that are served no more");
    }
    for doomed in &open.work.uploads {
        let parts = Parts {
            workspace_id: doomed.workspace_id,
            upload_id: doomed.upload_id,
            multipart_id: doomed.multipart_id.clone(),
            dataset: doomed.dataset,
        };
        app.storage.abandon(&parts).await.map_err(unremovable)?;
        app.storage.remove(&parts.key()).await.map_err(unremovable)?;
    }
    for workspace_id in &open.work.workspaces {
        erase_workspace(&app, *workspace_id, &lease).await?;
    }
    if !app.db.scrub_unscoped().await.map_err(AppError::from)? {
        return Err(TaskError::retry("The database is being read; its old pages go later"));
    }
    for workspace_id in &open.work.left {
        let mut write = fenced(&app, Some(*workspace_id), &lease).await?;
        db::deletions::note_left(&mut write, open.deletion.subject_id);
        commit(write).await?;
    }
    let mut write = fenced(&app, None, &lease).await?;
    let keys = &app.keys;
    db::deletions::finish_unscoped(&mut write, &open, |statement| sign(keys, statement))
        .await
        .map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    commit(write).await
}

/// Waits until no trainer writes any more. They were told to leave when the deletion began.
async fn trainers_left(app: &App, work: &Work, lease: &Lease) -> Result<(), TaskError> {
    let mut changes = app.db.subscribe();
    loop {
        changes.mark_unchanged();
        let training = db::deletions::is_training_unscoped(&app.db, work).await;
        if !training.map_err(AppError::from)? {
            return Ok(());
        }
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| TaskError::Interrupted)?,
            () = lease.cancellation().cancelled() => return Err(TaskError::Interrupted),
        }
    }
}

async fn erase_workspace(app: &App, id: WorkspaceId, lease: &Lease) -> Result<(), TaskError> {
    let jobs = db::deletions::jobs_of_unscoped(&app.db, id).await;
    remove_jobs(app, &jobs.map_err(AppError::from)?).await?;
    let uploads = db::uploads::of_workspace_unscoped(&app.db, id).await;
    for located in uploads.map_err(AppError::from)? {
        let parts = uploads::parts_of(&located);
        app.storage.abandon(&parts).await.map_err(unremovable)?;
    }
    app.storage.remove_workspace(id).await.map_err(unremovable)?;
    let mut more = true;
    while more {
        let write = fenced(app, None, lease).await?;
        let erased = db::deletions::erase_some_unscoped(&write, id).await;
        more = erased.map_err(AppError::from)?;
        commit(write).await?;
    }
    let mut write = fenced(app, None, lease).await?;
    db::deletions::erase_workspace_unscoped(&mut write, id)
        .await
        .map_err(AppError::from)?;
    commit(write).await?;
    // An upload that was under way may have left a file; from here on none can.
    app.storage.remove_workspace(id).await.map_err(unremovable)
}

async fn remove_jobs(app: &App, ids: &[JobId]) -> Result<(), TaskError> {
    for id in ids {
        let directory = jobs::directory(app, *id);
        storage::remove_directory(&directory).await.map_err(unremovable)?;
    }
    Ok(())
}

async fn fenced(app: &App, workspace_id: Option<WorkspaceId>, lease: &Lease) -> Result<Write, TaskError> {
    let write = match workspace_id {
        Some(id) => app.db.write(&Scope::system(id)).await,
        None => app.db.write_unscoped().await,
    };
    let write = write.map_err(AppError::from)?;
    lease.fence(write.connection()).await?;
    Ok(write)
}

async fn commit(write: Write) -> Result<(), TaskError> {
    Ok(write.commit().await.map_err(AppError::from)?)
}

fn unremovable(error: io::Error) -> TaskError {
    tracing::error!(error = %error, "the files of something deleted cannot be removed");
    TaskError::retry("Files could not be removed")
}

/// What is signed with the secret in use.
fn sign(keys: &Keys, statement: &ReceiptStatement) -> Receipt {
    let (_, seed) = keys.current(Purpose::Receipts);
    let payload = serde_json::to_string(statement).unwrap_or_default();
    let (public_key, signature) = match key_pair(&seed) {
        Some(pair) => (
            hex::encode(pair.public_key()),
            hex::encode(pair.sign(payload.as_bytes())),
        ),
        None => Default::default(),
    };
    Receipt {
        payload,
        algorithm: "ed25519".to_owned(),
        public_key,
        signature,
    }
}

/// The public keys that receipts of this server may carry, the one in use first.
pub fn public_keys(keys: &Keys) -> Vec<String> {
    let seeds = keys.derived(Purpose::Receipts);
    let pairs = seeds.iter().filter_map(|(_, seed)| key_pair(seed));
    pairs.map(|pair| hex::encode(pair.public_key())).collect()
}

/// Every seed of 32 bytes makes one.
fn key_pair(seed: &[u8; 32]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok()
}

/// Whether the signature belongs to payload and key; not whose key it is.
pub fn is_signed(receipt: &Receipt) -> bool {
    let key = hex::decode(&receipt.public_key).unwrap_or_default();
    let signature = hex::decode(&receipt.signature).unwrap_or_default();
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(receipt.payload.as_bytes(), &signature).is_ok()
}
