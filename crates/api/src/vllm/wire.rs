//! Questions and errors as vLLM words them.

use cerebros_datasets::chat::{Message, Role};
use cerebros_trainer::{
    passages::with_passages,
    protocol::infer::{Format, Generate},
};
use serde_json::{Value, json};

/// A question to an adapter, with the first `used` of its passages. It is always streamed.
pub fn body(adapter: &str, question: &Generate, used: usize, max_tokens: Option<usize>) -> Value {
    let with = (used > 0).then(|| with_passages(&question.messages, &question.passages[..used]));
    let messages = with.flatten().unwrap_or_else(|| question.messages.clone());
    let messages: Vec<Message> = messages.into_iter().map(known).collect();
    let mut body = json!({
        "model": adapter, "messages": messages, "stream": true, "stream_options": {"include_usage": true},
        "temperature": question.temperature, "top_p": question.top_p, "n": question.n,
        "frequency_penalty": question.frequency_penalty, "presence_penalty": question.presence_penalty,
        "stop": question.stop,
    });
    if let Some(max_tokens) = max_tokens {
        body["max_tokens"] = json!(max_tokens);
    }
    if let Some(seed) = question.seed {
        body["seed"] = json!(seed.cast_signed());
    }
    if let Some(count) = question.top_logprobs {
        body["logprobs"] = json!(true);
        body["top_logprobs"] = json!(count);
    }
    match &question.format {
        None => {}
        Some(Format::JsonObject) => body["response_format"] = json!({"type": "json_object"}),
        Some(Format::JsonSchema { schema }) => {
            let named = json!({"name": "answer", "schema": schema, "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": named});
        }
    }
    if !question.tools.is_empty() {
        body["tools"] = json!(question.tools);
        body["tool_choice"] = match &question.call_one_of[..] {
            [] => json!("auto"),
            [name] => json!({"type": "function", "function": {"name": name}}),
            _ => json!("required"),
        };
    }
    body
}

/// Few chat templates know developers.
fn known(message: Message) -> Message {
    match message.role {
        Role::Developer => Message {
            role: Role::System,
            ..message
        },
        _ => message,
    }
}

/// Of an error; older servers say it without the envelope, and the framework in `detail`.
pub fn message(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let places = [
        &value["error"]["message"],
        &value["message"],
        &value["detail"],
        &value["error"],
    ];
    let found = places.into_iter().find(|place| !place.is_null());
    found.map_or_else(String::new, |place| match place {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_understood_however_they_are_wrapped() {
        let nested =
            br#"{"error": {"message": "The model `a` does not exist.", "type": "NotFoundError", "code": 404}}"#;
        assert_eq!(message(nested), "The model `a` does not exist.");
        assert_eq!(message(br#"{"object": "error", "message": "flat"}"#), "flat");
        assert_eq!(message(br#"{"detail": "Not Found"}"#), "Not Found");
        assert_eq!(message(br#"{"error": "Unauthorized"}"#), "Unauthorized");
        assert_eq!(message(b"Bad gateway"), "Bad gateway");
        assert_eq!(message(b"{}"), "");
    }
}
