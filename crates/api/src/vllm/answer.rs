//! vLLM's server-sent chunks as the pieces that the embedded engine says.

use super::{away, broken, refused};
use crate::error::AppResult;
use cerebros_trainer::protocol::{
    FinishReason, InferResponse,
    infer::{LogProbability, TokenLogProbability},
};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const MAX_LINE_BYTES: usize = 1024 * 1024;
const MAX_CALL_BYTES: usize = 1024 * 1024;

/// An answer as it comes. Dropping it stops the model.
pub struct Answer {
    response: Response,
    buffer: Vec<u8>,
    ready: VecDeque<InferResponse>,
    choices: Vec<Choice>,
    usage: Counts,
    over: bool,
}

#[derive(Clone, Default)]
struct Choice {
    finish: Option<FinishReason>,
    /// By their number.
    calls: BTreeMap<u32, Function>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Piece>,
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Piece {
    index: usize,
    #[serde(default)]
    delta: Delta,
    logprobs: Option<Logprobs>,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    index: u32,
    #[serde(default)]
    function: Function,
}

#[derive(Clone, Deserialize, Default)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
    logprob: f32,
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<Token>,
}

#[derive(Clone, Copy, Deserialize, Default)]
struct Counts {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: Option<usize>,
}

impl Answer {
    /// `read`: how many passages the model has, where there were some to choose from.
    pub fn new(response: Response, choices: usize, read: Option<usize>) -> Self {
        Self {
            response,
            buffer: Vec::new(),
            ready: read.map(|used| InferResponse::Passages { used }).into_iter().collect(),
            choices: vec![Choice::default(); choices],
            usage: Counts::default(),
            over: false,
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// 503 when vLLM breaks off, fails or says nothing any more.
    pub async fn next(&mut self) -> AppResult<InferResponse> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(piece);
            }
            if self.over {
                return Err(broken(anyhow::anyhow!("the answer is over")));
            }
            match self.line().await? {
                Some(line) => self.hear(&line)?,
                None => self.end()?,
            }
        }
    }

    /// Without its end; `None` at the end of all.
    async fn line(&mut self) -> AppResult<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.buffer.drain(..=end).collect()));
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(broken(anyhow::anyhow!("a line is too long")));
            }
            match self.response.chunk().await.map_err(away)? {
                Some(more) => self.buffer.extend_from_slice(&more),
                None => return Ok(None),
            }
        }
    }

    fn hear(&mut self, line: &[u8]) -> AppResult<()> {
        let Some(data) = line.strip_prefix(b"data:") else {
            return Ok(());
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            return self.end();
        }
        let chunk: Chunk = serde_json::from_slice(data).map_err(|error| broken(error.into()))?;
        if chunk.error.is_some() {
            let words = super::wire::message(data);
            return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &words));
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        chunk.choices.into_iter().try_for_each(|piece| self.take(piece))
    }

    fn take(&mut self, piece: Piece) -> AppResult<()> {
        let Some(choice) = self.choices.get_mut(piece.index) else {
            return Err(broken(anyhow::anyhow!("there is no answer {}", piece.index)));
        };
        for call in piece.delta.tool_calls.into_iter().flatten() {
            let kept = choice.calls.entry(call.index).or_default();
            if let Some(name) = call.function.name {
                kept.name = Some(name);
            }
            let arguments = kept.arguments.get_or_insert_default();
            arguments.push_str(call.function.arguments.as_deref().unwrap_or_default());
            if arguments.len() > MAX_CALL_BYTES {
                return Err(broken(anyhow::anyhow!("a call is too long")));
            }
        }
        let mut text = piece.delta.content.unwrap_or_default();
        if let Some(reason) = piece.finish_reason {
            choice.finish = Some(match reason.as_str() {
                "length" => FinishReason::Length,
                "stop" | "tool_calls" => FinishReason::Stop,
                other => return Err(broken(anyhow::anyhow!("the answer ended by {other}"))),
            });
            // As models write them: that is how they are heard.
            for call in choice.calls.values() {
                let call = json!({"name": call.name, "arguments": call.arguments});
                text.push_str(&format!("<tool_call>{call}</tool_call>"));
            }
        }
        let content = piece.logprobs.and_then(|logprobs| logprobs.content);
        let logprobs = content.map(|tokens| tokens.into_iter().map(token).collect::<Vec<_>>());
        if !text.is_empty() || logprobs.as_ref().is_some_and(|tokens| !tokens.is_empty()) {
            self.ready.push_back(InferResponse::Token {
                choice: piece.index,
                text,
                logprobs,
            });
        }
        Ok(())
    }

    /// vLLM counts the tokens of all answers together: the first one has them.
    fn end(&mut self) -> AppResult<()> {
        self.over = true;
        let mut completion_tokens = self.usage.completion_tokens.unwrap_or_default();
        for (index, choice) in self.choices.iter().enumerate() {
            let Some(finish_reason) = choice.finish else {
                return Err(broken(anyhow::anyhow!("the answer broke off")));
            };
            self.ready.push_back(InferResponse::Done {
                choice: index,
                finish_reason,
                prompt_tokens: self.usage.prompt_tokens,
                completion_tokens: std::mem::take(&mut completion_tokens),
            });
        }
        Ok(())
    }
}

fn token(token: Token) -> TokenLogProbability {
    let of = |token: &Token| LogProbability {
        bytes: token.bytes.clone().unwrap_or_else(|| token.token.clone().into_bytes()),
        logprob: token.logprob,
    };
    TokenLogProbability {
        chosen: of(&token),
        top: token.top_logprobs.iter().map(of).collect(),
    }
}
