//! ShareGPT: turns with `from` and `value`. Some files of that name hold `role` and `content` instead, which are read too.

use serde_json::{Map, Value, json};

use super::convert::{Converted, is_empty, message};
use super::place::Place;

pub(super) fn read(mut row: Map<String, Value>) -> Converted {
    let mut reading = Reading::default();
    // It stays on the row, to tell it from a turn of the system when the row is written again.
    if let Some(system) = row.get("system").filter(|system| !is_empty(Some(system))) {
        reading.messages.push(message("system", system.clone()));
        reading.places.push(Place::Member("/system"));
    } else {
        row.remove("system");
    }
    match row.remove("conversations") {
        Some(Value::Array(turns)) => {
            for (index, turn) in turns.into_iter().enumerate() {
                reading.turn(index, turn);
            }
            row.insert("messages".to_owned(), Value::Array(reading.messages));
        }
        Some(other) => {
            row.insert("messages".to_owned(), other);
        }
        None => {}
    }
    if let Some(Value::String(tools)) = row.get("tools") {
        match serde_json::from_str(tools) {
            Ok(list @ Value::Array(_)) => row.insert("tools".to_owned(), list),
            _ if tools.trim().is_empty() => row.remove("tools"),
            _ => None,
        };
    }
    Converted {
        row,
        places: reading.places,
        whole: "/conversations",
        ..Converted::default()
    }
}

#[derive(Default)]
struct Reading {
    messages: Vec<Value>,
    places: Vec<Place>,
    calls: usize,
    /// Calls that wait for what the tool says.
    open: Vec<String>,
}

impl Reading {
    fn turn(&mut self, index: usize, turn: Value) {
        let Value::Object(mut turn) = turn else {
            self.places.push(Place::Item("/conversations", index));
            return self.messages.push(turn);
        };
        if turn.contains_key("role") && !turn.contains_key("from") {
            self.places.push(Place::Item("/conversations", index));
            return self.messages.push(Value::Object(turn));
        }
        self.places.push(Place::Turn(index));
        let from = turn.remove("from");
        if let Some(value) = turn.remove("value") {
            turn.insert("content".to_owned(), value);
        }
        let role = match from.as_ref().and_then(Value::as_str) {
            Some("human") => Some("user"),
            Some("gpt") => Some("assistant"),
            Some("system") => Some("system"),
            Some("observation") => {
                if !self.open.is_empty() {
                    turn.insert("tool_call_id".to_owned(), self.open.remove(0).into());
                }
                Some("tool")
            }
            Some("function_call") => {
                self.function_call(&mut turn);
                Some("assistant")
            }
            Some(other) => {
                let role = alias(other);
                if role.is_some() {
                    // To be written as it came.
                    turn.insert("from".to_owned(), other.into());
                }
                role
            }
            None => None,
        };
        match (role, from) {
            (Some(role), _) => turn.insert("role".to_owned(), role.into()),
            (None, Some(from)) => turn.insert("role".to_owned(), from),
            (None, None) => None,
        };
        self.messages.push(Value::Object(turn));
    }

    /// `{"name": ..., "arguments": {...}}`, or a list of those, as a text.
    fn function_call(&mut self, turn: &mut Map<String, Value>) {
        let content = turn.insert("content".to_owned(), Value::Null).unwrap_or_default();
        let calls = match content.as_str().map(serde_json::from_str) {
            Some(Ok(Value::Array(calls))) => calls,
            Some(Ok(call)) => vec![call],
            _ => vec![content],
        };
        self.open.clear();
        let calls: Vec<Value> = calls.into_iter().map(|call| self.call(call)).collect();
        turn.insert("tool_calls".to_owned(), Value::Array(calls));
    }

    fn call(&mut self, call: Value) -> Value {
        let Value::Object(mut call) = call else { return call };
        self.calls += 1;
        let id = format!("call_{}", self.calls);
        self.open.push(id.clone());
        if let Some(arguments) = call.get("arguments").filter(|arguments| !arguments.is_string()) {
            call.insert("arguments".to_owned(), arguments.to_string().into());
        }
        json!({"id": id, "type": "function", "function": call})
    }
}

/// Other names that turns go by in the wild.
fn alias(from: &str) -> Option<&'static str> {
    Some(match from {
        "user" => "user",
        "assistant" | "chatgpt" | "bing" | "bard" | "model" => "assistant",
        _ => return None,
    })
}

pub(super) fn write(mut row: Map<String, Value>) -> Option<Map<String, Value>> {
    let Some(Value::Array(mut messages)) = row.remove("messages") else {
        return None;
    };
    let first = messages.first().filter(|first| first["role"] == "system");
    if row
        .get("system")
        .is_some_and(|system| first.is_some_and(|first| first["content"] == *system))
    {
        messages.remove(0);
    } else {
        row.remove("system");
    }
    let turns: Option<Vec<Value>> = messages.into_iter().map(turn).collect();
    row.insert("conversations".to_owned(), Value::Array(turns?));
    if let Some(tools @ Value::Array(_)) = row.get("tools") {
        row.insert("tools".to_owned(), tools.to_string().into());
    }
    Some(row)
}

fn turn(message: Value) -> Option<Value> {
    let Value::Object(mut message) = message else {
        return None;
    };
    let role = message.remove("role")?;
    let mut content = message.remove("content").unwrap_or_default();
    let calls = message.remove("tool_calls").filter(|calls| !is_empty(Some(calls)));
    message.remove("tool_call_id");
    let from = match role.as_str()? {
        "user" => "human",
        "assistant" if calls.is_some() => "function_call",
        "assistant" => "gpt",
        "system" => "system",
        "tool" => "observation",
        _ => return None,
    };
    if let Some(Value::Array(calls)) = calls {
        // A turn says something or calls something.
        if !is_empty(Some(&content)) {
            return None;
        }
        let mut calls: Vec<Value> = calls.into_iter().map(bare_call).collect::<Option<_>>()?;
        let only = if calls.len() == 1 { calls.pop() } else { None };
        content = only.unwrap_or(Value::Array(calls)).to_string().into();
    }
    message.entry("from").or_insert(from.into());
    message.insert("value".to_owned(), content);
    Some(Value::Object(message))
}

/// The name and arguments of a call.
fn bare_call(mut call: Value) -> Option<Value> {
    let Value::Object(mut function) = call.get_mut("function")?.take() else {
        return None;
    };
    let arguments = serde_json::from_str(function.get("arguments")?.as_str()?).ok()?;
    function.insert("arguments".to_owned(), arguments);
    Some(Value::Object(function))
}
