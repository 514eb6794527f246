//! Pairs of answers, one better than the other, as OpenAI, TRL, Alpaca's and ShareGPT's users and HH-RLHF write them.

use serde_json::{Map, Value, json};

use super::convert::{Converted, message, plain};
use super::place::Place;
use super::{alpaca, prompt, sharegpt};

pub(super) fn read_openai(mut row: Map<String, Value>) -> Converted {
    let mut places = Vec::new();
    let mut prompt = Vec::new();
    match row.remove("input") {
        Some(Value::Object(mut input)) => {
            (prompt, places) = match input.remove("messages") {
                Some(messages) => prompt::side(Some(messages), "user", "/input/messages"),
                None => (Vec::new(), Vec::new()),
            };
            for member in ["tools", "parallel_tool_calls"] {
                if let Some(value) = input.remove(member) {
                    row.insert(member.to_owned(), value);
                }
            }
            if !input.is_empty() {
                row.insert("input".to_owned(), Value::Object(input));
            }
        }
        Some(other) => (prompt, places) = prompt::side(Some(other), "user", "/input"),
        None => {}
    }
    let chosen = row.remove("preferred_output");
    let rejected = row.remove("non_preferred_output");
    let (chosen, chosen_places) = answer(chosen, "/preferred_output");
    let (rejected, rejected_places) = answer(rejected, "/non_preferred_output");
    row.insert("prompt".to_owned(), prompt.into());
    row.insert("chosen".to_owned(), chosen.into());
    row.insert("rejected".to_owned(), rejected.into());
    Converted {
        row,
        places,
        chosen: chosen_places,
        rejected: rejected_places,
        whole: "/input/messages",
    }
}

pub(super) fn read(mut row: Map<String, Value>) -> Converted {
    let (chosen, rejected) = (row.remove("chosen"), row.remove("rejected"));
    let told = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(dialog);
    let (chosen, rejected) = match (told(&chosen), told(&rejected)) {
        (Some(chosen), Some(rejected)) => (Some(chosen), Some(rejected)),
        _ => (chosen, rejected),
    };
    let (mut chosen, mut chosen_places) = answer(chosen, "/chosen");
    let (mut rejected, mut rejected_places) = answer(rejected, "/rejected");
    let (mut question, mut places) = asked(&mut row);
    // The prompt may stand before each answer, on its own or once more.
    let shared = chosen
        .iter()
        .zip(&rejected)
        .take_while(|(one, other)| one == other)
        .count();
    let shared = shared
        .min(chosen.len().saturating_sub(1))
        .min(rejected.len().saturating_sub(1));
    if shared > 0 {
        question = chosen.drain(..shared).collect();
        places = chosen_places.drain(..shared).collect();
        rejected.drain(..shared);
        rejected_places.drain(..shared);
    }
    row.insert("prompt".to_owned(), question.into());
    row.insert("chosen".to_owned(), chosen.into());
    row.insert("rejected".to_owned(), rejected.into());
    Converted {
        row,
        places,
        chosen: chosen_places,
        rejected: rejected_places,
        whole: "/prompt",
    }
}

/// The messages before both answers.
fn asked(row: &mut Map<String, Value>) -> (Vec<Value>, Vec<Place>) {
    if row.contains_key("conversations") {
        let mut talk = Map::new();
        for member in ["conversations", "system", "tools"] {
            if let Some(value) = row.remove(member) {
                talk.insert(member.to_owned(), value);
            }
        }
        let mut talk = sharegpt::read(talk);
        if let Some(tools) = talk.row.remove("tools") {
            row.insert("tools".to_owned(), tools);
        }
        return match talk.row.remove("messages") {
            Some(Value::Array(messages)) => (messages, talk.places),
            other => prompt::side(other, "user", "/conversations"),
        };
    }
    if row.contains_key("instruction") {
        let asked = alpaca::question(row);
        row.remove("input");
        return asked;
    }
    let (mut messages, mut places) = match (row.remove("prompt"), row.contains_key("question")) {
        (None, true) => prompt::side(row.remove("question"), "user", "/question"),
        (None, false) => return (Vec::new(), Vec::new()),
        (prompt, _) => prompt::side(prompt, "user", "/prompt"),
    };
    let opens = messages.first().is_some_and(|first| first["role"] == "system");
    if let Some(Value::String(system)) = row.get("system")
        && !opens
    {
        if !system.is_empty() {
            messages.insert(0, message("system", system.clone().into()));
            places.insert(0, Place::Member("/system"));
        }
        row.remove("system");
    }
    (messages, places)
}

/// The messages of one answer; ShareGPT's users write it as a single turn.
fn answer(value: Option<Value>, member: &'static str) -> (Vec<Value>, Vec<Place>) {
    match value {
        None | Some(Value::Null) => (Vec::new(), Vec::new()),
        Some(Value::Object(turn)) if turn.contains_key("value") => {
            let talk = sharegpt::read(Map::from_iter([("conversations".to_owned(), json!([turn]))])).row;
            prompt::side(talk.get("messages").cloned(), "assistant", member)
        }
        Some(Value::Object(turn)) => (vec![Value::Object(turn)], vec![Place::Member(member)]),
        value => prompt::side(value, "assistant", member),
    }
}

/// The turns of a text such as HH-RLHF has: `\n\nHuman: ...\n\nAssistant: ...`.
fn dialog(text: &str) -> Option<Value> {
    const MARKS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];
    let start = |text: &str| {
        let role = MARKS.into_iter().find(|(mark, _)| text.starts_with(mark));
        role.map(|(mark, role)| (mark.len(), role))
    };
    let mut messages = Vec::new();
    let mut rest = text;
    while let Some((length, role)) = start(rest) {
        rest = &rest[length..];
        let ends = MARKS.into_iter().filter_map(|(mark, _)| rest.find(mark)).min();
        let (said, after) = rest.split_at(ends.unwrap_or(rest.len()));
        messages.push(message(role, said.trim().into()));
        rest = after;
    }
    (messages.len() > 1).then_some(Value::Array(messages))
}

pub(super) fn write_openai(mut row: Map<String, Value>) -> Option<Map<String, Value>> {
    let mut input = match row.remove("input") {
        Some(Value::Object(input)) => input,
        Some(_) => return None,
        None => Map::new(),
    };
    input.insert("messages".to_owned(), row.remove("prompt")?);
    for member in ["tools", "parallel_tool_calls"] {
        if let Some(value) = row.remove(member) {
            input.insert(member.to_owned(), value);
        }
    }
    let (chosen, rejected) = (row.remove("chosen")?, row.remove("rejected")?);
    row.insert("input".to_owned(), Value::Object(input));
    row.insert("preferred_output".to_owned(), chosen);
    row.insert("non_preferred_output".to_owned(), rejected);
    Some(row)
}

/// As three texts where that says all, else as three lists of messages.
pub(super) fn write(mut row: Map<String, Value>) -> Map<String, Value> {
    let only = |member: &str, role: &str| {
        let [message] = row.get(member)?.as_array()?.as_slice() else {
            return None;
        };
        plain(message)
            .filter(|(said, _)| *said == role)
            .map(|(_, text)| Value::from(text))
    };
    let texts = (
        only("prompt", "user"),
        only("chosen", "assistant"),
        only("rejected", "assistant"),
    );
    if let (Some(prompt), Some(chosen), Some(rejected)) = texts {
        row.insert("prompt".to_owned(), prompt);
        row.insert("chosen".to_owned(), chosen);
        row.insert("rejected".to_owned(), rejected);
    }
    row
}
