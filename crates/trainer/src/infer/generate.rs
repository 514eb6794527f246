//! Answering one request.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::engine::{InferError, Model};
use super::passages;
use super::server::Cancel;
use super::text::{StopFilter, TextStream};
use crate::ops::attention::KeyValues;
use crate::ops::with_values;
use crate::protocol::{FinishReason, Generate, InferErrorCode, InferResponse, Logits};

/// Prompt tokens computed between two looks at whether the client is still there.
const PREFILL: usize = 256;
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
struct Context<'a> {
    model: &'a Model,
    cache: Vec<KeyValues>,
    length: usize,
}

impl<'a> Context<'a> {
    fn new(model: &'a Model) -> Self {
        let cache = (0..model.base.llama.layers()).map(|_| KeyValues::default()).collect();
        Self {
            model,
            cache,
            length: 0,
        }
    }

    /// `[tokens, hidden]` after the last layer.
    fn extend(&mut self, tokens: &[u32]) -> candle_core::Result<candle_core::Tensor> {
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

/// Streams the answer into `send`, which fails when the client has gone.
pub fn generate(
    model: &Model,
    request: &Generate,
    cancel: &Cancel,
    send: &mut dyn FnMut(InferResponse) -> Result<(), Ended>,
) -> Result<(), Ended> {
    let chat = &model.base.chat;
    let (prompt, used) = passages::prompt(chat, request, context_length(model)).map_err(InferError::chat)?;
    let room = room(model, prompt.len())?;
    if !request.passages.is_empty() {
        send(InferResponse::Passages { used })?;
    }
    let limit = request.max_tokens.min(room);
    let mut context = Context::new(model);
    let mut logits = Vec::new();
    for piece in prompt.chunks(PREFILL) {
        cancel.check()?;
        logits = context.next_logits(piece)?;
    }
    let mut sampler = Sampler::new(request);
    let mut stream = TextStream::new(&chat.tokenizer);
    let mut filter = StopFilter::new(&request.stop);
    let mut count = 0;
    let finish_reason = loop {
        cancel.check()?;
        let id = sampler.choose(&logits);
        if chat.end_tokens.contains(&id) {
            break FinishReason::Stop;
        }
        count += 1;
        let text = stream.push(id).map_err(internal)?;
        let passed = filter.push(&text);
        send_text(passed.text, send)?;
        if passed.stopped {
            return send(done(FinishReason::Stop, prompt.len(), count));
        }
        if count == limit {
            break FinishReason::Length;
        }
        logits = context.next_logits(&[id])?;
    };
    let passed = filter.push(&stream.finish().map_err(internal)?);
    send_text(passed.text, send)?;
    if passed.stopped {
        return send(done(FinishReason::Stop, prompt.len(), count));
    }
    send_text(filter.finish(), send)?;
    send(done(finish_reason, prompt.len(), count))
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

fn context_length(model: &Model) -> usize {
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

fn send_text(text: String, send: &mut dyn FnMut(InferResponse) -> Result<(), Ended>) -> Result<(), Ended> {
    if text.is_empty() {
        Ok(())
    } else {
        send(InferResponse::Token { text })
    }
}

fn done(finish_reason: FinishReason, prompt_tokens: usize, completion_tokens: usize) -> InferResponse {
    InferResponse::Done {
        finish_reason,
        prompt_tokens,
        completion_tokens,
    }
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
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, message)) => Err(InferError::invalid(message)),
        None => Ok(()),
    }
}

struct Sampler {
    temperature: f64,
    top_p: f64,
    random: ChaCha8Rng,
}

impl Sampler {
    fn new(request: &Generate) -> Self {
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_nanos() as u64)
        };
        let seed = request.seed.unwrap_or_else(clock);
        Self {
            temperature: request.temperature,
            top_p: request.top_p,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn choose(&mut self, logits: &[f32]) -> u32 {
        let by_logit = |left: &usize, right: &usize| logits[*right].total_cmp(&logits[*left]).then(left.cmp(right));
        let highest = (0..logits.len()).min_by(by_logit).unwrap_or(0);
        if self.temperature == 0.0 {
            return highest as u32;
        }
        let weight = |id: usize| (f64::from(logits[id] - logits[highest]) / self.temperature).exp();
        let mut ids: Vec<usize> = (0..logits.len()).collect();
        let mut wanted: f64 = ids.iter().map(|id| weight(*id)).sum();
        if self.top_p < 1.0 {
            ids.sort_unstable_by(by_logit);
            let nucleus = wanted * self.top_p;
            let mut sum = 0.0;
            let reached = ids.iter().position(|id| {
                sum += weight(*id);
                sum >= nucleus
            });
            ids.truncate(reached.map_or(ids.len(), |index| index + 1));
            wanted = sum;
        }
        let unit = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut left = unit * wanted;
        for &id in &ids {
            left -= weight(id);
            if left < 0.0 {
                return id as u32;
            }
        }
        highest as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: f64, top_p: f64) -> Sampler {
        Sampler {
            temperature,
            top_p,
            random: ChaCha8Rng::seed_from_u64(1),
        }
    }

    #[test]
    fn sampling_follows_temperature_and_nucleus() {
        let logits = [0.0, 2.0, 1.0, -3.0];
        assert_eq!(sampler(0.0, 1.0).choose(&logits), 1);
        let mut counts = [0_u32; 4];
        let mut plain = sampler(1.0, 1.0);
        (0..20_000).for_each(|_| counts[plain.choose(&logits) as usize] += 1);
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        for (count, logit) in counts.iter().zip(logits) {
            let expected = f64::from(logit).exp() / total;
            assert!((f64::from(*count) / 20_000.0 - expected).abs() < 0.015);
        }
        let mut nucleus = sampler(1.0, 0.7);
        assert!((0..2000).all(|_| [1, 2].contains(&nucleus.choose(&logits))));
        let mut cold = sampler(0.05, 1.0);
        assert!((0..2000).all(|_| cold.choose(&logits) == 1));
    }
}
