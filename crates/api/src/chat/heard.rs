//! As much of the answers to a question as there is.

use crate::conversations::Kept;
use cerebros_common::chat::{ChoiceLogprobs, Citation, FinishReason, TokenLogprob, TopLogprob, Usage};
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
    pub text: String,
    /// `None` where nothing was asked for.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// `None` while it goes on.
    pub finish: Option<FinishReason>,
    tokens: usize,
}

impl Said {
    pub fn new(choices: usize, citations: Option<Vec<Citation>>, kept: Option<Kept>) -> Self {
        Self {
            choices: vec![Heard::default(); choices],
            prompt_tokens: 0,
            citations,
            kept,
        }
    }

    pub fn hear(&mut self, piece: &InferResponse) {
        match piece {
            InferResponse::Token { choice, text, logprobs } => {
                let Some(heard) = self.choices.get_mut(*choice) else {
                    return;
                };
                heard.text.push_str(text);
                heard.tokens += 1;
                if let Some(more) = logprobs {
                    let logprobs = heard.logprobs.get_or_insert_default();
                    logprobs.extend(more.iter().cloned().map(token));
                }
            }
            InferResponse::Done {
                choice,
                finish_reason,
                prompt_tokens,
                completion_tokens,
            } => {
                let Some(heard) = self.choices.get_mut(*choice) else {
                    return;
                };
                heard.finish = Some(match finish_reason {
                    protocol::FinishReason::Stop => FinishReason::Stop,
                    protocol::FinishReason::Length => FinishReason::Length,
                });
                heard.tokens = *completion_tokens;
                self.prompt_tokens = *prompt_tokens;
            }
            _ => {}
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

pub fn token(token: TokenLogProbability) -> TokenLogprob {
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
