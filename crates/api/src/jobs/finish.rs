//! Puts a trained adapter into storage, as one archive.

use super::directory;
use crate::{state::App, storage::Storage};
use cerebros_common::{ids::ModelId, jobs::Job};
use cerebros_db::{self as db, Scope, models::NewModel};
use cerebros_queue::TaskError;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// What the trainer said of its result.
pub struct Adapter {
    pub train_loss: f64,
    pub initial_validation_loss: Option<f64>,
    pub validation_loss: Option<f64>,
    pub steps: u64,
    pub sha256: String,
    pub seed: u64,
}

const ARCHIVE: &str = "adapter.zip";

/// Stores the adapter under the job's own id, so that doing it again changes nothing.
pub async fn store(app: &App, scope: &Scope, job: &Job, adapter: &Adapter) -> Result<NewModel, TaskError> {
    let id = ModelId(job.id.0);
    let blob_key = Storage::key("models", scope.workspace_id, id, ARCHIVE);
    let source = directory(app, job.id).join("adapter");
    let archive = directory(app, job.id).join(ARCHIVE);
    let stored = async {
        let path = archive.clone();
        let written = tokio::task::spawn_blocking(move || write(&source, &path)).await;
        let size_bytes = written.map_err(io::Error::other)??;
        app.storage.keep(&archive, &blob_key).await?;
        io::Result::Ok(size_bytes)
    };
    let size_bytes = stored.await.map_err(|error| {
        tracing::error!(job.id = %job.id, error = %error, "an adapter cannot be stored");
        TaskError::retry("The adapter could not be stored")
    })?;
    let name = match job.agent_id {
        Some(agent_id) => db::agents::find(scope, &app.db, agent_id)
            .await
            .map_or_else(|_| job.dataset_name.clone(), |agent| agent.name),
        None => job.dataset_name.clone(),
    };
    Ok(NewModel {
        id,
        job_id: job.id,
        agent_id: job.agent_id,
        dataset_id: job.dataset_id,
        base_id: job.base_id,
        name,
        blob_key,
        seed: adapter.seed,
        steps: adapter.steps,
        train_loss: adapter.train_loss,
        initial_validation_loss: adapter.initial_validation_loss,
        validation_loss: adapter.validation_loss,
        size_bytes,
        sha256: adapter.sha256.clone(),
    })
}

/// Writes the adapter's files to an archive; gives its size.
fn write(source: &Path, archive: &Path) -> io::Result<u64> {
    let mut names: Vec<_> = fs::read_dir(source)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    let mut zip = ZipWriter::new(fs::File::create(archive)?);
    // A fixed time: the same adapter gives the same archive.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for name in &names {
        zip.start_file(name.to_string_lossy(), options)
            .map_err(io::Error::other)?;
        io::copy(&mut fs::File::open(source.join(name))?, &mut zip)?;
    }
    let mut file = zip.finish().map_err(io::Error::other)?;
    file.flush()?;
    Ok(file.metadata()?.len())
}
