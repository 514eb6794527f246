//! Chat completions: which model is meant, and the answer in OpenAI's shapes.

use crate::{
    bases,
    error::{AppError, AppResult},
    infer::Answer,
    models::{self, Named},
    state::App,
};
use bytes::Bytes;
use cerebros_common::{
    chat::{
        AssistantMessage, ChatChoice, ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ChatRole,
        ChunkChoice, Delta, FinishReason, Stop, Usage,
    },
    ids::{AgentId, ModelId},
};
use cerebros_datasets::chat::{Message, Role};
use cerebros_db::{
    self as db, DbError, Scope,
    calls::{NewCall, Outcome},
};
use cerebros_trainer::protocol::{self, InferResponse, infer::Generate};
use chrono::Utc;
use futures_util::{Stream, StreamExt};
use std::{path::PathBuf, sync::Arc, time::Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

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

/// Checks the bounds that OpenAI documents, and puts the request in the engine's form.
pub fn question(request: &ChatCompletionRequest, target: &Target) -> AppResult<Generate> {
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

/// One call in progress. It is recorded however it ends.
pub struct Call {
    app: Arc<App>,
    scope: Scope,
    model: String,
    id: String,
    created: i64,
    agent_id: Option<AgentId>,
    model_id: Option<ModelId>,
    begun: Instant,
}

impl Call {
    pub fn begin(app: Arc<App>, scope: Scope, model: &str, target: &Target) -> Self {
        Self {
            app,
            scope,
            model: model.to_owned(),
            id: format!("chatcmpl-{}", Uuid::now_v7().simple()),
            created: Utc::now().timestamp(),
            agent_id: target.agent_id,
            model_id: target.model_id,
            begun: Instant::now(),
        }
    }

    /// Asks; the first piece is awaited, so that a refusal is still an HTTP error.
    pub async fn ask(&self, question: Generate) -> AppResult<(Answer, InferResponse)> {
        let result = async {
            let mut answer = self.app.inference.ask(question).await?;
            let first = answer.next().await?;
            Ok((answer, first))
        };
        let result = result.await;
        if result.is_err() {
            self.record(Outcome::Failed, Usage::default()).await;
        }
        result
    }

    /// The whole answer at once.
    pub async fn whole(self, mut answer: Answer, first: InferResponse) -> AppResult<ChatCompletion> {
        let mut text = String::new();
        let mut piece = first;
        let (finish_reason, usage) = loop {
            match piece {
                InferResponse::Token { text: more } => text.push_str(&more),
                InferResponse::Done {
                    finish_reason,
                    prompt_tokens,
                    completion_tokens,
                } => {
                    break (finish(finish_reason), usage(prompt_tokens, completion_tokens));
                }
                other => return Err(AppError::internal(anyhow::anyhow!("unexpected answer {other:?}"))),
            }
            piece = match answer.next().await {
                Ok(piece) => piece,
                Err(error) => {
                    self.record(Outcome::Failed, Usage::default()).await;
                    return Err(error);
                }
            };
        };
        self.record(Outcome::Answered, usage).await;
        let message = AssistantMessage {
            role: ChatRole::Assistant,
            content: text,
            refusal: None,
        };
        Ok(ChatCompletion {
            choices: vec![ChatChoice {
                index: 0,
                message,
                finish_reason,
                logprobs: None,
            }],
            id: self.id,
            object: "chat.completion".to_owned(),
            created: self.created,
            model: self.model,
            usage,
        })
    }

    /// The answer as server-sent chunks. When the client goes away the model stops.
    pub fn stream(
        self,
        answer: Answer,
        first: InferResponse,
        include_usage: bool,
    ) -> impl Stream<Item = Result<Bytes, AppError>> {
        let (send, receive) = mpsc::channel(16);
        tokio::spawn(async move {
            let (outcome, usage) = self.pump(answer, first, include_usage, &send).await;
            self.record(outcome, usage).await;
        });
        ReceiverStream::new(receive).map(Ok)
    }

    async fn pump(
        &self,
        mut answer: Answer,
        first: InferResponse,
        include_usage: bool,
        send: &mpsc::Sender<Bytes>,
    ) -> (Outcome, Usage) {
        let opening = Delta {
            role: Some(ChatRole::Assistant),
            content: Some(String::new()),
        };
        let mut next = self.chunk(opening, None);
        let mut piece = first;
        let mut tokens = 0;
        loop {
            if send.send(next).await.is_err() {
                return (
                    Outcome::Cancelled,
                    Usage {
                        completion_tokens: tokens,
                        ..Usage::default()
                    },
                );
            }
            match piece {
                InferResponse::Token { text } => {
                    tokens += 1;
                    next = self.chunk(
                        Delta {
                            role: None,
                            content: Some(text),
                        },
                        None,
                    );
                }
                InferResponse::Done {
                    finish_reason,
                    prompt_tokens,
                    completion_tokens,
                } => {
                    let usage = usage(prompt_tokens, completion_tokens);
                    let mut rest = vec![self.chunk(Delta::default(), Some(finish(finish_reason)))];
                    if include_usage {
                        rest.push(self.usage_chunk(usage));
                    }
                    rest.push(Bytes::from_static(b"data: [DONE]\n\n"));
                    for bytes in rest {
                        if send.send(bytes).await.is_err() {
                            return (Outcome::Cancelled, usage);
                        }
                    }
                    return (Outcome::Answered, usage);
                }
                other => {
                    tracing::error!(answer = ?other, "the inference child said something unexpected");
                    return (Outcome::Failed, Usage::default());
                }
            }
            piece = tokio::select! {
                piece = answer.next() => match piece {
                    Ok(piece) => piece,
                    Err(error) => {
                        let body = serde_json::json!({"error": {
                            "message": error.detail, "type": "server_error", "param": null, "code": null,
                        }});
                        // Whether anybody still listens makes no difference to the outcome.
                        let _ = send.send(Bytes::from(format!("data: {body}\n\n"))).await;
                        return (Outcome::Failed, Usage::default());
                    }
                },
                () = send.closed() => return (Outcome::Cancelled, Usage { completion_tokens: tokens, ..Usage::default() }),
            };
        }
    }

    fn chunk(&self, delta: Delta, finish_reason: Option<FinishReason>) -> Bytes {
        self.message(
            vec![ChunkChoice {
                index: 0,
                delta,
                finish_reason,
                logprobs: None,
            }],
            None,
        )
    }

    fn usage_chunk(&self, usage: Usage) -> Bytes {
        self.message(Vec::new(), Some(usage))
    }

    fn message(&self, choices: Vec<ChunkChoice>, usage: Option<Usage>) -> Bytes {
        let chunk = ChatCompletionChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk".to_owned(),
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
        };
        match serde_json::to_string(&chunk) {
            Ok(json) => Bytes::from(format!("data: {json}\n\n")),
            Err(error) => {
                tracing::error!(error = %error, "a chunk cannot be written");
                Bytes::new()
            }
        }
    }

    async fn record(&self, outcome: Outcome, usage: Usage) {
        let call = NewCall {
            agent_id: self.agent_id,
            model_id: self.model_id,
            outcome,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            duration: self.begun.elapsed(),
        };
        if let Err(error) = db::calls::insert(&self.scope, &self.app.db, &call).await {
            tracing::error!(error = ?error, "a call could not be recorded");
        }
    }
}

fn finish(reason: protocol::FinishReason) -> FinishReason {
    match reason {
        protocol::FinishReason::Stop => FinishReason::Stop,
        protocol::FinishReason::Length => FinishReason::Length,
    }
}

fn usage(prompt: usize, completion: usize) -> Usage {
    Usage {
        prompt_tokens: prompt as u64,
        completion_tokens: completion as u64,
        total_tokens: (prompt + completion) as u64,
    }
}
