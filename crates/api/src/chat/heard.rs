//! As much of the answers to a question as there is.

use super::calls::Listener;
use crate::conversations::Kept;
use cerebros_common::chat::{ChoiceLogprobs, Citation, FinishReason, TokenLogprob, ToolCall, TopLogprob, Usage};
use cerebros_trainer::protocol::{
    self, InferResponse,
    infer::{LogProbability, TokenLogProbability},
};

pub struct Said {
    pub choices: Vec<Heard>,
    prompt_tokens: usize,
    /// What the model has read; `None` where nothing was asked for.
    pub citations: Option<Vec<Citation>>,
    /// Where the answer is kept, if it is.
    pub kept: Option<Kept>,
}

#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Without the calls.
    pub text: String,
    pub calls: Vec<ToolCall>,
    listener: Listener,
    /// `None` where nothing was asked for.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// `None` while it goes on.
    pub finish: Option<FinishReason>,
    tokens: usize,
}

/// What a piece adds to one of the answers.
#[derive(Debug, Default)]
pub struct Piece {
    pub choice: usize,
    pub text: String,
    pub logprobs: Option<Vec<TokenLogprob>>,
    pub calls: Vec<ToolCall>,
    pub finish: Option<FinishReason>,
}

impl Said {
    /// `functions` are the names of those that may be called.
    pub fn new(choices: usize, functions: Vec<String>, citations: Option<Vec<Citation>>, kept: Option<Kept>) -> Self {
        let heard = Heard {
            listener: Listener::new(functions),
            ..Heard::default()
        };
        Self {
            choices: vec![heard; choices],
            prompt_tokens: 0,
            citations,
            kept,
        }
    }

    /// Takes a piece in, and gives what it adds.
    pub fn hear(&mut self, piece: InferResponse) -> Piece {
        match piece {
            InferResponse::Token { choice, text, logprobs } => {
                let Some(heard) = self.choices.get_mut(choice) else {
                    return Piece::default();
                };
                heard.tokens += 1;
                let text = heard.listener.push(&text);
                heard.text.push_str(&text);
                let logprobs: Option<Vec<_>> = logprobs.map(|all| all.into_iter().map(token).collect());
                if let Some(more) = &logprobs {
                    heard.logprobs.get_or_insert_default().extend_from_slice(more);
                }
                Piece {
                    choice,
                    text,
                    logprobs,
                    ..Piece::default()
                }
            }
            InferResponse::Done {
                choice,
                finish_reason,
                prompt_tokens,
                completion_tokens,
            } => {
                let Some(heard) = self.choices.get_mut(choice) else {
                    return Piece::default();
                };
                let outcome = heard.listener.finish();
                heard.text.push_str(&outcome.text);
                heard.calls.clone_from(&outcome.calls);
                heard.finish = Some(match finish_reason {
                    _ if !outcome.calls.is_empty() => FinishReason::ToolCalls,
                    protocol::FinishReason::Stop => FinishReason::Stop,
                    protocol::FinishReason::Length => FinishReason::Length,
                });
                heard.tokens = completion_tokens;
                self.prompt_tokens = prompt_tokens;
                Piece {
                    choice,
                    text: outcome.text,
                    logprobs: None,
                    calls: outcome.calls,
                    finish: heard.finish,
                }
            }
            other => {
                tracing::error!(answer = ?other, "the inference child said something unexpected");
                Piece::default()
            }
        }
    }

    pub fn is_over(&self) -> bool {
        self.choices.iter().all(|heard| heard.finish.is_some())
    }

    /// Of answers cut short, about.
    pub fn usage(&self) -> Usage {
        let completion: usize = self.choices.iter().map(|heard| heard.tokens).sum();
        Usage {
            prompt_tokens: self.prompt_tokens as u64,
            completion_tokens: completion as u64,
            total_tokens: (self.prompt_tokens + completion) as u64,
        }
    }
}

pub fn logprobs(content: Vec<TokenLogprob>) -> ChoiceLogprobs {
    ChoiceLogprobs { content, refusal: None }
}

fn token(token: TokenLogProbability) -> TokenLogprob {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let top = |LogProbability { bytes, logprob }| TopLogprob {
        token: text(&bytes),
        logprob: f64::from(logprob),
        bytes,
    };
    TokenLogprob {
        token: text(&token.chosen.bytes),
        logprob: f64::from(token.chosen.logprob),
        bytes: token.chosen.bytes,
        top_logprobs: token.top.into_iter().map(top).collect(),
    }
}
