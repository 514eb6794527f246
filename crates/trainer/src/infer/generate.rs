//! Answering one request.

use super::engine::{InferError, Model};
use super::grammar::Grammar;
use super::passages;
use super::sample::{Sampler, log_probabilities};
use super::server::Pace;
use super::text::{StopFilter, TextStream};
use crate::ops::attention::KeyValues;
use crate::ops::with_values;
use crate::protocol::infer::{LogProbability, TokenLogProbability};
use crate::protocol::{FinishReason, Generate, InferErrorCode, InferResponse, Logits};

/// Prompt tokens computed between two looks at whether the client is still there.
pub const PREFILL: usize = 256;
/// Tokens computed between two looks at whether others have had less of the machine.
const GIVE_WAY: usize = 16;
/// Longest context served, whatever the base allows: keys and values of all of it stay in memory.
const CONTEXT_LIMIT: usize = 32_768;
/// Numbers in one `logits` answer.
const LOGITS_LIMIT: usize = 1 << 25;

/// Why there is no (further) answer.
pub enum Ended {
    Failed(InferError),
    /// The client has gone: nobody is there to be told.
    Cancelled,
}

impl<E: Into<InferError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Tokens of one conversation so far, as the model sees them.
#[derive(Clone)]
pub struct Context<'a> {
    model: &'a Model,
    cache: Vec<KeyValues>,
    length: usize,
}

impl<'a> Context<'a> {
    pub fn new(model: &'a Model) -> Self {
        let cache = (0..model.base.llama.layers()).map(|_| KeyValues::default()).collect();
        Self {
            model,
            cache,
            length: 0,
        }
    }

    /// `[tokens, hidden]` after the last layer.
    pub fn extend(&mut self, tokens: &[u32]) -> candle_core::Result<candle_core::Tensor> {
        let adapter = self.model.adapter.as_deref();
        let h = self
            .model
            .base
            .llama
            .extend(tokens, self.length, adapter, &mut self.cache)?;
        self.length += tokens.len();
        Ok(h)
    }

    /// Logits after the last of the tokens.
    fn next_logits(&mut self, tokens: &[u32]) -> candle_core::Result<Vec<f32>> {
        let h = self.extend(tokens)?;
        let last = h.narrow(0, tokens.len() - 1, 1)?.contiguous()?;
        with_values(&self.model.base.llama.logits(&last)?, |logits| Ok(logits.to_vec()))
    }
}

/// Where pieces of answers go.
pub type Sink<'a> = &'a mut dyn FnMut(InferResponse) -> Result<(), Ended>;

/// Streams the answers, one after the other, into `send`, which fails when the client has gone.
pub fn generate(model: &Model, request: &Generate, pace: &mut Pace, send: Sink) -> Result<(), Ended> {
    let chat = &model.base.chat;
    if !(request.tools.is_empty() || chat.template.tells_tools) {
        let error = InferError::new(
            InferErrorCode::InvalidTools,
            "The chat template of this model's base has no place for functions.",
        );
        return Err(Ended::Failed(error));
    }
    let (prompt, used) = passages::prompt(chat, request, context_length(model)).map_err(InferError::chat)?;
    let limit = request.max_tokens.min(room(model, prompt.len())?);
    let grammar = model.base.grammar(request)?;
    if !request.passages.is_empty() {
        send(InferResponse::Passages { used })?;
    }
    let mut context = Context::new(model);
    let mut logits = Vec::new();
    for piece in prompt.chunks(PREFILL) {
        pace.check()?;
        logits = context.next_logits(piece)?;
        pace.give_way()?;
    }
    // All answers go on from the same prompt; the last one may have it.
    let mut prompted = Some(context);
    for choice in 0..request.n {
        let is_last = choice + 1 == request.n;
        let Some(context) = (if is_last { prompted.take() } else { prompted.clone() }) else {
            break;
        };
        let mut answer = Answer {
            model,
            request,
            choice,
            context,
            sampler: Sampler::new(request, choice),
            grammar: grammar.clone(),
            unsent: Vec::new(),
        };
        let (finish_reason, completion_tokens) = answer.say(logits.clone(), limit, pace, send)?;
        send(InferResponse::Done {
            choice,
            finish_reason,
            prompt_tokens: prompt.len(),
            completion_tokens,
        })?;
    }
    Ok(())
}

/// One of the answers, while it is made.
struct Answer<'a> {
    model: &'a Model,
    request: &'a Generate,
    choice: usize,
    context: Context<'a>,
    sampler: Sampler,
    grammar: Option<Grammar>,
    /// Of tokens whose text is still held back.
    unsent: Vec<TokenLogProbability>,
}

