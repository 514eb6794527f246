//! One call of a model, from the question to what is recorded of it.

use super::{
    Target,
    asked::{self, Asked},
    citations,
    heard::{self, Piece, Said},
    host::{self, Answer},
};
use crate::{
    conversations, deadlines,
    error::{AppError, AppResult},
    state::App,
};
use actix_web::HttpRequest;
use bytes::Bytes;
use cerebros_common::{
    chat::{
        Annotation, AssistantMessage, ChatChoice, ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ChatRole,
        ChoiceLogprobs, ChunkChoice, Delta, FinishReason, ToolCallDelta, Usage,
    },
    search::Passage,
};
use cerebros_db::{Scope, calls::Outcome};
use cerebros_trainer::protocol::{InferResponse, infer::Generate};
use chrono::Utc;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// One call in progress. It is recorded however it ends.
pub struct Call {
    pub asked: Asked,
    model: String,
    id: String,
    created: i64,
}

/// Answers whose beginning is there.
pub struct Begun {
    answer: Answer,
    first: InferResponse,
    said: Said,
}

/// How a streamed answer ended, and what the client is still to be sent.
struct Ended {
    outcome: Outcome,
    rest: Vec<Bytes>,
}

impl Ended {
    fn silent(outcome: Outcome) -> Self {
        Self {
            outcome,
            rest: Vec::new(),
        }
    }
}

impl Call {
    pub fn begin(app: Arc<App>, scope: Scope, model: &str, target: &Target) -> Self {
        Self {
            asked: Asked::now(app, scope, target),
            model: model.to_owned(),
            id: format!("chatcmpl-{}", Uuid::now_v7().simple()),
            created: Utc::now().timestamp(),
        }
    }

    /// Asks; the first piece is awaited, so that a refusal is still an HTTP error.
    pub async fn ask(
        &self,
        target: &Target,
        question: Generate,
        passages: Option<Vec<Passage>>,
        request: &ChatCompletionRequest,
    ) -> AppResult<Begun> {
        let choices = question.n;
        let named = question
            .tools
            .iter()
            .filter_map(|tool| tool["function"]["name"].as_str());
        let functions = named.map(str::to_owned).collect();
        let result = async {
            let mut answer = host::ask(&self.asked.app, target, question).await?;
            let mut first = answer.next().await?;
            let mut read = 0;
            if let InferResponse::Passages { used } = first {
                read = used;
                first = answer.next().await?;
            }
            let citations = passages.map(|passages| citations::numbered(passages, read));
            let kept = conversations::keep_question(&self.asked.app, &self.asked.scope, request).await?;
            Ok(Begun {
                answer,
                first,
                said: Said::new(choices, functions, citations, kept),
            })
        };
        let result = result.await;
        if result.is_err() {
            self.asked.record(Outcome::Failed, Usage::default()).await;
        }
        result
    }

    /// The whole answers at once. When the client goes away the model stops.
    pub async fn whole(self, begun: Begun, http: &HttpRequest) -> AppResult<ChatCompletion> {
        let Begun {
            mut answer,
            first,
            mut said,
        } = begun;
        let mut piece = first;
        loop {
            said.hear(piece);
            if said.is_over() {
                break;
            }
            let (outcome, error) = tokio::select! {
                next = answer.next() => match next {
                    Ok(next) => {
                        piece = next;
                        continue;
                    }
                    Err(error) => (Outcome::Failed, error),
                },
                () = deadlines::gone(http) => {
                    self.keep(&said).await;
                    (Outcome::Cancelled, asked::gone())
                }
            };
            self.asked.record(outcome, said.usage()).await;
            return Err(error);
        }
        self.keep(&said).await;
        let usage = said.usage();
        self.asked.record(Outcome::Answered, usage).await;
        let choices = (0..).zip(&said.choices);
        let choices = choices.map(|(index, heard)| ChatChoice {
            index,
            message: AssistantMessage {
                role: ChatRole::Assistant,
                annotations: self.annotations(&heard.text, &said),
                content: Some(heard.text.clone()).filter(|text| heard.calls.is_empty() || !text.is_empty()),
                tool_calls: Some(heard.calls.clone()).filter(|calls| !calls.is_empty()),
                refusal: None,
                citations: said.citations.clone(),
            },
            finish_reason: heard.finish.unwrap_or(FinishReason::Stop),
            logprobs: heard.logprobs.clone().map(heard::logprobs),
        });
        Ok(ChatCompletion {
            choices: choices.collect(),
            id: self.id,
            object: "chat.completion".to_owned(),
            created: self.created,
            model: self.model,
            usage,
        })
    }

