//! Writing models for other programs, as a background task: a child writes and compares, this stores what counts.

use crate::{
    bases, child,
    documents::extraction::scope_of,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    jobs::database,
    models,
    state::App,
    storage::{self, Storage},
};

use cerebros_common::{
    ids::{ModelExportId, ModelId},
    model_exports::{ModelExport, ModelExportKind, ParityCertificate},
};
use cerebros_db::{self as db, DbError, Scope, Write, model_exports::Outcome};
use cerebros_ingest::child::Exit;
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use cerebros_trainer::protocol::{Certificate, ExportFormat, ExportOutcome};
use serde::{Deserialize, Serialize};
use std::{io, path::PathBuf, sync::Arc};
use tokio::fs;

/// What the loader of programs leaves with.
const CANNOT_START: i32 = 127;

#[derive(Debug, Serialize, Deserialize)]
pub struct ExportModel {
    export_id: ModelExportId,
}

impl Task for ExportModel {
    const NAME: &'static str = "export_model";
    const QUEUE: &'static str = "exports";
    const MAX_ATTEMPTS: u32 = 4;
}

/// Notes an export and queues its writing.
pub async fn create(turn: Turn, model_id: ModelId, kind: ModelExportKind) -> AppResult {
    let work = async |write: &mut Write| {
        let export = db::model_exports::insert(write, model_id, kind).await?;
        let options = Enqueue {
            workspace_id: Some(write.workspace_id()?.0),
            ..Enqueue::default()
        };
        let task = ExportModel { export_id: export.id };
        enqueue(write.connection(), &task, options).await?;
        Answer::created(format!("/api/v1/model-exports/{}", export.id), export)
    };
    turn.run(work).await
}

/// Removes an export and its file.
pub async fn delete(app: &App, scope: &Scope, id: ModelExportId) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    let blob_key = db::model_exports::delete(&mut write, id).await?;
    write.commit().await?;
    match blob_key {
        Some(key) => app.storage.remove(&key).await.map_err(AppError::io),
        None => Ok(()),
    }
}

/// The media type of a kind's file, and the end of its name.
pub fn form(kind: ModelExportKind) -> (&'static str, &'static str) {
    match kind {
        ModelExportKind::Peft => ("application/zip", "peft.zip"),
        ModelExportKind::Merged => ("application/zip", "merged.zip"),
        ModelExportKind::Gguf => ("application/octet-stream", "adapter.gguf"),
    }
}

