//! Answers that keep to a form: at each step, which tokens lead on to valid JSON.

use std::fmt::Display;
use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Map, Value, json};

use super::engine::InferError;
use crate::chat::{CALL_TAG, Chat};
use crate::protocol::InferErrorCode;
use crate::protocol::infer::Format;

/// Where a JSON schema keeps what it refers to.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// What the tokens of a vocabulary stand for.
pub struct Vocabulary {
    /// By id; without those that have a special meaning.
    pub words: Vec<Vec<u8>>,
    factory: ParserFactory,
}

/// How far an answer is.
#[derive(Clone)]
pub struct Grammar(Matcher);

impl Vocabulary {
    pub fn of(chat: &Chat, size: usize) -> Result<Self, InferError> {
        let words: Vec<Vec<u8>> = words(chat, size);
        // Without an end token nothing would end; then the first token stands in, which no JSON begins with.
        let end = chat.end_tokens.first().copied().unwrap_or(0);
        let trie = TokTrie::from(&TokRxInfo::new(size as u32, end), &words);
        let environment = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&(environment as _)).map_err(internal)?;
        factory.quiet();
        Ok(Self { words, factory })
    }

    pub fn grammar(&self, format: &Format) -> Result<Grammar, InferError> {
        let schema = match format {
            Format::JsonObject => json!({"type": "object"}),
            Format::JsonSchema { schema } => schema.as_ref().clone(),
        };
        self.parser(TopLevelGrammar::from_json_schema(compact(schema)))
    }

    /// A call of one of the functions that are named, as the chat template writes it.
    pub fn call(&self, tools: &[Value], names: &[String], tagged: bool) -> Result<Grammar, InferError> {
        let functions = tools.iter().map(|tool| &tool["function"]);
        let named = functions.filter(|function| names.iter().any(|name| function["name"] == name.as_str()));
        let mut definitions = Map::new();
        let calls: Vec<Value> = named.map(|function| call_schema(function, &mut definitions)).collect();
        let schema = compact(json!({ "anyOf": calls, "$defs": definitions }));
        let grammar = if tagged {
            let close = CALL_TAG.replace('<', "</");
            TopLevelGrammar::from_lark(format!(
                "start: \"{CALL_TAG}\\n\" call \"\\n{close}\"\ncall: %json {schema}\n"
            ))
        } else {
            TopLevelGrammar::from_json_schema(schema)
        };
        self.parser(grammar).map_err(|InferError { message, .. }| InferError {
            code: InferErrorCode::InvalidTools,
            message,
        })
    }

    fn parser(&self, grammar: TopLevelGrammar) -> Result<Grammar, InferError> {
        let parser = self.factory.create_parser(grammar);
        let parser = parser.map_err(|error| InferError::new(InferErrorCode::InvalidFormat, first_line(&error)))?;
        Ok(Grammar(Matcher::new(Ok(parser))))
    }
}

impl Grammar {
    pub fn is_over(&self) -> bool {
        self.0.is_stopped()
    }

    /// Puts every token that does not lead on at minus infinity.
    pub fn forbid(&mut self, logits: &mut [f32], ends: &[u32]) -> Result<(), InferError> {
        let allowed = self.0.compute_mask_or_eos().map_err(internal)?;
        let may_end = ends.first().is_some_and(|end| allowed.is_allowed(*end));
        for (id, logit) in (0..).zip(logits) {
            let is_end = ends.contains(&id);
            if !(allowed.is_allowed(id) || is_end && may_end) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    pub fn take(&mut self, id: u32) -> Result<(), InferError> {
        self.0.consume_token(id).map_err(internal)
    }
}

/// Of a call of a function. What its own schema defines goes to `definitions`, under names that no other function has.
fn call_schema(function: &Value, definitions: &mut Map<String, Value>) -> Value {
    let mut arguments = match &function["parameters"] {
        Value::Null => json!({"type": "object"}),
        parameters => parameters.clone(),
    };
    let name = function["name"].as_str().unwrap_or_default();
    for place in DEFINITIONS {
        let defined = arguments.as_object_mut().and_then(|fields| fields.remove(place));
        let Some(Value::Object(defined)) = defined else {
            continue;
        };
        for (inner, mut schema) in defined {
            point(&mut schema, name);
            definitions.insert(format!("{name}.{inner}"), schema);
        }
    }
    point(&mut arguments, name);
    json!({
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": false,
    })
}

/// Lets references to a function's definitions lead to where they are now.
fn point(schema: &mut Value, name: &str) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| point(item, name)),
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get_mut("$ref") {
                let inner = DEFINITIONS
                    .iter()
                    .find_map(|place| to.strip_prefix(&format!("#/{place}/")));
                if let Some(inner) = inner {
                    *to = format!("#/$defs/{name}.{inner}");
                }
            }
            fields.values_mut().for_each(|value| point(value, name));
        }
        _ => {}
    }
}

/// One space after `,` and `:` and none elsewhere: an answer does not get lost in white space.
fn compact(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        let separators = json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
        schema.insert("x-guidance".to_owned(), separators);
    }
    schema
}

/// The bytes that each token stands for; none for one with a special meaning.
fn words(chat: &Chat, size: usize) -> Vec<Vec<u8>> {
    let tokenizer = &chat.tokenizer;
    let by_bytes = serde_json::to_string(&tokenizer.get_decoder()).is_ok_and(|decoder| decoder.contains("ByteLevel"));
    let added = tokenizer.get_added_tokens_decoder();
    let word = |id: u32| match (added.get(&id), tokenizer.id_to_token(id)) {
        (Some(token), _) if token.special => Vec::new(),
        (Some(token), _) => token.content.clone().into_bytes(),
        (None, None) => Vec::new(),
        (None, Some(token)) if by_bytes => token.chars().flat_map(byte_of).collect(),
        (None, Some(token)) => match hexadecimal(&token) {
            Some(byte) => vec![byte],
            None => token.replace('▁', " ").into_bytes(),
        },
    };
    (0..size as u32).map(word).collect()
}

/// `<0x0A>`, as SentencePiece writes single bytes.
fn hexadecimal(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// Byte-level vocabularies write a byte as a character that can be seen: those that can are themselves, the others follow
/// from U+0100 on.
fn byte_of(c: char) -> Vec<u8> {
    let plain = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let code = c as u32;
    let byte = match u8::try_from(code) {
        Ok(byte) => Some(byte).filter(plain),
        Err(_) => (0..=u8::MAX).filter(|byte| !plain(byte)).nth((code - 0x100) as usize),
    };
    byte.map_or_else(|| c.to_string().into_bytes(), |byte| vec![byte])
}

fn first_line(error: &impl Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    format!("The JSON schema cannot be kept to: {line}.")
}

fn internal(error: impl Display) -> InferError {
    InferError::new(InferErrorCode::Internal, error)
}
