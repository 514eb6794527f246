//! Calls of functions, as models write them: in tags (Hermes, Qwen), or as bare JSON (Llama, Mistral).

use cerebros_common::chat::{CalledFunction, ToolCall};
use serde_json::Value;
use uuid::Uuid;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// An answer that may end in calls, while it comes.
#[derive(Debug, Clone, Default)]
pub struct Listener {
    /// Of the functions that there are.
    names: Vec<String>,
    text: String,
    /// Bytes of `text` that were told.
    told: usize,
}

/// What came of an answer.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Not told so far.
    pub text: String,
    pub calls: Vec<ToolCall>,
}

impl Listener {
    pub fn new(names: Vec<String>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Takes a piece and gives what may be told: nothing that may turn out to be a call.
    pub fn push(&mut self, piece: &str) -> String {
        self.text.push_str(piece);
        let end = match self.names.is_empty() {
            true => self.text.len(),
            false => plain_end(&self.text),
        };
        self.tell(end)
    }

    pub fn finish(&mut self) -> Outcome {
        match calls(&self.text, &self.names) {
            Some((end, calls)) => Outcome {
                text: self.tell(end),
                calls,
            },
            None => Outcome {
                text: self.tell(self.text.len()),
                calls: Vec::new(),
            },
        }
    }

    fn tell(&mut self, end: usize) -> String {
        let told = self.text.get(self.told..end).unwrap_or_default().to_owned();
        self.told = self.told.max(end);
        told
    }
}

/// Where what is surely no call ends.
fn plain_end(text: &str) -> usize {
    if text.trim_start().starts_with(['{', '[']) {
        return 0;
    }
    let end = text.find(OPEN).unwrap_or_else(|| {
        let begun = (1..OPEN.len()).rev().find(|length| text.ends_with(&OPEN[..*length]));
        text.len() - begun.unwrap_or(0)
    });
    text[..end].trim_end().len()
}

/// The calls at the end of an answer, and where the text before them ends; `None` where it is no call of a function that
/// there is.
fn calls(text: &str, names: &[String]) -> Option<(usize, Vec<ToolCall>)> {
    let (end, written) = match text.find(OPEN) {
        Some(at) => {
            let tagged = text[at..].split(OPEN).skip(1);
            let inner = tagged.map(|part| part.split_once(CLOSE).map_or(part, |(inner, _)| inner));
            let values = inner.map(|inner| serde_json::from_str(inner.trim()).ok());
            (text[..at].trim_end().len(), values.collect::<Option<Vec<Value>>>()?)
        }
        None => match serde_json::from_str(text.trim()).ok()? {
            Value::Array(values) => (0, values),
            value => (0, vec![value]),
        },
    };
    let calls: Option<Vec<ToolCall>> = written.iter().map(|value| call(value, names)).collect();
    calls.filter(|calls| !calls.is_empty()).map(|calls| (end, calls))
}

fn call(value: &Value, names: &[String]) -> Option<ToolCall> {
    let name = value.get("name")?.as_str()?;
    let arguments = value.get("arguments").or_else(|| value.get("parameters"))?;
    let arguments = match arguments {
        Value::Object(_) => arguments.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    names.iter().any(|known| known == name).then(|| ToolCall {
        id: id(),
        kind: "function".to_owned(),
        function: CalledFunction {
            name: name.to_owned(),
            arguments,
        },
    })
}

/// Mistral's templates take ids of nine letters and digits alone.
fn id() -> String {
    let random = Uuid::now_v7().simple().to_string();
    random.chars().skip(random.len() - 9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told as the text comes letter by letter, with what came of it.
    fn heard(text: &str) -> (String, Vec<(String, String)>) {
        let mut listener = Listener::new(vec!["look_up".to_owned()]);
        let mut told: String = text
            .chars()
            .map(|c| listener.push(c.encode_utf8(&mut [0; 4])))
            .collect();
        let outcome = listener.finish();
        told.push_str(&outcome.text);
        let calls = outcome.calls.into_iter();
        let calls = calls.map(|call| (call.function.name, call.function.arguments));
        (told, calls.collect())
    }

    #[test]
    fn calls_are_told_from_text() {
        let call = |arguments: &str| ("look_up".to_owned(), arguments.to_owned());
        for (text, told, calls) in [
            (
                "Let me see.\n<tool_call>\n{\"name\": \"look_up\", \"arguments\": {\"a\": 1}}\n</tool_call>",
                "Let me see.",
                vec![call("{\"a\":1}")],
            ),
            (
                "<tool_call>{\"name\":\"look_up\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"look_up\",\"arguments\":{\"b\":[]}}",
                "",
                vec![call("{}"), call("{\"b\":[]}")],
            ),
            ("[{\"name\": \"look_up\", \"arguments\": {}}]", "", vec![call("{}")]),
            (" {\"name\": \"look_up\", \"parameters\": {}} ", "", vec![call("{}")]),
        ] {
            assert_eq!(heard(text), (told.to_owned(), calls), "{text}");
        }
    }

    #[test]
    fn what_is_no_call_is_told_whole() {
        for text in [
            "a < b and <tool box",
            "<tool_call>",
            "<tool_call>\n{\"name\": \"look_up\"",
            "{\"name\": \"other\", \"arguments\": {}}",
            "{\"open\": true}",
            "[1] says so. ",
            "",
        ] {
            assert_eq!(heard(text), (text.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn text_is_told_as_it_comes() {
        let mut listener = Listener::new(vec!["look_up".to_owned()]);
        assert_eq!(listener.push("One two "), "One two");
        assert_eq!(listener.push("<b>"), " <b>");
        let mut free = Listener::new(Vec::new());
        assert_eq!(free.push("{<tool_call>"), "{<tool_call>");
    }
}
