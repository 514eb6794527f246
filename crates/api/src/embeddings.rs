//! Texts as vectors of a model.

use crate::{
    chat::{Target, asked::Asked},
    error::{AppError, AppResult},
    infer,
};
use actix_web::HttpRequest;
use base64::{Engine, engine::general_purpose::STANDARD};
use cerebros_common::{
    chat::Usage,
    embeddings::{Embedding, EmbeddingInput, EmbeddingList, EmbeddingRequest, EmbeddingUsage, EncodingFormat, Vector},
};
use cerebros_db::{Scope, calls::Outcome};
use cerebros_trainer::protocol::{Embed, InferRequest, InferResponse, infer::Input};

const MAX_INPUTS: usize = 2048;

/// The request in the engine's form, asked by whoever the scope names.
pub fn question(request: &EmbeddingRequest, target: &Target, scope: &Scope) -> AppResult<Embed> {
    let texts = |texts: &[String]| texts.iter().cloned().map(Input::Text).collect();
    let inputs: Vec<Input> = match &request.input {
        EmbeddingInput::Text(text) => vec![Input::Text(text.clone())],
        EmbeddingInput::Texts(all) => texts(all),
        EmbeddingInput::Tokens(tokens) => vec![Input::Tokens(tokens.clone())],
        EmbeddingInput::ManyTokens(all) => all.iter().cloned().map(Input::Tokens).collect(),
    };
    if !(1..=MAX_INPUTS).contains(&inputs.len()) {
        return Err(AppError::field("input", "invalid_value", "must have 1 to 2048 inputs"));
    }
    let is_empty = |input: &Input| match input {
        Input::Text(text) => text.is_empty(),
        Input::Tokens(tokens) => tokens.is_empty(),
    };
    if inputs.iter().any(is_empty) {
        return Err(AppError::field("input", "invalid_value", "must not be empty"));
    }
    let dimensions = request.dimensions.map(|asked| asked as usize);
    Ok(Embed {
        base_dir: target.base_dir.clone(),
        adapter_dir: target.adapter_dir.clone(),
        client: infer::client(scope),
        inputs,
        dimensions,
    })
}

/// Computes the vectors and records that they were asked for.
pub async fn embed(
    asked: &Asked,
    http: &HttpRequest,
    question: Embed,
    request: EmbeddingRequest,
) -> AppResult<EmbeddingList> {
    let format = request.encoding_format.unwrap_or_default();
    let work = async {
        let answered = vectors(asked, question, format).await;
        let (outcome, tokens) = match &answered {
            Ok((_, tokens)) => (Outcome::Answered, *tokens),
            Err(_) => (Outcome::Failed, 0),
        };
        let usage = Usage {
            prompt_tokens: tokens,
            completion_tokens: 0,
            total_tokens: tokens,
        };
        asked.record(outcome, usage).await;
        answered
    };
    let (data, tokens) = asked.unless_gone(http, work).await?;
    Ok(EmbeddingList {
        object: "list".to_owned(),
        data,
        model: request.model,
        usage: EmbeddingUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    })
}

/// One for each input, and the tokens of all.
async fn vectors(asked: &Asked, question: Embed, format: EncodingFormat) -> AppResult<(Vec<Embedding>, u64)> {
    let count = question.inputs.len();
    let mut answer = asked.app.inference.ask(&InferRequest::Embed(question)).await?;
    let (mut data, mut total) = (Vec::with_capacity(count), 0);
    for index in (0..).take(count) {
        match answer.next().await? {
            InferResponse::Embedding { values, tokens } => {
                total += tokens as u64;
                data.push(Embedding {
                    object: "embedding".to_owned(),
                    index,
                    embedding: written(values, format),
                });
            }
            other => {
                let cause = anyhow::anyhow!("the inference child said something unexpected: {other:?}");
                return Err(AppError::internal(cause));
            }
        }
    }
    Ok((data, total))
}

fn written(values: Vec<f32>, format: EncodingFormat) -> Vector {
    match format {
        EncodingFormat::Float => Vector::Floats(values),
        EncodingFormat::Base64 => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        }
    }
}
