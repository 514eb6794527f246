//! Texts as vectors.

use super::engine::{InferError, Model};
use super::generate::{Context, Ended, PREFILL, Sink, context_length};
use super::server::Pace;
use crate::ops::with_values;
use crate::protocol::infer::Input;
use crate::protocol::{Embed, InferErrorCode, InferResponse};

const INPUTS: usize = 2048;
const TOKENS_OF_ONE: usize = 8192;
const TOKENS_OF_ALL: usize = 300_000;

/// Sends the vector of each input; nothing is computed before all of them are known to fit.
pub fn embed(model: &Model, request: &Embed, pace: &mut Pace, send: Sink) -> Result<(), Ended> {
    for tokens in fitting(model, request, pace)? {
        let values = vector(model, &tokens, pace)?;
        send(InferResponse::Embedding {
            values,
            tokens: tokens.len(),
        })?;
    }
    Ok(())
}

/// The tokens of each input.
fn fitting(model: &Model, request: &Embed, pace: &Pace) -> Result<Vec<Vec<u32>>, Ended> {
    let own = model.base.llama.config.hidden;
    if let Some(asked) = request.dimensions.filter(|asked| *asked != own) {
        let message = format!("This model's vectors have {own} dimensions, not {asked}: leave `dimensions` out.");
        return Err(InferError::new(InferErrorCode::InvalidDimensions, message).into());
    }
    if !(1..=INPUTS).contains(&request.inputs.len()) {
        return Err(refused(format!("There must be 1 to {INPUTS} inputs.")).into());
    }
    let mut all = Vec::with_capacity(request.inputs.len());
    let mut total = 0;
    for (index, input) in request.inputs.iter().enumerate() {
        pace.check()?;
        let tokens = tokens(model, index, input)?;
        total += tokens.len();
        if total > TOKENS_OF_ALL {
            return Err(refused(format!("The inputs have more than {TOKENS_OF_ALL} tokens in all.")).into());
        }
        all.push(tokens);
    }
    Ok(all)
}

fn tokens(model: &Model, index: usize, input: &Input) -> Result<Vec<u32>, InferError> {
    let tokens = match input {
        Input::Text(text) => {
            let row = model.base.chat.encode_plain(text, usize::MAX);
            row.map_err(|error| refused(format!("input[{index}] cannot be used: {error}.")))?
                .tokens
        }
        Input::Tokens(tokens) => tokens.clone(),
    };
    let vocab = model.base.llama.config.vocab;
    if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab) {
        return Err(refused(format!(
            "input[{index}] holds token {id}; this model has ids below {vocab}."
        )));
    }
    let (count, most) = (tokens.len(), context_length(model).min(TOKENS_OF_ONE));
    match count {
        0 => Err(refused(format!("input[{index}] has no tokens."))),
        _ if count > most => Err(refused(format!(
            "input[{index}] has {count} tokens; this model takes {most} at most."
        ))),
        _ => Ok(tokens),
    }
}

/// The mean over the tokens of what the final norm gives, scaled to length 1.
fn vector(model: &Model, tokens: &[u32], pace: &mut Pace) -> Result<Vec<f32>, Ended> {
    let llama = &model.base.llama;
    let mut context = Context::new(model);
    let mut sum = vec![0.0f64; llama.config.hidden];
    for piece in tokens.chunks(PREFILL) {
        pace.check()?;
        let states = llama.final_norm(&context.extend(piece)?)?;
        with_values(&states, |values| {
            for state in values.chunks_exact(sum.len()) {
                sum.iter_mut()
                    .zip(state)
                    .for_each(|(sum, value)| *sum += f64::from(*value));
            }
            Ok(())
        })?;
        pace.give_way()?;
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length == 0.0 || !length.is_finite() {
        let message = "The model's states have no direction: its weights are not usable.";
        return Err(InferError::new(InferErrorCode::Internal, message).into());
    }
    Ok(sum.into_iter().map(|value| (value / length) as f32).collect())
}

fn refused(message: String) -> InferError {
    InferError::new(InferErrorCode::InvalidInput, message)
}
