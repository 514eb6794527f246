//! Chat completions: which model is meant, and the answer in OpenAI's shapes.

pub mod asked;
pub mod call;
mod calls;
pub mod citations;
mod heard;
mod host;
pub mod question;

use crate::{
    bases,
    error::{AppError, AppResult},
    jobs::checkpoints,
    models::{self, Named},
    state::App,
};
use cerebros_common::{
    agents::Host,
    chat::ChatCompletionRequest,
    ids::{AgentId, ModelId},
    search::Passage,
};
use cerebros_db::{self as db, DbError, Scope, bases::LocatedBase};
use std::path::{Path, PathBuf};

/// What a request's `model` stands for.
pub struct Target {
    pub base_dir: PathBuf,
    pub adapter_dir: Option<PathBuf>,
    /// By which the base is known to others: its name, where it came from, where it is.
    pub base_names: Vec<String>,
    pub host: Host,
    pub agent_id: Option<AgentId>,
    pub model_id: Option<ModelId>,
}

/// Finds what a model's name stands for in the workspace.
pub async fn resolve(app: &App, scope: &Scope, name: &str) -> AppResult<Target> {
    let not_found = models::not_found(name);
    let (agent_id, model_id, host) = match models::named(name).ok_or_else(|| models::unknown(name))? {
        Named::Base(id) => {
            let base = db::bases::find_located(scope, &app.db, id).await.map_err(not_found)?;
            return Ok(over(app, &base, None));
        }
        Named::Agent(id) => {
            let agent = db::agents::find(scope, &app.db, id).await.map_err(&not_found)?;
            let offline = || {
                models::no_model(format!(
                    "The assistant `{}` has no model yet. Train it first.",
                    agent.name
                ))
            };
            (Some(id), agent.model_id.ok_or_else(offline)?, agent.host)
        }
        Named::Model(id) => (None, id, Host::Embedded),
        Named::Checkpoint(job_id, step) => {
            let job = db::jobs::find(scope, &app.db, job_id).await.map_err(&not_found)?;
            let found = checkpoints::find(app, scope, job_id, step).await;
            let (adapter, _) = found.map_err(models::no_checkpoint)?;
            let base = db::bases::find_located(scope, &app.db, job.base_id).await;
            let base = base.map_err(&not_found)?;
            let adapter = app.storage.unpacked(&adapter.blob_key).await.map_err(AppError::io)?;
            return Ok(over(app, &base, Some(adapter)));
        }
    };
    let model = db::models::find(scope, &app.db, model_id).await.map_err(&not_found)?;
    if model.model.source_deleted_at.is_some() {
        return Err(DbError::SourceDeleted.into());
    }
    let base = db::bases::find_located(scope, &app.db, model.model.base_id)
        .await
        .map_err(&not_found)?;
    let adapter = app.storage.unpacked(&model.blob_key).await.map_err(AppError::io)?;
    Ok(Target {
        host,
        agent_id: agent_id.or(model.model.agent_id),
        model_id: Some(model_id),
        ..over(app, &base, Some(adapter))
    })
}

/// An adapter over its base, or that alone, in this server.
fn over(app: &App, base: &LocatedBase, adapter_dir: Option<PathBuf>) -> Target {
    let base_dir = bases::directory(&app.config, base);
    Target {
        base_names: names(base, &base_dir),
        base_dir,
        adapter_dir,
        host: Host::Embedded,
        agent_id: None,
        model_id: None,
    }
}

fn names(base: &LocatedBase, directory: &Path) -> Vec<String> {
    let directory = directory.display().to_string();
    vec![base.base.name.clone(), base.location.clone(), directory]
}

/// What the assistant's documents say about the last question; `None` where the request does not ask for them.
pub async fn passages(
    app: &App,
    scope: &Scope,
    request: &ChatCompletionRequest,
    target: &Target,
) -> AppResult<Option<Vec<Passage>>> {
    if !request.documents.unwrap_or(false) {
        return Ok(None);
    }
    let Some(agent_id) = target.agent_id else {
        let message = "must be absent or false: this model belongs to no assistant, whose documents could be searched";
        return Err(AppError::field("documents", "invalid_value", message));
    };
    let found = citations::look_up(app, scope, agent_id, &request.messages).await?;
    Ok(Some(found))
}
