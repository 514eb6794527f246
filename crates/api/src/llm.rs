//! Asking a workspace's language model. Whatever is asked by the same key again gets the answer that is stored; nothing is
//! paid twice.

mod gate;
mod marks;
mod prices;
mod settings;
#[cfg(test)]
mod tests;

use crate::{
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    ids::DocumentId,
    llm_calls::{CallError, Category, Purpose, Severity, Usage},
    llm_settings::{LlmProvider, RateWindow},
    prices::Price,
};
use cerebros_db::{
    self as db, Scope,
    llm_calls::{Begin, Begun, Ended, Question, Spent},
};
use cerebros_llm::{Chat, RateLimits, Retry, Window};
pub use gate::Gates;
use gate::{Gate, Route};
pub use marks::between_marks;
pub use prices::{list as list_prices, of as price_of};
use serde_json::Value;
pub use settings::{checked, models, settings, test};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Characters of a token, about.
const TOKEN_CHARS: usize = 4;

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    pub purpose: Purpose,
    /// What it is asked for: shown with the call, and when that is deleted the stored answer goes too.
    pub subject_id: Uuid,
    /// Whose text the question holds; with the document goes the stored answer.
    pub document_id: Option<DocumentId>,
    /// Names the question within the workspace: asked again, the stored answer is returned and nothing is paid.
    pub key: String,
    pub system: String,
    pub user: String,
    /// A name and the JSON schema of the answer.
    pub schema: Option<(&'static str, Value)>,
    pub max_tokens: u32,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub text: String,
    /// As the schema says, where one was given.
    pub value: Option<Value>,
    pub model: String,
    /// Of all attempts.
    pub usage: Usage,
    /// In millionths of a US dollar; `None` where the model has no price.
    pub cost_micros: Option<i64>,
}

#[derive(Debug)]
pub enum AskError {
    /// The workspace uses the extractive provider.
    NoModel,
    /// There is no answer. `critical`: there will be none to any other question before a person does something.
    Failed {
        category: Category,
        severity: Severity,
        message: String,
        retry_after: Option<Duration>,
    },
    /// The caller's token fired, or the server stops.
    Interrupted,
    Internal(AppError),
}

impl<E: Into<AppError>> From<E> for AskError {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

impl AskError {
    fn failed(error: CallError, retry_after: Option<Duration>) -> Self {
        Self::Failed {
            category: error.category,
            severity: error.severity,
            message: error.message,
            retry_after,
        }
    }

    /// What a person is told of it.
    pub fn call_error(&self) -> Option<CallError> {
        match self {
            Self::Failed {
                category,
                severity,
                message,
                ..
            } => Some(CallError {
                category: *category,
                severity: *severity,
                message: message.clone(),
            }),
            _ => None,
        }
    }
}

/// What a workspace asks.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub model: String,
    pub price: Option<Price>,
}

/// The language model of a workspace; `None`: it uses the extractive provider.
pub async fn chosen(app: &App, scope: &Scope) -> AppResult<Option<Chosen>> {
    let settings = db::llm_settings::find(scope, &app.db).await?;
    let Some(model) = settings.model.filter(|_| settings.provider != LlmProvider::Extractive) else {
        return Ok(None);
    };
    let own_address = settings.base_url.is_some();
    let price = price_of(app, scope, settings.provider, own_address, &model).await?;
    Ok(Some(Chosen { model, price }))
}

/// Puts a question to the workspace's language model, unless its answer is stored.
///
/// Once it left it goes on until the answer is stored, whatever becomes of the caller; no attempt follows then.
pub async fn ask(app: &Arc<App>, scope: &Scope, cancel: &CancellationToken, ask: Ask) -> Result<Reply, AskError> {
    ask_with(app, scope, cancel, ask, Retry::new(&app.config.llm.retry_waits)).await
}

/// Like [`ask`], with other waits between the attempts.
pub async fn ask_with(
    app: &Arc<App>,
    scope: &Scope,
    cancel: &CancellationToken,
    ask: Ask,
    retry: Retry,
) -> Result<Reply, AskError> {
    let scope = Scope::system(scope.workspace_id);
    if let Some(reply) = stored(app, &scope, &ask.key).await? {
        return Ok(reply);
    }
    if cancel.is_cancelled() {
        return Err(AskError::Interrupted);
    }
    // Who asks the same meanwhile waits for this answer.
    let only = tokio::select! {
        only = app.llm.only(scope.workspace_id, &ask.key) => only,
        () = cancel.cancelled() => return Err(AskError::Interrupted),
    };
    if let Some(reply) = stored(app, &scope, &ask.key).await? {
        return Ok(reply);
    }
    let route = gate::route(app, &scope).await?.ok_or(AskError::NoModel)?;
    let gate = app.llm.gate(app, &scope, &route);
    let gate = gate.map_err(|error| AskError::failed(wire_error(&error), None))?;
    let token = cancel.child_token();
    let _stop = token.clone().drop_guard();
    let asking = Asking {
        app: app.clone(),
        scope,
        ask,
        route,
        gate,
        token,
    };
    let mut answered = tokio::spawn(async move {
        let reply = asking.run(retry).await;
        drop(only);
        reply
    });
    tokio::select! {
        reply = &mut answered => reply.map_err(AppError::internal)?,
        () = cancel.cancelled() => Err(AskError::Interrupted),
    }
}

