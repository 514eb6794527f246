//! What is recorded of a question to a model, however it ends.

use super::Target;
use crate::{
    deadlines,
    error::{AppError, AppResult},
    state::App,
};
use actix_web::HttpRequest;
use cerebros_common::{
    chat::Usage,
    ids::{AgentId, ModelId},
};
use cerebros_db::{
    self as db, Scope,
    calls::{NewCall, Outcome},
};
use std::{sync::Arc, time::Instant};

/// What nobody is there to read.
pub fn gone() -> AppError {
    AppError::unavailable("The client has gone.", 1)
}

pub struct Asked {
    pub app: Arc<App>,
    pub scope: Scope,
    agent_id: Option<AgentId>,
    model_id: Option<ModelId>,
    at: Instant,
}

impl Asked {
    pub fn now(app: Arc<App>, scope: Scope, target: &Target) -> Self {
        Self {
            app,
            scope,
            agent_id: target.agent_id,
            model_id: target.model_id,
            at: Instant::now(),
        }
    }

    /// Does the work unless the client goes away first.
    pub async fn unless_gone<T>(&self, http: &HttpRequest, work: impl Future<Output = AppResult<T>>) -> AppResult<T> {
        tokio::select! {
            result = work => result,
            () = deadlines::gone(http) => {
                self.record(Outcome::Cancelled, Usage::default()).await;
                Err(gone())
            }
        }
    }

    pub async fn record(&self, outcome: Outcome, usage: Usage) {
        let call = NewCall {
            agent_id: self.agent_id,
            model_id: self.model_id,
            outcome,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            duration: self.at.elapsed(),
        };
        if let Err(error) = db::calls::insert(&self.scope, &self.app.db, &call).await {
            tracing::error!(error = ?error, "a call could not be recorded");
        }
    }
}
