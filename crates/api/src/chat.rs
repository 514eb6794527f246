//! Chat completions: which model is meant, and the answer in OpenAI's shapes.

pub mod asked;
pub mod call;
mod calls;
pub mod citations;
mod heard;
pub mod question;

use crate::{
    bases,
    error::{AppError, AppResult},
    models::{self, Named},
    state::App,
};
use cerebros_common::{
    chat::ChatCompletionRequest,
    ids::{AgentId, ModelId},
    search::Passage,
};
use cerebros_db::{self as db, DbError, Scope};
use std::path::PathBuf;

/// What a request's `model` stands for.
pub struct Target {
    pub base_dir: PathBuf,
    pub adapter_dir: Option<PathBuf>,
    pub agent_id: Option<AgentId>,
    pub model_id: Option<ModelId>,
}

/// Finds what a model's name stands for in the workspace.
pub async fn resolve(app: &App, scope: &Scope, name: &str) -> AppResult<Target> {
    let not_found = models::not_found(name);
    let (agent_id, model_id) = match models::named(name).ok_or_else(|| models::unknown(name))? {
        Named::Base(id) => {
            let base = db::bases::find_located(scope, &app.db, id).await.map_err(not_found)?;
            let base_dir = bases::directory(&app.config, &base);
            return Ok(Target {
                base_dir,
                adapter_dir: None,
                agent_id: None,
                model_id: None,
            });
        }
        Named::Agent(id) => {
            let agent = db::agents::find(scope, &app.db, id).await.map_err(&not_found)?;
            let offline = || {
                models::no_model(format!(
                    "The assistant `{}` has no model yet. Train it first.",
                    agent.name
                ))
            };
            (Some(id), agent.model_id.ok_or_else(offline)?)
        }
        Named::Model(id) => (None, id),
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
        base_dir: bases::directory(&app.config, &base),
        adapter_dir: Some(adapter),
        agent_id: agent_id.or(model.model.agent_id),
        model_id: Some(model_id),
    })
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
