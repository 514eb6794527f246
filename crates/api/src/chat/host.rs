//! Whoever computes an answer: the embedded engine, or an outside vLLM server.

use super::Target;
use crate::{error::AppResult, infer, state::App, vllm};
use cerebros_common::agents::Host;
use cerebros_trainer::protocol::{InferRequest, InferResponse, infer::Generate};

/// An answer as it comes. Dropping it stops the model.
pub enum Answer {
    Embedded(infer::Answer),
    Vllm(Box<vllm::Answer>),
}

/// Asks whoever hosts the target. Nobody else answers in its place.
///
/// # Errors
/// What the host refuses, and 503 when it is away.
pub async fn ask(app: &App, target: &Target, question: Generate) -> AppResult<Answer> {
    match (target.host, target.model_id) {
        (Host::Vllm, Some(model_id)) => {
            let answer = vllm::of(app)?.ask(target, model_id, &question).await?;
            Ok(Answer::Vllm(Box::new(answer)))
        }
        _ => {
            let request = InferRequest::Generate(Box::new(question));
            Ok(Answer::Embedded(app.inference.ask(&request).await?))
        }
    }
}

impl Answer {
    /// The next piece.
    ///
    /// # Errors
    /// What the host refuses, and 503 when it broke off or says nothing any more.
    pub async fn next(&mut self) -> AppResult<InferResponse> {
        match self {
            Self::Embedded(answer) => answer.next().await,
            Self::Vllm(answer) => answer.next().await,
        }
    }
}
