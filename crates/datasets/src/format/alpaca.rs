//! Alpaca: an instruction, perhaps with an input, and the output; earlier turns in `history`.

use serde_json::{Map, Value};

use super::convert::{Converted, is_empty, message, plain};
use super::place::Place;

/// Between instruction and input.
const GAP: &str = "\n\n";

pub(super) fn read(mut row: Map<String, Value>) -> Converted {
    let (mut messages, mut places) = question(&mut row);
    let mut answer = message("assistant", row.remove("output").unwrap_or_default());
    if let Some(reasoning) = row.remove("reasoning_content") {
        answer["reasoning_content"] = reasoning;
    }
    messages.push(answer);
    places.push(Place::Member("/output"));
    row.insert("messages".to_owned(), Value::Array(messages));
    Converted {
        row,
        places,
        ..Converted::default()
    }
}

/// The messages before the answer. A filled `input` stays on the row, to find it in the message again.
pub(super) fn question(row: &mut Map<String, Value>) -> (Vec<Value>, Vec<Place>) {
    let (mut messages, mut places) = (Vec::new(), Vec::new());
    if let Some(system) = row.remove("system").filter(|system| !is_empty(Some(system))) {
        messages.push(message("system", system));
        places.push(Place::Member("/system"));
    }
    match row.remove("history") {
        Some(Value::Array(turns)) => {
            for (index, turn) in turns.into_iter().enumerate() {
                let mut sides = match turn {
                    Value::Array(sides) => sides.into_iter(),
                    other => vec![other].into_iter(),
                };
                for (side, role) in ["user", "assistant"].into_iter().enumerate() {
                    messages.push(message(role, sides.next().unwrap_or_default()));
                    places.push(Place::History(index, side));
                }
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => {
            messages.push(message("user", other));
            places.push(Place::Member("/history"));
        }
    }
    let instruction = row.remove("instruction").unwrap_or_default();
    if is_empty(row.get("input")) {
        row.remove("input");
    }
    let (content, place) = match (instruction, row.get("input")) {
        (instruction, None) => (instruction, "/instruction"),
        (Value::String(instruction), Some(Value::String(input))) if instruction.is_empty() => {
            (input.clone().into(), "/input")
        }
        (Value::String(instruction), Some(Value::String(input))) => {
            (format!("{instruction}{GAP}{input}").into(), "/instruction")
        }
        (Value::String(_), Some(input)) => (input.clone(), "/input"),
        (instruction, Some(_)) => (instruction, "/instruction"),
    };
    messages.push(message("user", content));
    places.push(Place::Member(place));
    (messages, places)
}

pub(super) fn write(mut row: Map<String, Value>) -> Option<Map<String, Value>> {
    let Some(Value::Array(mut messages)) = row.remove("messages") else {
        return None;
    };
    let mut answer = messages.pop()?;
    if let Some(reasoning) = answer.as_object_mut()?.remove("reasoning_content") {
        row.insert("reasoning_content".to_owned(), reasoning);
    }
    let question = messages.pop()?;
    let (("user", question), ("assistant", answer)) = (plain(&question)?, plain(&answer)?) else {
        return None;
    };
    let mut earlier = messages.as_slice();
    if let Some(("system", system)) = earlier.first().and_then(plain) {
        row.insert("system".to_owned(), system.into());
        earlier = &earlier[1..];
    }
    let mut history = Vec::new();
    for turn in earlier.chunks(2) {
        let [question, answer] = turn else { return None };
        let (("user", question), ("assistant", answer)) = (plain(question)?, plain(answer)?) else {
            return None;
        };
        history.push(Value::from(vec![question, answer]));
    }
    if !history.is_empty() {
        row.insert("history".to_owned(), Value::Array(history));
    }
    let input = row.get("input").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (instruction, input) = match question.strip_suffix(&input) {
        Some("") => ("", input),
        Some(start) if !input.is_empty() && start.ends_with(GAP) => (&start[..start.len() - GAP.len()], input),
        _ => (question, String::new()),
    };
    row.insert("instruction".to_owned(), instruction.into());
    row.insert("input".to_owned(), input.into());
    row.insert("output".to_owned(), answer.into());
    Some(row)
}
