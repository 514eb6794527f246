//! Prompt and completion: two texts, or two lists of messages. Only the completion is learnt, so earlier answers in the
//! prompt have the weight 0.

use serde_json::{Map, Value};

use super::convert::{Converted, message, plain};
use super::place::Place;

pub(super) fn read(mut row: Map<String, Value>) -> Converted {
    let (mut messages, mut places) = side(row.remove("prompt"), "user", "/prompt");
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        if message.get("role").is_some_and(|role| role == "assistant") {
            message.entry("weight").or_insert(0.into());
        }
    }
    let (answer, answer_places) = side(row.remove("completion"), "assistant", "/completion");
    messages.extend(answer);
    places.extend(answer_places);
    row.insert("messages".to_owned(), Value::Array(messages));
    Converted {
        row,
        places,
        ..Converted::default()
    }
}

/// The messages that a member holds: a text, one message, or a list of them.
pub(super) fn side(value: Option<Value>, role: &str, member: &'static str) -> (Vec<Value>, Vec<Place>) {
    match value {
        Some(Value::Array(messages)) => {
            let places = (0..messages.len()).map(|index| Place::Item(member, index)).collect();
            (messages, places)
        }
        other => (
            vec![message(role, other.unwrap_or_default())],
            vec![Place::Member(member)],
        ),
    }
}

pub(super) fn write(mut row: Map<String, Value>) -> Option<Map<String, Value>> {
    let Some(Value::Array(mut prompt)) = row.remove("messages") else {
        return None;
    };
    let answer = prompt.pop()?;
    for message in prompt.iter_mut().filter_map(Value::as_object_mut) {
        if message.get("role").is_some_and(|role| role == "assistant") {
            // An earlier answer that is learnt too has no place in a prompt.
            message.remove("weight").filter(|weight| *weight == 0)?;
        }
    }
    let (prompt, completion) = match prompt.as_slice() {
        [question] => match (plain(question), plain(&answer)) {
            (Some(("user", question)), Some((_, answer))) => (question.into(), answer.into()),
            _ => (Value::Array(prompt), Value::Array(vec![answer])),
        },
        _ => (Value::Array(prompt), Value::Array(vec![answer])),
    };
    row.insert("prompt".to_owned(), prompt);
    row.insert("completion".to_owned(), completion);
    Some(row)
}