impl Answer<'_> {
    /// Says it, and how it ended after how many tokens.
    fn say(
        &mut self,
        mut logits: Vec<f32>,
        limit: usize,
        pace: &mut Pace,
        send: Sink,
    ) -> Result<(FinishReason, usize), Ended> {
        let chat = &self.model.base.chat;
        let mut stream = TextStream::new(&chat.tokenizer);
        let mut filter = StopFilter::new(&self.request.stop);
        let mut count = 0;
        let finish_reason = loop {
            pace.check()?;
            let Some(id) = self.next(&mut logits)? else {
                break FinishReason::Stop;
            };
            count += 1;
            let passed = filter.push(&stream.push(id).map_err(internal)?);
            self.send(passed.text, false, send)?;
            if passed.stopped {
                return Ok((FinishReason::Stop, count));
            }
            if count == limit {
                break FinishReason::Length;
            }
            if count % GIVE_WAY == 0 {
                pace.give_way()?;
            }
            logits = self.context.next_logits(&[id])?;
        };
        let passed = filter.push(&stream.finish().map_err(internal)?);
        if passed.stopped {
            self.send(passed.text, true, send)?;
            return Ok((FinishReason::Stop, count));
        }
        self.send(passed.text + &filter.finish(), true, send)?;
        Ok((finish_reason, count))
    }

    /// The next token; `None` at the end.
    fn next(&mut self, logits: &mut [f32]) -> Result<Option<u32>, InferError> {
        let ends = &self.model.base.chat.end_tokens;
        let said = self.request.top_logprobs.map(|_| logits.to_vec());
        if let Some(grammar) = &mut self.grammar {
            if grammar.is_over() {
                return Ok(None);
            }
            grammar.forbid(logits, ends)?;
        }
        let id = self.sampler.choose(logits);
        if ends.contains(&id) {
            return Ok(None);
        }
        if let Some(grammar) = &mut self.grammar {
            grammar.take(id)?;
        }
        if let (Some(logits), Some(count)) = (said, self.request.top_logprobs) {
            let (logprob, top) = log_probabilities(&logits, id, count);
            let of = |(id, logprob)| LogProbability {
                bytes: self.model.base.bytes(id),
                logprob,
            };
            self.unsent.push(TokenLogProbability {
                chosen: of((id, logprob)),
                top: top.into_iter().map(of).collect(),
            });
        }
        Ok(Some(id))
    }

    fn send(&mut self, text: String, is_last: bool, send: Sink) -> Result<(), Ended> {
        let tells_nothing = !is_last || self.unsent.is_empty();
        if text.is_empty() && tells_nothing {
            return Ok(());
        }
        send(InferResponse::Token {
            choice: self.choice,
            text,
            logprobs: self.request.top_logprobs.map(|_| std::mem::take(&mut self.unsent)),
        })
    }
}

/// The logits of every position.
pub fn logits(model: &Model, request: &Logits) -> Result<Vec<Vec<f32>>, InferError> {
    let vocab = model.base.llama.config.vocab;
    let tokens = &request.token_ids;
    if tokens.is_empty() || tokens.len().saturating_mul(vocab) > LOGITS_LIMIT {
        return Err(InferError::invalid(format!(
            "token_ids must hold 1 to {} ids for this base.",
            LOGITS_LIMIT / vocab
        )));
    }
    if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab) {
        return Err(InferError::invalid(format!(
            "token_ids holds {id}; this base has ids below {vocab}."
        )));
    }
    room(model, tokens.len() - 1)?;
    let h = Context::new(model).extend(tokens)?;
    let rows = with_values(&model.base.llama.logits(&h)?, |logits| {
        Ok(logits.chunks_exact(vocab).map(<[f32]>::to_vec).collect())
    })?;
    Ok(rows)
}

pub fn context_length(model: &Model) -> usize {
    model.base.llama.config.context_length.min(CONTEXT_LIMIT)
}

/// Tokens that fit after a prompt; an error when none does.
fn room(model: &Model, prompt: usize) -> Result<usize, InferError> {
    let context = context_length(model);
    match context.checked_sub(prompt) {
        None | Some(0) => Err(InferError::new(
            InferErrorCode::ContextLength,
            format!("The messages have {prompt} tokens; this model's context holds {context}, the answer included."),
        )),
        Some(room) => Ok(room),
    }
}

fn internal(error: tokenizers::Error) -> InferError {
    InferError::new(InferErrorCode::Internal, error)
}

/// Refuses what is outside the bounds that [`Generate`] states.
pub fn check(request: &Generate) -> Result<(), InferError> {
    let refused = [
        (request.messages.is_empty(), "messages must hold at least one message."),
        (request.max_tokens == 0, "max_tokens must be at least 1."),
        (
            !(0.0..=2.0).contains(&request.temperature),
            "temperature must lie from 0 to 2.",
        ),
        (
            !(request.top_p > 0.0 && request.top_p <= 1.0),
            "top_p must be above 0 and at most 1.",
        ),
        (request.stop.len() > 16, "stop holds at most 16 texts."),
        (
            request.stop.iter().any(|stop| stop.is_empty() || stop.len() > 1000),
            "a stop text has 1 to 1000 bytes.",
        ),
        (request.passages.len() > 16, "passages holds at most 16."),
        (!(1..=8).contains(&request.n), "n must lie from 1 to 8."),
        (
            request.top_logprobs.is_some_and(|count| count > 20),
            "top_logprobs is at most 20.",
        ),
        (
            [request.frequency_penalty, request.presence_penalty]
                .iter()
                .any(|penalty| !(-2.0..=2.0).contains(penalty)),
            "a penalty must lie from -2 to 2.",
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, message)) => Err(InferError::invalid(message)),
        None => Ok(()),
    }
}
