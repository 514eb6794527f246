//! What can be put right in a canonical row without guessing.

use serde_json::{Map, Value};

use super::rules::meant;
use crate::format::Kind;

/// Whether the row is sound afterwards is for the rules to say.
pub(super) fn mend(kind: Kind, row: &mut Map<String, Value>) {
    if row.get("tools").is_some_and(Value::is_null) {
        row.remove("tools");
    }
    let lists: &[&str] = match kind {
        Kind::Conversations => &["messages"],
        Kind::Preferences => &["prompt", "chosen", "rejected"],
        Kind::Texts => &[],
    };
    for list in lists {
        if let Some(Value::Array(messages)) = row.get_mut(*list) {
            messages
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(mend_message);
            messages.retain(|message| !(message["role"] == "system" && message["content"] == ""));
        }
    }
    if let (Kind::Conversations, Some(Value::Array(messages))) = (kind, row.get_mut("messages")) {
        let answer = messages.iter().rposition(|message| message["role"] == "assistant");
        messages.truncate(answer.map_or(messages.len(), |answer| answer + 1));
    }
}

fn mend_message(message: &mut Map<String, Value>) {
    if let Some(Value::String(role)) = message.get_mut("role")
        && let Some(meant) = meant(role)
        && role != "developer"
    {
        meant.clone_into(role);
    }
    if let Some(text) = message.get("content").and_then(joined) {
        message.insert("content".to_owned(), text.into());
    }
    mend_weight(message);
    for call in message
        .get_mut("tool_calls")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(arguments @ (Value::Object(_) | Value::Array(_))) = call.pointer_mut("/function/arguments") {
            *arguments = arguments.to_string().into();
        }
    }
}

/// Parts that are all text, as one.
fn joined(content: &Value) -> Option<String> {
    let parts = content.as_array().filter(|parts| !parts.is_empty())?;
    let text = |part: &Value| match part["type"] == "text" {
        true => part["text"].as_str().map(str::to_owned),
        false => None,
    };
    let texts: Vec<String> = parts.iter().map(text).collect::<Option<_>>()?;
    Some(texts.join("\n"))
}

/// Only answers have weights; 0.0 and 1.0 are 0 and 1.
fn mend_weight(message: &mut Map<String, Value>) {
    let Some(weight) = message.get("weight") else { return };
    let whole = match weight.as_f64() {
        Some(0.0) => Some(0),
        Some(1.0) => Some(1),
        _ => None,
    };
    match whole {
        Some(whole) if message.get("role").is_some_and(|role| role == "assistant") => {
            message.insert("weight".to_owned(), whole.into());
        }
        _ => {
            message.remove("weight");
        }
    }
}
