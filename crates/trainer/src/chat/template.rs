//! Hugging Face chat templates: Jinja with the few functions that they expect.

use cerebros_datasets::chat::Message;
use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde_json::Value as Json;

/// ChatML, for bases that bring no template. Functions and calls of them stand in it as Hermes models and Qwen have them.
pub const CHATML: &str = concat!(
    "{% if tools %}{{ '<|im_start|>system\\n' }}",
    "{% if messages and messages[0]['role'] == 'system' %}{{ messages[0]['content'] + '\\n\\n' }}{% endif %}",
    "{{ 'These functions can be called:\\n<tools>' }}",
    "{% for tool in tools %}{{ '\\n' }}{{ tool | tojson }}{% endfor %}",
    "{{ '\\n</tools>\\nA call is written as\\n<tool_call>\\n{\"name\": ..., \"arguments\": ...}\\n</tool_call><|im_end|>\\n' }}",
    "{% endif %}",
    "{% for message in messages %}",
    "{% if not (tools and loop.first and message['role'] == 'system') %}",
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}",
    "{% for call in message['tool_calls'] or [] %}",
    "{% if message['content'] or not loop.first %}{{ '\\n' }}{% endif %}",
    "{{ '<tool_call>\\n{\"name\": ' }}{{ call['function']['name'] | tojson }}",
    "{{ ', \"arguments\": ' }}{{ call['function']['arguments'] | tojson }}{{ '}\\n</tool_call>' }}",
    "{% endfor %}",
    "{{ '<|im_end|>\\n' }}",
    "{% endif %}",
    "{% endfor %}",
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
);
/// What opens a call where the template has this way of writing it.
pub const CALL_TAG: &str = "<tool_call>";

/// A template that loops for ever ends here.
const FUEL: u64 = 20_000_000;

/// Which time a template sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// Training renders the same text on every day, or a resume would not be exact.
    Fixed,
}

pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Whether it says which functions can be called.
    pub tells_tools: bool,
    /// Whether it writes calls in tags.
    pub tags_calls: bool,
    special_tokens: Vec<(&'static str, String)>,
}

#[derive(Debug, thiserror::Error)]
#[error("the chat template refuses the conversation: {0}")]
pub struct TemplateError(String);

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        Self(error.detail().map_or_else(|| error.to_string(), str::to_owned))
    }
}

impl ChatTemplate {
    /// `tokenizer_config` names the special tokens that templates use.
    pub fn new(source: Option<&str>, tokenizer_config: &Json, moment: Moment) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", move |format: &str| strftime(moment, format));
        let source = source.unwrap_or(CHATML);
        environment.add_template_owned("chat", plain_jinja(source))?;
        let special_tokens = ["bos_token", "eos_token", "pad_token", "unk_token"]
            .into_iter()
            .filter_map(|name| Some((name, super::special_text(&tokenizer_config[name])?)))
            .collect();
        Ok(Self {
            environment,
            tells_tools: source.contains("tools"),
            tags_calls: source.contains(CALL_TAG),
            special_tokens,
        })
    }

    /// `tools` are functions that can be called, as OpenAI's chat wire has them.
    pub fn render(
        &self,
        messages: &[Message],
        tools: &[Json],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let messages: Vec<Value> = messages.iter().map(message_value).collect();
        let special: Value = self
            .special_tokens
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        // Templates ask whether there are any.
        let tools = (!tools.is_empty()).then(|| Value::from(Serde(tools)));
        let values = context! { messages, tools, add_generation_prompt, ..special };
        Ok(self.environment.get_template("chat")?.render(values)?)
    }
}