pub async fn run(app: Arc<App>, task: ExportModel, lease: Lease) -> Result<(), TaskError> {
    let run = Run {
        scope: scope_of(lease.workspace_id())?,
        directory: directory(&app, task.export_id),
        app,
        id: task.export_id,
        lease,
    };
    let Some(export) = run.begin().await? else {
        return Ok(());
    };
    let ended = tokio::select! {
        ended = run.make(&export) => ended,
        () = run.lease.cancellation().cancelled() => Err(TaskError::Interrupted),
        gone = run.gone() => Err(gone),
    };
    run.clear().await;
    match ended {
        Ok(outcome) => run.end(&outcome).await,
        // Nobody wants it any more.
        Err(TaskError::LostLease) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says on the export that the server gave up.
pub async fn bury(app: Arc<App>, task: ExportModel, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(workspace_id.into())).await?;
    let message = format!(
        "{}. Ask for the export again; if it stays, look at the server's memory, disk and log.",
        burial.message().trim_end_matches('.')
    );
    db::model_exports::finish(&mut write, task.export_id, &failed(message)).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

/// Where an export is written; what an earlier attempt left there goes.
fn directory(app: &App, id: ModelExportId) -> PathBuf {
    app.config.work_dir().join("model-exports").join(id.to_string())
}

fn failed(error: impl Into<String>) -> Outcome {
    Outcome::Failed {
        error: error.into(),
        certificate: None,
    }
}

struct Run {
    app: Arc<App>,
    scope: Scope,
    id: ModelExportId,
    directory: PathBuf,
    lease: Lease,
}

impl Run {
    async fn begin(&self) -> Result<Option<ModelExport>, TaskError> {
        let mut write = self.app.db.write(&self.scope).await.map_err(database)?;
        let started = db::model_exports::start(&mut write, self.id).await.map_err(database)?;
        self.lease.fence(write.connection()).await?;
        write.commit().await.map_err(database)?;
        Ok(started)
    }

    /// Waits until the export was deleted.
    async fn gone(&self) -> TaskError {
        let mut changes = self.app.db.subscribe();
        changes.mark_changed();
        while changes.changed().await.is_ok() {
            match db::model_exports::find(&self.scope, &self.app.db, self.id).await {
                Ok(_) => {}
                Err(DbError::NotFound(_)) => return TaskError::LostLease,
                Err(error) => return database(error),
            }
        }
        TaskError::Interrupted
    }

    /// Writes the files and stores them as one.
    async fn make(&self, export: &ModelExport) -> Result<Outcome, TaskError> {
        match self.write_files(export).await? {
            Err(outcome) => Ok(outcome),
            Ok(certificate) => match self.store(export, certificate).await {
                Ok(outcome) => Ok(outcome),
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    Ok(failed("The server's disk is full. Free some space and try again."))
                }
                Err(error) => {
                    tracing::error!(export.id = %self.id, error = %error, "an export cannot be stored");
                    Err(TaskError::retry("The export could not be stored"))
                }
            },
        }
    }

    /// Lets a child write the files, within limits. The inner error ends the export.
    async fn write_files(&self, export: &ModelExport) -> Result<Result<ParityCertificate, Outcome>, TaskError> {
        let (app, scope) = (&self.app, &self.scope);
        let stored = db::models::find(scope, &app.db, export.model_id)
            .await
            .map_err(database)?;
        let base = db::bases::find_located(scope, &app.db, stored.model.base_id).await;
        let base = bases::directory(&app.config, &base.map_err(database)?);
        let prepared = async {
            storage::remove_directory(&self.directory).await?;
            fs::create_dir_all(&self.directory).await?;
            app.storage.unpacked(&stored.blob_key).await
        };
        let adapter = prepared.await.map_err(|error| {
            tracing::error!(export.id = %self.id, error = %error, "an export cannot be begun");
            TaskError::retry("The adapter could not be read")
        })?;
        let format = match export.kind {
            ModelExportKind::Peft => ExportFormat::Peft,
            ModelExportKind::Merged => ExportFormat::Merged,
            ModelExportKind::Gguf => ExportFormat::Gguf,
        };
        let memory = app.config.export_memory_bytes.or_else(most_of_what_is_free);
        let ran = child::export(&app.config, (&base, &adapter), format, &self.out(), memory).await;
        let (exit, said) = ran.map_err(|error| {
            tracing::error!(export.id = %self.id, error = %error, "the exporting child cannot be run");
            TaskError::retry("The export could not be run")
        })?;
        match serde_json::from_slice(&said) {
            Ok(ExportOutcome::Done { certificate, .. }) => Ok(Ok(wire(&certificate))),
            Ok(ExportOutcome::Failed {
                message,
                remedy,
                certificate,
                ..
            }) => Ok(Err(Outcome::Failed {
                error: format!("{message} {remedy}"),
                certificate: certificate.as_ref().map(wire),
            })),
            Err(_) => silent(exit).map(Err),
        }
    }

    /// Packs what was written and puts it into storage.
    async fn store(&self, export: &ModelExport, certificate: ParityCertificate) -> io::Result<Outcome> {
        let (_, name) = form(export.kind);
        let (out, file) = (self.out(), self.directory.join(name));
        let packing = file.clone();
        let kind = export.kind;
        let lineage = models::lineage(&self.app, &self.scope, export.model_id).await;
        let card = models::card::card(&lineage.map_err(|error| io::Error::other(error.detail))?);
        let packed = tokio::task::spawn_blocking(move || {
            if kind != ModelExportKind::Gguf {
                std::fs::write(out.join("README.md"), card)?;
            }
            match kind {
                ModelExportKind::Peft | ModelExportKind::Merged => drop(storage::pack(&out, &packing)?),
                ModelExportKind::Gguf => std::fs::rename(out.join(name), &packing)?,
            }
            storage::hash(&packing)
        });
        let (size_bytes, sha256) = packed.await.map_err(io::Error::other)??;
        let blob_key = Storage::key("models", self.scope.workspace_id, self.id, name);
        self.app.storage.keep(&file, &blob_key).await?;
        Ok(Outcome::Ready {
            blob_key,
            size_bytes,
            sha256,
            certificate,
        })
    }

    fn out(&self) -> PathBuf {
        self.directory.join("out")
    }

    async fn clear(&self) {
        if let Err(error) = storage::remove_directory(&self.directory).await {
            tracing::warn!(export.id = %self.id, error = %error, "what an export was made of could not be removed");
        }
    }

    /// Ends export and task in one transaction.
    async fn end(&self, outcome: &Outcome) -> Result<(), TaskError> {
        let mut write = self.app.db.write(&self.scope).await.map_err(database)?;
        let wanted = db::model_exports::finish(&mut write, self.id, outcome).await;
        let wanted = wanted.map_err(database)?;
        self.lease.complete(write.connection()).await?;
        write.commit().await.map_err(database)?;
        if let (false, Outcome::Ready { blob_key, .. }) = (wanted, outcome) {
            let removed = self.app.storage.remove(blob_key).await;
            removed.map_err(|error| TaskError::retry(error.to_string()))?;
        }
        Ok(())
    }
}

fn most_of_what_is_free() -> Option<u64> {
    cerebros_trainer::available_bytes().map(|free| free / 10 * 9)
}

/// A child that said nothing ran into one of its limits, or has to be tried again.
fn silent(exit: Exit) -> Result<Outcome, TaskError> {
    match exit {
        Exit::TimedOut => Ok(failed(
            "Writing this export took too long. Try again when the server has less to do, or export on a faster machine \
             with `cerebros export`.",
        )),
        // A failed allocation aborts, a stack that cannot grow ends it, the kernel kills, and without room for its libraries
        // it does not even start.
        Exit::Signal(_) | Exit::Code(CANNOT_START) => Ok(failed(
            "Writing this export broke off, most likely because it needs more memory than there is for it. Free some \
             memory or raise EXPORT_MEMORY_BYTES, then try again.",
        )),
        exit => {
            tracing::warn!(exit = ?exit, "an exporting child left without a word");
            Err(TaskError::retry("The export broke off"))
        }
    }
}

fn wire(certificate: &Certificate) -> ParityCertificate {
    ParityCertificate {
        prompts: certificate.prompts,
        tokens: certificate.tokens,
        equal_tokens: certificate.equal_tokens,
        largest_logit_gap: certificate.largest_logit_gap,
        bound: certificate.bound,
        holds: certificate.holds(),
    }
}
