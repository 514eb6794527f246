//! One call of a model, from the question to what is recorded of it.

use super::{Target, citations};
use crate::{
    error::{AppError, AppResult},
    infer::Answer,
    state::App,
};
use bytes::Bytes;
use cerebros_common::{
    chat::{
        Annotation, AssistantMessage, ChatChoice, ChatCompletion, ChatCompletionChunk, ChatRole, ChunkChoice, Citation,
        Delta, FinishReason, Usage,
    },
    ids::{AgentId, ModelId},
    search::Passage,
};
use cerebros_db::{
    self as db, Scope,
    calls::{NewCall, Outcome},
};
use cerebros_trainer::protocol::{self, InferResponse, infer::Generate};
use chrono::Utc;
use futures_util::{Stream, StreamExt};
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

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

/// An answer whose beginning is there.
pub struct Begun {
    answer: Answer,
    first: InferResponse,
    /// What the model has read; `None` where nothing was asked for.
    citations: Option<Vec<Citation>>,
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
    pub async fn ask(&self, question: Generate, passages: Option<Vec<Passage>>) -> AppResult<Begun> {
        let result = async {
            let mut answer = self.app.inference.ask(question).await?;
            let mut first = answer.next().await?;
            let mut read = 0;
            if let InferResponse::Passages { used } = first {
                read = used;
                first = answer.next().await?;
            }
            let citations = passages.map(|passages| citations::numbered(passages, read));
            Ok(Begun {
                answer,
                first,
                citations,
            })
        };
        let result = result.await;
        if result.is_err() {
            self.record(Outcome::Failed, Usage::default()).await;
        }
        result
    }

    /// The whole answer at once.
    pub async fn whole(self, begun: Begun) -> AppResult<ChatCompletion> {
        let Begun {
            mut answer,
            first,
            citations,
        } = begun;
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
            annotations: self.annotations(&text, citations.as_deref()),
            content: text,
            refusal: None,
            citations,
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
    pub fn stream(self, begun: Begun, include_usage: bool) -> impl Stream<Item = Result<Bytes, AppError>> {
        let (send, receive) = mpsc::channel(16);
        tokio::spawn(async move {
            let (outcome, usage) = self.pump(begun, include_usage, &send).await;
            self.record(outcome, usage).await;
        });
        ReceiverStream::new(receive).map(Ok)
    }

    async fn pump(&self, begun: Begun, include_usage: bool, send: &mpsc::Sender<Bytes>) -> (Outcome, Usage) {
        let Begun {
            mut answer,
            first: mut piece,
            citations,
        } = begun;
        let opening = Delta {
            role: Some(ChatRole::Assistant),
            content: Some(String::new()),
            citations: citations.clone(),
            ..Delta::default()
        };
        let mut next = self.chunk(opening, None);
        let mut said = String::new();
        let mut tokens = 0;
        let cancelled = |tokens| {
            let usage = Usage {
                completion_tokens: tokens,
                ..Usage::default()
            };
            (Outcome::Cancelled, usage)
        };
        loop {
            if send.send(next).await.is_err() {
                return cancelled(tokens);
            }
            match piece {
                InferResponse::Token { text } => {
                    tokens += 1;
                    said.push_str(&text);
                    let delta = Delta {
                        content: Some(text),
                        ..Delta::default()
                    };
                    next = self.chunk(delta, None);
                }
                InferResponse::Done {
                    finish_reason,
                    prompt_tokens,
                    completion_tokens,
                } => {
                    let usage = usage(prompt_tokens, completion_tokens);
                    let closing = Delta {
                        annotations: self.annotations(&said, citations.as_deref()),
                        ..Delta::default()
                    };
                    let mut rest = vec![self.chunk(closing, Some(finish(finish_reason)))];
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
                () = send.closed() => return cancelled(tokens),
            };
        }
    }

    fn annotations(&self, text: &str, citations: Option<&[Citation]>) -> Option<Vec<Annotation>> {
        Some(citations::annotations(text, citations?, &self.app.origin))
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