/// The message as a template sees it. Absent content is the empty string: most templates add it to other strings. Arguments
/// of calls, a text on OpenAI's wire, are the object that templates expect.
fn message_value(message: &Message) -> Value {
    let mut value = serde_json::json!(message);
    if value["content"].is_null() {
        value["content"] = "".into();
    }
    if let Some(fields) = value.as_object_mut() {
        fields.remove("weight");
    }
    let calls = value.get_mut("tool_calls").and_then(Json::as_array_mut);
    for call in calls.into_iter().flatten() {
        let arguments = &mut call["function"]["arguments"];
        let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
        if let Some(object @ Json::Object(_)) = parsed {
            *arguments = object;
        }
    }
    Value::from(Serde(value))
}

/// Takes out transformers' own block that marks the assistant's words; it prints nothing.
fn plain_jinja(source: &str) -> String {
    let mut text = source.to_owned();
    for tag in ["generation", "endgeneration"] {
        for (open, close) in [("{%", "%}"), ("{%-", "%}"), ("{%", "-%}"), ("{%-", "-%}")] {
            let trimming = format!("{open} if true {close}");
            let end = format!("{open} endif {close}");
            let replacement = if tag == "generation" { trimming } else { end };
            text = text.replace(&format!("{open} {tag} {close}"), &replacement);
        }
    }
    text
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime(moment: Moment, format: &str) -> Result<String, Error> {
    use std::fmt::Write;
    let time = match moment {
        Moment::Now => Utc::now(),
        Moment::Fixed => DateTime::UNIX_EPOCH + chrono::Duration::days(19_930),
    };
    let mut text = String::new();
    write!(text, "{}", time.format(format))
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "strftime_now got an unknown format"))?;
    Ok(text)
}

/// JSON as Python's `json.dumps` writes it, which models have seen in training: no HTML escapes, a space after `,` and `:`.
fn to_json(value: Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted as transformers does: the text is never escaped here.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let failed = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut bytes = Vec::new();
    match indent {
        Some(width) => {
            let indent = " ".repeat(width.min(16));
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
            serde::Serialize::serialize(&value, &mut serializer).map_err(failed)?;
        }
        None => {
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, PythonFormatter);
            serde::Serialize::serialize(&value, &mut serializer).map_err(failed)?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct PythonFormatter;

impl serde_json::ser::Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken template fails the test")]

    use super::*;
    use serde_json::json;

    fn rendered(messages: Json, tools: &[Json]) -> String {
        let template = ChatTemplate::new(None, &Json::Null, Moment::Fixed).unwrap();
        let messages: Vec<Message> = serde_json::from_value(messages).unwrap();
        template.render(&messages, tools, true).unwrap()
    }

    #[test]
    fn functions_and_calls_stand_where_hermes_models_have_them() {
        let plain = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"}]);
        assert_eq!(
            rendered(plain.clone(), &[]),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n"
        );
        let tool = json!({"type": "function", "function": {"name": "rain", "parameters": {"type": "object"}}});
        let told = rendered(plain, std::slice::from_ref(&tool));
        let start = "<|im_start|>system\nBe brief.\n\nThese functions can be called:\n<tools>\n\
                     {\"function\": {\"name\": \"rain\", \"parameters\": {\"type\": \"object\"}}, \"type\": \"function\"}\n\
                     </tools>\nA call is written as\n<tool_call>\n";
        assert!(told.starts_with(start), "{told}");
        assert!(told.ends_with("<|im_end|>\n<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n"));
        assert_eq!(told.matches("Be brief.").count(), 1);
        // OpenAI's wire has arguments as text, templates want the object.
        let call =
            json!({"id": "call_1", "type": "function", "function": {"name": "rain", "arguments": "{\"at\": [1]}"}});
        let called = json!([
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": null, "tool_calls": [call.clone(), call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "no"},
        ]);
        let one = "<tool_call>\n{\"name\": \"rain\", \"arguments\": {\"at\": [1]}}\n</tool_call>";
        assert_eq!(
            rendered(called, &[]),
            format!(
                "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n{one}\n{one}<|im_end|>\n\
                 <|im_start|>tool\nno<|im_end|>\n<|im_start|>assistant\n"
            )
        );
    }
}