async fn stored(app: &App, scope: &Scope, key: &str) -> AppResult<Option<Reply>> {
    let stored = db::llm_calls::find_stored(scope, &app.db, key).await?;
    Ok(stored.map(|stored| Reply {
        text: stored.text,
        value: stored.value,
        model: stored.model,
        usage: stored.usage,
        cost_micros: stored.cost_micros,
    }))
}

/// A question on its way.
struct Asking {
    app: Arc<App>,
    scope: Scope,
    ask: Ask,
    route: Route,
    gate: Arc<Gate>,
    token: CancellationToken,
}

impl Asking {
    async fn run(self, mut retry: Retry) -> Result<Reply, AskError> {
        let tokens = (self.ask.system.len() + self.ask.user.len()) / TOKEN_CHARS + self.ask.max_tokens as usize;
        let turn = tokio::select! {
            turn = self.gate.turn() => turn,
            () = self.token.cancelled() => return Err(AskError::Interrupted),
        };
        let since = Instant::now();
        loop {
            tokio::select! {
                paced = self.gate.pace(tokens as u64) => paced.map_err(limited)?,
                () = self.token.cancelled() => return Err(AskError::Interrupted),
            }
            let Some(error) = self.attempt(since).await? else {
                drop(turn);
                let reply = stored(&self.app, &self.scope, &self.ask.key).await?;
                return reply.ok_or(AskError::Interrupted);
            };
            let Some(wait) = retry.after(&error) else {
                return Err(AskError::failed(wire_error(&error), error.retry_after));
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.token.cancelled() => return Err(AskError::Interrupted),
            }
        }
    }

    /// Asks once and stores what came of it; `None`: the answer.
    async fn attempt(&self, since: Instant) -> Result<Option<cerebros_llm::Error>, AskError> {
        let begun = self.begin().await?;
        let chat = Chat {
            model: self.route.model.clone(),
            system: self.ask.system.clone(),
            user: self.ask.user.clone(),
            schema: self.ask.schema.clone().map(|(name, schema)| (name.to_owned(), schema)),
            max_tokens: self.ask.max_tokens,
            idempotency_key: begun.idempotency_key.clone(),
        };
        let started = Instant::now();
        let answer = self.gate.client.chat(&chat).await;
        let (usage, limits, ended, error) = match answer {
            Ok(answer) => {
                let ended = Ended::Answered {
                    text: answer.text,
                    value: answer.value,
                    model: answer.model,
                };
                (Some(answer.usage), answer.limits, ended, None)
            }
            Err(error) => {
                let ended = Ended::Failed {
                    error: wire_error(&error),
                    status: error.status,
                    answered: error.was_answered(),
                    maybe_paid: error.maybe_paid,
                };
                (error.usage, *error.limits, ended, Some(error))
            }
        };
        self.gate.learn(limits, error.as_ref());
        let usage = usage.map_or_else(Usage::default, |usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        });
        let spent = Spent {
            usage,
            cost_micros: self.route.price.as_ref().map(|price| price.cost_micros(usage)),
            latency: started.elapsed(),
            total: since.elapsed(),
        };
        self.finish(&begun, spent, &ended, limits).await?;
        Ok(error)
    }

    async fn begin(&self) -> Result<Begun, AskError> {
        let question = Question {
            key: self.ask.key.clone(),
            purpose: self.ask.purpose,
            subject_id: self.ask.subject_id,
            document_id: self.ask.document_id,
            provider: self.route.provider,
            model: self.route.model.clone(),
        };
        let mut write = self.app.db.write(&self.scope).await?;
        let begin = db::llm_calls::begin(&mut write, &question).await?;
        write.commit().await?;
        match begin {
            Begin::Send(begun) => Ok(begun),
            Begin::Interrupted(error) => Err(AskError::failed(error, None)),
        }
    }

    async fn finish(&self, begun: &Begun, spent: Spent, ended: &Ended, limits: RateLimits) -> AppResult<()> {
        let mut write = self.app.db.write(&self.scope).await?;
        db::llm_calls::finish(&mut write, begun, self.ask.document_id, spent, ended).await?;
        if limits != RateLimits::default() {
            let (requests, tokens) = (limits.requests.map(window), limits.tokens.map(window));
            db::llm_settings::note_rate_limits(&mut write, requests, tokens).await?;
        }
        Ok(write.commit().await?)
    }
}

fn limited(wait: Duration) -> AskError {
    let error = CallError {
        category: Category::RateLimit,
        severity: Severity::Warning,
        message: format!(
            "The provider's rate limit is used up for {} more seconds.",
            wait.as_secs()
        ),
    };
    AskError::failed(error, Some(wait))
}

fn window(window: Window) -> RateWindow {
    RateWindow {
        limit: window.limit,
        remaining: window.remaining,
        resets_at: window.resets_at,
    }
}

pub fn wire_error(error: &cerebros_llm::Error) -> CallError {
    CallError {
        category: match error.category {
            cerebros_llm::Category::Transient => Category::Transient,
            cerebros_llm::Category::RateLimit => Category::RateLimit,
            cerebros_llm::Category::Authentication => Category::Authentication,
            cerebros_llm::Category::Permanent => Category::Permanent,
            cerebros_llm::Category::Network => Category::Network,
        },
        severity: match error.severity {
            cerebros_llm::Severity::Warning => Severity::Warning,
            cerebros_llm::Severity::Error => Severity::Error,
            cerebros_llm::Severity::Critical => Severity::Critical,
        },
        message: error.message.clone(),
    }
}