    /// The answers as server-sent chunks. When the client goes away the model stops.
    pub fn stream(self, begun: Begun, include_usage: bool) -> impl Stream<Item = Result<Bytes, AppError>> {
        let (send, receive) = mpsc::channel(16);
        tokio::spawn(async move {
            let Begun {
                answer,
                first,
                mut said,
            } = begun;
            let ended = self.pump(answer, first, include_usage, &send, &mut said).await;
            // Whoever has seen the end finds the answer kept and recorded.
            self.keep(&said).await;
            self.asked.record(ended.outcome, said.usage()).await;
            for bytes in ended.rest {
                // Whether anybody still listens makes no difference to the outcome.
                let _ = send.send(bytes).await;
            }
        });
        ReceiverStream::new(receive).map(Ok)
    }

    async fn pump(
        &self,
        mut answer: Answer,
        mut piece: InferResponse,
        include_usage: bool,
        send: &mpsc::Sender<Bytes>,
        said: &mut Said,
    ) -> Ended {
        for index in 0..said.choices.len() {
            let opening = Delta {
                role: Some(ChatRole::Assistant),
                content: Some(String::new()),
                citations: said.citations.clone(),
                ..Delta::default()
            };
            if send.send(self.chunk(index, opening, None, None)).await.is_err() {
                return Ended::silent(Outcome::Cancelled);
            }
        }
        loop {
            let heard = said.hear(piece);
            let over = said.is_over();
            let next = self.chunk_of(heard, said);
            if over {
                let mut rest = Vec::from_iter(next);
                if include_usage {
                    rest.push(self.message(Vec::new(), Some(said.usage())));
                }
                rest.push(Bytes::from_static(b"data: [DONE]\n\n"));
                let outcome = Outcome::Answered;
                return Ended { outcome, rest };
            }
            if let Some(next) = next
                && send.send(next).await.is_err()
            {
                return Ended::silent(Outcome::Cancelled);
            }
            piece = tokio::select! {
                piece = answer.next() => match piece {
                    Ok(piece) => piece,
                    Err(error) => {
                        let body = serde_json::json!({"error": {
                            "message": error.detail, "type": "server_error", "param": null, "code": null,
                        }});
                        let rest = vec![Bytes::from(format!("data: {body}\n\n"))];
                        let outcome = Outcome::Failed;
                        return Ended { outcome, rest };
                    }
                },
                () = send.closed() => return Ended::silent(Outcome::Cancelled),
            };
        }
    }

    /// `None` where a piece has nothing to tell yet.
    fn chunk_of(&self, piece: Piece, said: &Said) -> Option<Bytes> {
        let Piece {
            choice,
            text,
            logprobs,
            calls,
            finish,
        } = piece;
        if text.is_empty() && logprobs.is_none() && finish.is_none() {
            return None;
        }
        let heard = said.choices.get(choice)?;
        let calls: Vec<ToolCallDelta> = (0..)
            .zip(calls)
            .map(|(index, call)| ToolCallDelta { index, call })
            .collect();
        let delta = Delta {
            content: Some(text).filter(|text| finish.is_none() || !text.is_empty()),
            tool_calls: Some(calls).filter(|calls| !calls.is_empty()),
            annotations: finish.and_then(|_| self.annotations(&heard.text, said)),
            ..Delta::default()
        };
        Some(self.chunk(choice, delta, finish, logprobs.map(heard::logprobs)))
    }

    /// Keeps the answer, or as much of it as was heard.
    async fn keep(&self, said: &Said) {
        let (Some(kept), Some(heard)) = (said.kept, said.choices.first()) else {
            return;
        };
        let citations = said.citations.as_deref();
        if let Err(error) =
            conversations::keep_answer(&self.asked.app, &self.asked.scope, kept, &heard.text, citations).await
        {
            tracing::error!(error = ?error, "an answer could not be kept");
        }
    }

    fn annotations(&self, text: &str, said: &Said) -> Option<Vec<Annotation>> {
        let citations = said.citations.as_deref()?;
        Some(citations::annotations(text, citations, &self.asked.app.origin))
    }

    fn chunk(
        &self,
        index: usize,
        delta: Delta,
        finish_reason: Option<FinishReason>,
        logprobs: Option<ChoiceLogprobs>,
    ) -> Bytes {
        let choice = ChunkChoice {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            delta,
            finish_reason,
            logprobs,
        };
        self.message(vec![choice], None)
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
}
