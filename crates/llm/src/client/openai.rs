//! OpenAI's chat completions, also at Azure's addresses.

use super::{Chat, Dialect, Endpoint, Read, Usage};
use crate::schema;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

const AZURE_VERSION: &str = "2024-10-21";

pub fn chat(http: &Client, endpoint: &Endpoint, chat: &Chat) -> RequestBuilder {
    let url = match endpoint.dialect {
        Dialect::AzureOpenai => azure(endpoint, &chat.model),
        _ => url(endpoint, "chat/completions"),
    };
    let mut body = json!({
        "model": chat.model,
        "messages": [
            {"role": "system", "content": chat.system},
            {"role": "user", "content": chat.user},
        ],
    });
    body[limit_name(endpoint)] = chat.max_tokens.into();
    if let Some((name, wanted)) = &chat.schema {
        let strict = schema::is_strict(wanted);
        body["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": name, "schema": wanted, "strict": strict}});
    }
    signed(http.post(url), endpoint).json(&body)
}

/// OpenAI's newer models refuse the old name; other servers may not know the new one.
fn limit_name(endpoint: &Endpoint) -> &'static str {
    let newest = endpoint.dialect == Dialect::AzureOpenai || endpoint.base_url.domain() == Some("api.openai.com");
    if newest { "max_completion_tokens" } else { "max_tokens" }
}

pub fn signed(request: RequestBuilder, endpoint: &Endpoint) -> RequestBuilder {
    match (&endpoint.key, endpoint.dialect) {
        (None, _) => request,
        (Some(key), Dialect::AzureOpenai) => request.header("api-key", key),
        (Some(key), _) => request.bearer_auth(key),
    }
}

pub fn url(endpoint: &Endpoint, path: &str) -> String {
    format!("{}/{path}", endpoint.base_url.as_str().trim_end_matches('/'))
}

/// The deployment's name becomes one segment, whatever it holds.
fn azure(endpoint: &Endpoint, deployment: &str) -> String {
    let mut url: Url = endpoint.base_url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend(["openai", "deployments", deployment, "chat", "completions"]);
    }
    url.set_query(Some(&format!("api-version={AZURE_VERSION}")));
    url.into()
}

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

pub fn read(body: &Value) -> Option<Read> {
    let completion = Completion::deserialize(body).ok()?;
    let choice = completion.choices.into_iter().next()?;
    let usage = completion.usage.map_or_else(Usage::default, |counts| Usage {
        prompt_tokens: counts.prompt_tokens,
        completion_tokens: counts.completion_tokens,
    });
    let filtered = choice.finish_reason.as_deref() == Some("content_filter");
    let filtered = filtered.then(|| "the provider's content filter stopped it".to_owned());
    Some(Read {
        text: choice.message.content.unwrap_or_default(),
        value: None,
        model: completion.model,
        usage,
        cut_off: choice.finish_reason.as_deref() == Some("length"),
        refusal: choice.message.refusal.or(filtered),
    })
}
