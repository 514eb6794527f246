//! One request, one answer.

mod anthropic;
mod openai;

use crate::{Category, Error, RateLimits, Reach, Severity, rate, reach, schema};
use chrono::Utc;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::{fmt, time::Duration};
use url::Url;

const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Of a provider's own words, in characters.
const MAX_WORDS: usize = 300;
const MAX_MODELS: usize = 1_000;

/// Which wire format the other side speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Openai,
    /// OpenAI's bodies at Azure's addresses; the model is the name of a deployment.
    AzureOpenai,
    Anthropic,
}

/// Where questions go. Prints no key.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub dialect: Dialect,
    pub base_url: Url,
    pub key: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.dialect, self.base_url)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    pub connect: Duration,
    /// Without a byte.
    pub stall: Duration,
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(120),
            total: Duration::from_secs(300),
        }
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct Chat {
    pub model: String,
    pub system: String,
    pub user: String,
    /// A name and the JSON schema of the answer.
    pub schema: Option<(String, Value)>,
    pub max_tokens: u32,
    /// The same for the same question, however often it is sent.
    pub idempotency_key: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub text: String,
    /// As the schema says, where one was given.
    pub value: Option<Value>,
    /// The model that answered, by its provider's name.
    pub model: String,
    pub usage: Usage,
    pub limits: RateLimits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub id: String,
}

/// What a body says, before it is checked.
struct Read {
    text: String,
    /// Structured answers that come apart from the text.
    value: Option<Value>,
    model: Option<String>,
    usage: Usage,
    /// It ended because of `max_tokens`.
    cut_off: bool,
    /// The model declined.
    refusal: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
}

impl Client {
    /// # Errors
    /// When the base URL may not be reached.
    pub fn new(endpoint: Endpoint, reach: &Reach, deadlines: Deadlines) -> Result<Self, Error> {
        if endpoint.base_url.query().is_some() {
            return Err(Error::settings("The base URL must hold no query."));
        }
        let http = reach
            .client(&endpoint.base_url)?
            .connect_timeout(deadlines.connect)
            .read_timeout(deadlines.stall)
            .timeout(deadlines.total)
            .build()
            .map_err(|_| Error::settings("The connection to the provider cannot be set up."))?;
        Ok(Self { http, endpoint })
    }

    /// Asks once.
    pub async fn chat(&self, chat: &Chat) -> Result<Answer, Error> {
        let request = match self.endpoint.dialect {
            Dialect::Anthropic => anthropic::chat(&self.http, &self.endpoint, chat),
            Dialect::Openai | Dialect::AzureOpenai => openai::chat(&self.http, &self.endpoint, chat),
        };
        let request = request.header("idempotency-key", &chat.idempotency_key);
        let (body, status, limits) = self.send(request).await?;
        let read = match self.endpoint.dialect {
            Dialect::Anthropic => anthropic::read(&body),
            Dialect::Openai | Dialect::AzureOpenai => openai::read(&body),
        };
        let Some(read) = read else {
            return Err(Error {
                status: Some(status.as_u16()),
                limits: Box::new(limits),
                // Nobody can tell what it cost.
                maybe_paid: true,
                ..Error::unusable("The provider's answer cannot be understood. Does the base URL lead to its API?")
            });
        };
        let (usage, model) = (read.usage, read.model.clone());
        let checked = checked(read, chat).map_err(|error| Error {
            status: Some(status.as_u16()),
            usage: Some(usage),
            limits: Box::new(limits),
            ..error
        });
        let (text, value) = checked?;
        Ok(Answer {
            text,
            value,
            model: model.unwrap_or_else(|| chat.model.clone()),
            usage,
            limits,
        })
    }

