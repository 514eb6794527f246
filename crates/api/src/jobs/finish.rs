//! Puts a trained adapter into storage, as one archive.

use super::directory;
use crate::{
    state::App,
    storage::{self, Storage},
};
use cerebros_common::{ids::ModelId, jobs::Job, trainings::StageKind};
use cerebros_db::{self as db, Scope, models::NewModel};
use cerebros_queue::TaskError;
use std::io;

/// What the trainer said of its result.
pub struct Adapter {
    pub train_loss: f64,
    pub initial_validation_loss: Option<f64>,
    pub validation_loss: Option<f64>,
    pub token_accuracy: Option<f64>,
    pub generation_overlap: Option<f64>,
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
        let written = tokio::task::spawn_blocking(move || storage::pack(&source, &path)).await;
        let size_bytes = written.map_err(io::Error::other)??;
        app.storage.keep(&archive, &blob_key).await?;
        io::Result::Ok(size_bytes)
    };
    let size_bytes = stored.await.map_err(|error| {
        tracing::error!(job.id = %job.id, error = %error, "an adapter cannot be stored");
        TaskError::retry("The adapter could not be stored")
    })?;
    let mut name = match job.agent_id {
        Some(agent_id) => db::agents::find(scope, &app.db, agent_id)
            .await
            .map_or_else(|_| job.dataset_name.clone(), |agent| agent.name),
        None => job.dataset_name.clone(),
    };
    if let Some(stage) = job.stage.and_then(StageKind::of_number)
        && stage != StageKind::Personalization
    {
        name = format!("{name}, stage {}", stage.numeral());
    }
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
        token_accuracy: adapter.token_accuracy,
        generation_overlap: adapter.generation_overlap,
        size_bytes,
        sha256: adapter.sha256.clone(),
    })
}
