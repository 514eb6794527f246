//! The inference child's Unix socket: one request line per connection, then answer lines until the last one or `error`.
//! The client keeps the connection open until then; closing it, or its sending half, cancels the request.

use std::path::PathBuf;

use cerebros_datasets::chat::Message;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum InferRequest {
    Generate(Box<Generate>),
    Embed(Embed),
    Logits(Logits),
}

/// Answered by `passages` where there are some to choose from, then by `token` lines and one `done` for each answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    pub base_dir: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_dir: Option<PathBuf>,
    /// Whose time it takes: those who had less of it come first.
    #[serde(default)]
    pub client: String,
    pub messages: Vec<Message>,
    /// Upper bound of the answer; what the context leaves caps it further.
    pub max_tokens: usize,
    /// 0 is greedy; at most 2.
    pub temperature: f64,
    /// Above 0, at most 1.
    pub top_p: f64,
    /// -2 to 2: what a token loses for each time that it was said.
    #[serde(default)]
    pub frequency_penalty: f64,
    /// -2 to 2: what a token loses for having been said.
    #[serde(default)]
    pub presence_penalty: f64,
    /// Absent means drawn from the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// At most 16 texts that end the answer and are not part of it.
    #[serde(default)]
    pub stop: Vec<String>,
    /// How many answers, 1 to 8.
    #[serde(default = "one")]
    pub n: usize,
    /// At most 20. Present, each token comes with how likely it was, and with this many of the likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Functions that the answer may call, as OpenAI's chat wire has them. The base's chat template has to tell them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<serde_json::Value>,
    /// Names of functions of which the answer has to be a call; empty where it is free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub call_one_of: Vec<String>,
    /// What the last question may be answered from, best first. As many are put before it as the context has room for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<Passage>,
}

fn one() -> usize {
    1
}

/// What an answer has to look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Format {
    JsonObject,
    JsonSchema { schema: Box<serde_json::Value> },
}

/// A stretch of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Where it stands, in words.
    pub title: String,
    pub text: String,
}

/// Answered by one `embedding` line for each input, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    pub base_dir: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_dir: Option<PathBuf>,
    /// Whose time it takes: those who had less of it come first.
    #[serde(default)]
    pub client: String,
    /// 1 to 2,048, with 300,000 tokens at most in all.
    pub inputs: Vec<Input>,
    /// Where it is said, it has to be the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
}

/// At most 8,192 tokens, and no more than the model's context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    Text(String),
    Tokens(Vec<u32>),
}

/// Answered by one `logits` line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logits {
    pub base_dir: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_dir: Option<PathBuf>,
    pub token_ids: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InferResponse {
    Passages {
        /// How many of the first ones the model reads.
        used: usize,
    },
    Token {
        choice: usize,
        /// Never half a character; empty only where the last tokens have nothing but probabilities to tell.
        text: String,
        /// Of the tokens since the last piece, where they were asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<TokenLogProbability>>,
    },
    Done {
        choice: usize,
        finish_reason: FinishReason,
        prompt_tokens: usize,
        completion_tokens: usize,
    },
    Embedding {
        /// The mean over the tokens of what the final norm gives, scaled to length 1.
        values: Vec<f32>,
        tokens: usize,
    },
    Logits {
        /// One row per position, as wide as the vocabulary.
        logits: Vec<Vec<f32>>,
    },
    Error {
        code: InferErrorCode,
        message: String,
    },
}

/// A token that was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogProbability {
    pub chosen: LogProbability,
    /// The likeliest at its place.
    pub top: Vec<LogProbability>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogProbability {
    /// What the token stands for; none for one with a special meaning.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its answer, or a stop text came.
    Stop,
    /// `max_tokens` or the context ran out.
    Length,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InferErrorCode {
    InvalidRequest,
    InvalidBase,
    InvalidAdapter,
    /// The prompt leaves no room for an answer.
    ContextLength,
    /// An input to embed is empty, too long or outside the vocabulary.
    InvalidInput,
    /// Not as many as the model's vectors have.
    InvalidDimensions,
    /// No answer can be held to the schema.
    InvalidFormat,
    /// The base's chat template cannot tell which functions there are, or no answer can be held to their schemas.
    InvalidTools,
    /// Too many requests of this client wait.
    TooMany,
    /// Too many requests wait.
    Busy,
    Internal,
}
