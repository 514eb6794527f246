//! Chat completions: which model is meant, and the answer in OpenAI's shapes.

pub mod call;
pub mod citations;

use crate::{
    bases,
    error::{AppError, AppResult},
    models::{self, Named},
    state::App,
};
use cerebros_common::{
    chat::{ChatCompletionRequest, ChatRole, Stop},
    ids::{AgentId, ModelId},
    search::Passage,
};
use cerebros_datasets::chat::{Message, Role};
use cerebros_db::{self as db, DbError, Scope};
use cerebros_trainer::protocol::infer::Generate;
use std::path::PathBuf;

const DEFAULT_MAX_TOKENS: u32 = 256;
const MAX_STOPS: usize = 4;

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

/// Checks the bounds that OpenAI documents, and puts the request in the engine's form.
pub fn question(request: &ChatCompletionRequest, target: &Target, passages: &[Passage]) -> AppResult<Generate> {
    let refused = |path: &str, message: &str| Err(AppError::field(path, "invalid_value", message));
    let temperature = request.temperature.unwrap_or(1.0);
    let top_p = request.top_p.unwrap_or(1.0);
    if !(0.0..=2.0).contains(&temperature) {
        return refused("temperature", "must be 0 to 2");
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return refused("top_p", "must be above 0 and at most 1");
    }
    if request.n.is_some_and(|n| n != 1) {
        return refused("n", "must be 1: one answer per request is given");
    }
    if request.messages.is_empty() {
        return refused("messages", "must have at least one message");
    }
    let max_tokens = request
        .max_completion_tokens
        .or(request.max_tokens)
        .unwrap_or(DEFAULT_MAX_TOKENS);
    if max_tokens == 0 {
        return refused("max_tokens", "must be at least 1");
    }
    let stop = match &request.stop {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text.clone()],
        Some(Stop::Many(texts)) => texts.clone(),
    };
    if stop.len() > MAX_STOPS || stop.iter().any(String::is_empty) {
        return refused("stop", "must be up to four texts that are not empty");
    }
    Ok(Generate {
        base_dir: target.base_dir.clone(),
        adapter_dir: target.adapter_dir.clone(),
        messages: request.messages.iter().map(message).collect(),
        max_tokens: usize::try_from(max_tokens).unwrap_or(usize::MAX),
        temperature,
        top_p,
        seed: request.seed.map(i64::cast_unsigned),
        stop,
        passages: passages.iter().map(citations::as_read).collect(),
    })
}

fn message(message: &cerebros_common::chat::ChatMessage) -> Message {
    let role = match message.role {
        ChatRole::System => Role::System,
        ChatRole::Developer => Role::Developer,
        ChatRole::User => Role::User,
        ChatRole::Assistant => Role::Assistant,
    };
    Message {
        role,
        content: Some(message.content.text()),
        reasoning_content: None,
        weight: None,
        other: serde_json::Map::new(),
    }
}