    /// The models that the key may use. Azure lists no deployments.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let url = match self.endpoint.dialect {
            Dialect::AzureOpenai => return Ok(Vec::new()),
            Dialect::Openai => openai::url(&self.endpoint, "models"),
            Dialect::Anthropic => openai::url(&self.endpoint, "models?limit=1000"),
        };
        let request = self.http.get(url);
        let request = match self.endpoint.dialect {
            Dialect::Anthropic => anthropic::signed(request, &self.endpoint),
            Dialect::Openai | Dialect::AzureOpenai => openai::signed(request, &self.endpoint),
        };
        let (body, ..) = self.send(request).await?;
        let list = body.get("data").and_then(Value::as_array);
        let list = list.ok_or_else(|| Error::settings("The base URL leads to something that lists no models."))?;
        let ids = list.iter().filter_map(|model| model.get("id")?.as_str());
        let mut models: Vec<Model> = ids.take(MAX_MODELS).map(|id| Model { id: id.to_owned() }).collect();
        models.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(models)
    }

    async fn send(&self, request: RequestBuilder) -> Result<(Value, StatusCode, RateLimits), Error> {
        let response = request
            .send()
            .await
            .map_err(|error| broken(&error, error.is_connect()))?;
        let (status, now) = (response.status(), Utc::now());
        let limits = RateLimits::of(response.headers(), now);
        if !status.is_success() {
            let retry_after = rate::retry_after(response.headers(), now);
            let words = self.words(response).await;
            return Err(Error {
                status: Some(status.as_u16()),
                retry_after,
                limits: Box::new(limits),
                ..refused(status, &words)
            });
        }
        let with_limits = |error| Error {
            limits: Box::new(limits),
            ..error
        };
        let body = body(response, MAX_ANSWER_BYTES).await.map_err(with_limits)?;
        let value = serde_json::from_slice(&body).map_err(|_| Error {
            status: Some(status.as_u16()),
            limits: Box::new(limits),
            maybe_paid: true,
            ..Error::unusable("The provider's answer is not JSON. Does the base URL lead to its API?")
        })?;
        Ok((value, status, limits))
    }

    /// The provider's own words about an error, without the key, and its code.
    async fn words(&self, response: Response) -> Words {
        let body = body(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = value.get("error").unwrap_or(&value);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let message = text(error.get("message"))
            .or_else(|| text(Some(error)))
            .unwrap_or_default();
        let message = match &self.endpoint.key {
            Some(key) => message.replace(key.as_str(), "..."),
            None => message,
        };
        Words {
            message: tidy(&message),
            code: text(error.get("code"))
                .or_else(|| text(error.get("type")))
                .unwrap_or_default(),
        }
    }
}

struct Words {
    message: String,
    code: String,
}

/// One line of bounded length.
fn tidy(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

fn checked(read: Read, chat: &Chat) -> Result<(String, Option<Value>), Error> {
    if let Some(refusal) = read.refusal {
        let message = format!("The model declined: {}", tidy(&refusal));
        return Err(Error::new(Category::Permanent, Severity::Error, message));
    }
    let Some((_, wanted)) = &chat.schema else {
        return Ok((read.text, None));
    };
    if read.cut_off {
        let message = format!(
            "The answer did not fit into {} tokens and was cut off.",
            chat.max_tokens
        );
        return Err(Error::new(Category::Permanent, Severity::Error, message));
    }
    let value = match read.value {
        Some(value) => schema::check(&value, wanted).map(|()| value),
        None => schema::parse(&read.text, wanted),
    };
    value.map(|value| (read.text, Some(value)))
}

async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| broken(&error, false))? {
        if bytes.len() + part.len() > limit {
            return Err(Error {
                status: Some(status.as_u16()),
                maybe_paid: status.is_success(),
                ..Error::new(
                    Category::Permanent,
                    Severity::Error,
                    "The provider's answer is too long.",
                )
            });
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// `unsent`: the question did not leave.
fn broken(error: &reqwest::Error, unsent: bool) -> Error {
    if let Some(sentence) = reach::refusal(error) {
        return Error::settings(sentence);
    }
    let message = match (unsent, error.is_timeout()) {
        (true, true) => "The provider could not be reached in time.",
        (true, false) => "The provider could not be reached. Is the base URL right?",
        (false, true) => "The provider did not answer in time.",
        (false, false) => "The connection to the provider broke.",
    };
    Error {
        maybe_paid: !unsent,
        ..Error::network(message)
    }
}

fn refused(status: StatusCode, words: &Words) -> Error {
    let said = match words.message.as_str() {
        "" => format!("The provider answered {status}."),
        message => format!("The provider answered {status}: {message}"),
    };
    let error = |category, severity, what: &str| Error::new(category, severity, format!("{what} {said}"));
    let budget = ["insufficient_quota", "billing_hard_limit_reached", "billing_error"].contains(&words.code.as_str())
        || words.message.contains("credit balance is too low");
    match status.as_u16() {
        402 => error(
            Category::Permanent,
            Severity::Critical,
            "The provider wants to be paid first.",
        ),
        _ if budget => error(
            Category::Permanent,
            Severity::Critical,
            "The account has no credit left.",
        ),
        401 => error(Category::Authentication, Severity::Critical, "The key was refused."),
        403 => error(Category::Authentication, Severity::Critical, "The key may not do this."),
        404 => error(
            Category::Permanent,
            Severity::Critical,
            "The model or address was not found.",
        ),
        429 => error(Category::RateLimit, Severity::Warning, "The rate limit was reached."),
        300..=399 => error(
            Category::Permanent,
            Severity::Critical,
            "The base URL leads on to another one: use that.",
        ),
        408 | 409 | 425 | 500.. => error(Category::Transient, Severity::Warning, "The provider failed."),
        _ => error(Category::Permanent, Severity::Error, "The question was refused."),
    }
}
