//! An outside vLLM server: the adapters that it loads, and questions to it. It was started with `--enable-lora` and
//! `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1`.

mod adapters;
mod answer;
mod wire;

pub use adapters::{Sweep, enqueue_sweep, load_for, of, run, sweep};
pub use answer::Answer;

use crate::{
    chat::Target,
    config::VllmConfig,
    error::{AppError, AppResult},
};
use anyhow::Context;
use cerebros_common::{errors::ErrorCode, ids::ModelId};
use cerebros_trainer::protocol::infer::Generate;
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use std::time::Duration;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Between two pieces of an answer; the first one may wait for others' answers.
const READ_DEADLINE: Duration = Duration::from_secs(300);
/// For everything but answers; loading an adapter takes longest.
const CALL_DEADLINE: Duration = Duration::from_secs(50);
const MAX_BODY_BYTES: usize = 1024 * 1024;
const MAX_WORDS: usize = 300;

const AWAY: &str = "The vLLM server that hosts assistants here cannot be reached right now. Whoever runs this server has to start \
                    it; until then, an editor can choose the embedded host for an assistant.";

pub struct Vllm {
    http: reqwest::Client,
    config: VllmConfig,
}

impl Vllm {
    /// # Errors
    /// When no connection can be set up at all, or the directory for adapters cannot be made.
    pub fn new(config: &VllmConfig) -> anyhow::Result<Self> {
        let directory = config.adapters_dir.display();
        std::fs::create_dir_all(&config.adapters_dir)
            .with_context(|| format!("VLLM_ADAPTERS_DIR ({directory}) cannot be made"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_DEADLINE)
            .read_timeout(READ_DEADLINE)
            .build()?;
        Ok(Self {
            http,
            config: config.clone(),
        })
    }

    /// Asks; an adapter that vLLM has forgotten, as after a restart, is loaded again. Of the passages as many are put
    /// before the question as vLLM takes.
    ///
    /// # Errors
    /// What vLLM refuses, and 503 when it is away.
    pub async fn ask(&self, target: &Target, model_id: ModelId, question: &Generate) -> AppResult<Answer> {
        let mut used = question.passages.len();
        let mut max_tokens = Some(question.max_tokens);
        let mut loaded = false;
        loop {
            let body = wire::body(&name(model_id), question, used, max_tokens);
            let request = self.request(Method::POST, "v1/chat/completions").json(&body);
            let response = request.send().await.map_err(away)?;
            let status = response.status();
            if status.is_success() {
                let read = (!question.passages.is_empty()).then_some(used);
                return Ok(Answer::new(response, question.n, read));
            }
            let words = self.words(&read(response).await?);
            let too_long = status == StatusCode::BAD_REQUEST && is_too_long(&words);
            match status {
                StatusCode::NOT_FOUND if !loaded => {
                    self.load(target, model_id).await?;
                    loaded = true;
                }
                _ if too_long && used > 0 => used -= 1,
                // Without a bound the answer may take what the prompt leaves.
                _ if too_long && max_tokens.is_some() => max_tokens = None,
                _ => return Err(refused(status, &words)),
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.config.url.as_str().trim_end_matches('/');
        let request = self.http.request(method, format!("{base}/{path}"));
        match &self.config.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Status and body of what is no answer to a question.
    async fn call(&self, request: RequestBuilder) -> AppResult<(StatusCode, Vec<u8>)> {
        let response = request.timeout(CALL_DEADLINE).send().await.map_err(away)?;
        Ok((response.status(), read(response).await?))
    }

    /// What vLLM says about an error, on one line and without the key.
    fn words(&self, body: &[u8]) -> String {
        let message = wire::message(body);
        let message = match &self.config.api_key {
            Some(key) => message.replace(key.as_str(), "..."),
            None => message,
        };
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
    }
}

/// What vLLM calls a model's adapter.
fn name(id: ModelId) -> String {
    format!("cerebros-{id}")
}

async fn read(mut response: Response) -> AppResult<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(away)? {
        if bytes.len() + part.len() > MAX_BODY_BYTES {
            let cause = anyhow::anyhow!("vLLM said more than {MAX_BODY_BYTES} bytes");
            return Err(broken(cause));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn away(error: reqwest::Error) -> AppError {
    tracing::warn!(error = %error.without_url(), "vLLM cannot be reached");
    AppError::unavailable(AWAY, 10)
}

fn broken(cause: anyhow::Error) -> AppError {
    tracing::warn!(error = ?cause, "vLLM's answer cannot be used");
    AppError::unavailable("The vLLM server broke off its answer. Try again in a moment.", 5)
}

fn is_too_long(words: &str) -> bool {
    ["maximum context length", "maximum model length"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// What the person hears of an error.
fn refused(status: StatusCode, words: &str) -> AppError {
    let said = match words {
        "" => format!("vLLM answered {status}."),
        words => format!("vLLM answered: {words}"),
    };
    match status.as_u16() {
        400 | 422 if is_too_long(words) => {
            AppError::new(ErrorCode::InvalidRequest, said).about("messages", "context_length_exceeded")
        }
        400 | 422 => AppError::new(ErrorCode::InvalidRequest, said),
        401 | 403 => AppError::unavailable(
            "The vLLM server refuses this server's key. Whoever runs this server has to set VLLM_API_KEY.",
            60,
        ),
        429 => AppError::new(ErrorCode::TooManyRequests, said).retry_after(5),
        _ => AppError::unavailable(said, 10),
    }
}
