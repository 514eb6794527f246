//! Settings as people see, change and test them.

use super::{Ask, AskError, ask_with, gate, wire_error};
use crate::{
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    llm_calls::{CallError, Category, Purpose, Severity},
    llm_settings::{LlmProvider, LlmSettings, LlmSettingsUpdate, LlmTest},
};
use cerebros_db::{self as db, Scope};
use cerebros_llm::{Reach, Retry};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;
use uuid::Uuid;

/// Some models think before they answer.
const TEST_TOKENS: u32 = 2_000;

/// The settings of a workspace, with what goes with them.
pub async fn settings(app: &App, scope: &Scope) -> AppResult<LlmSettings> {
    let stored = db::llm_settings::find(scope, &app.db).await?;
    let has_key = match stored.provider.key() {
        Some(provider) => db::provider_keys::find_sealed(scope, &app.db, provider)
            .await?
            .is_some(),
        None => false,
    };
    Ok(LlmSettings {
        provider: stored.provider,
        base_url: stored.base_url,
        model: stored.model,
        parallel_calls: stored.parallel_calls,
        has_key,
        rate_limits: db::llm_settings::find_rate_limits(scope, &app.db).await?,
        version: stored.version,
    })
}

/// Settings that can be used.
///
/// # Errors
/// 400 by field.
pub fn checked(app: &App, new: LlmSettingsUpdate) -> AppResult<LlmSettingsUpdate> {
    if new.provider == LlmProvider::Extractive {
        return Ok(LlmSettingsUpdate {
            base_url: None,
            model: None,
            ..new
        });
    }
    let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (model, base_url) = (trimmed(new.model), trimmed(new.base_url));
    if model.is_none() {
        return Err(AppError::field("model", "required", "must name a model"));
    }
    match &base_url {
        None if new.provider.default_base_url().is_none() => {
            let message = "must be the address of your Azure resource";
            return Err(AppError::field("base_url", "required", message));
        }
        None => {}
        Some(address) => {
            let url: Url = address
                .parse()
                .map_err(|_| AppError::field("base_url", "format", "must be an http(s) address"))?;
            if url.query().is_some() {
                return Err(AppError::field("base_url", "format", "must hold no query"));
            }
            let reach = Reach::new(app.config.networks.clone());
            let checked = reach.check_url(&url);
            checked.map_err(|error| AppError::field("base_url", "format", error.to_string()))?;
        }
    }
    Ok(LlmSettingsUpdate { base_url, model, ..new })
}

/// Shorter than a handler may take.
const PATIENCE: Duration = Duration::from_secs(45);

fn late() -> CallError {
    CallError {
        category: Category::Network,
        severity: Severity::Warning,
        message: format!("The provider did not answer within {} seconds.", PATIENCE.as_secs()),
    }
}

/// The provider's list of models, or why there is none.
pub async fn models(app: &App, scope: &Scope) -> AppResult<Result<Vec<String>, CallError>> {
    let client = match gate::client(app, scope).await {
        Ok(Some(client)) => client,
        Ok(None) => return Ok(Ok(Vec::new())),
        Err(AskError::Internal(error)) => return Err(error),
        Err(error) => return Ok(error.call_error().map_or_else(|| Ok(Vec::new()), Err)),
    };
    Ok(match tokio::time::timeout(PATIENCE, client.models()).await {
        Ok(Ok(models)) => Ok(models.into_iter().map(|model| model.id).collect()),
        Ok(Err(error)) => Err(wire_error(&error)),
        Err(_) => Err(late()),
    })
}

/// A small question, asked once.
pub async fn test(app: &Arc<App>, scope: &Scope) -> AppResult<LlmTest> {
    let started = Instant::now();
    let schema = json!({
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
        "additionalProperties": false,
    });
    let ask = Ask {
        purpose: Purpose::Test,
        subject_id: scope.workspace_id.0,
        document_id: None,
        key: format!("test {}", Uuid::now_v7()),
        system: "You answer with JSON alone.".to_owned(),
        user: "Answer with the JSON object {\"word\": \"ready\"}.".to_owned(),
        schema: Some(("answer", schema)),
        max_tokens: TEST_TOKENS,
    };
    let asked = ask_with(app, scope, &app.shutdown, ask, Retry::new(&[]));
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(AskError::failed(late(), None)));
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (model, error) = match answer {
        Ok(reply) => (Some(reply.model), None),
        Err(AskError::NoModel) => {
            let detail = "This workspace uses no language model, so there is nothing to test. Choose a provider first.";
            return Err(AppError::conflict(detail));
        }
        Err(AskError::Interrupted) => return Err(AppError::unavailable("The server is stopping. Try again.", 5)),
        Err(AskError::Internal(error)) => return Err(error),
        Err(error) => (None, error.call_error()),
    };
    Ok(LlmTest {
        ok: error.is_none(),
        model,
        latency_ms,
        error,
    })
}
