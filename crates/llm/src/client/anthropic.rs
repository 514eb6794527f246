//! Anthropic's messages. A structured answer is the input of the one tool that the model must use.

use super::{Chat, Endpoint, Read, Usage, openai};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

const VERSION: &str = "2023-06-01";

pub fn chat(http: &Client, endpoint: &Endpoint, chat: &Chat) -> RequestBuilder {
    let mut body = json!({
        "model": chat.model,
        "max_tokens": chat.max_tokens,
        "system": chat.system,
        "messages": [{"role": "user", "content": chat.user}],
    });
    if let Some((name, schema)) = &chat.schema {
        let tool = json!({"name": name, "description": "Takes the answer.", "input_schema": schema});
        body["tools"] = json!([tool]);
        body["tool_choice"] = json!({"type": "tool", "name": name});
    }
    signed(http.post(openai::url(endpoint, "messages")), endpoint).json(&body)
}

pub fn signed(request: RequestBuilder, endpoint: &Endpoint) -> RequestBuilder {
    let request = request.header("anthropic-version", VERSION);
    match &endpoint.key {
        Some(key) => request.header("x-api-key", key),
        None => request,
    }
}

#[derive(Deserialize)]
struct Message {
    model: Option<String>,
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: u64,
}

pub fn read(body: &Value) -> Option<Read> {
    let message = Message::deserialize(body).ok()?;
    let (mut text, mut value) = (String::new(), None);
    for block in message.content {
        match block {
            Block::Text { text: more } => text.push_str(&more),
            Block::ToolUse { input } => value = Some(input),
            Block::Other => {}
        }
    }
    if let (true, Some(value)) = (text.is_empty(), &value) {
        text = value.to_string();
    }
    let usage = message.usage.map_or_else(Usage::default, |counts| Usage {
        prompt_tokens: counts.input_tokens
            + counts.cache_creation_input_tokens.unwrap_or(0)
            + counts.cache_read_input_tokens.unwrap_or(0),
        completion_tokens: counts.output_tokens,
    });
    let refused = message.stop_reason.as_deref() == Some("refusal");
    Some(Read {
        refusal: refused.then(|| {
            if text.is_empty() {
                "no reason given".to_owned()
            } else {
                text.clone()
            }
        }),
        text,
        value,
        model: message.model,
        usage,
        cut_off: message.stop_reason.as_deref() == Some("max_tokens"),
    })
}
