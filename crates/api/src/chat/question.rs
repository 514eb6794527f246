//! A request in the engine's form, within the bounds that OpenAI documents.

use super::{Target, citations};
use crate::{
    error::{AppError, AppResult},
    infer,
};
use cerebros_common::{
    chat::{
        ChatCompletionRequest, ChatContent, ChatMessage, ChatRole, ChosenTool, ResponseFormat, Stop, Tool, ToolChoice,
        ToolMode,
    },
    search::Passage,
};
use cerebros_datasets::chat::{Message, Role};
use cerebros_db::Scope;
use cerebros_trainer::protocol::infer::{Format, Generate};
use serde_json::{Map, json};
use std::collections::HashSet;

const DEFAULT_MAX_TOKENS: u32 = 256;
const MAX_STOPS: usize = 4;
const MAX_CHOICES: u32 = 8;
const MAX_TOP_LOGPROBS: u32 = 20;
const MAX_TOOLS: usize = 128;
/// What would change the answer, and is not done here.
const NOT_SERVED: [&str; 7] = [
    "functions",
    "function_call",
    "logit_bias",
    "audio",
    "modalities",
    "prediction",
    "web_search_options",
];

fn refused(path: &str, message: &str) -> AppError {
    AppError::field(path, "invalid_value", message)
}

/// The question for the engine, asked by whoever the scope names.
pub fn question(
    request: &ChatCompletionRequest,
    target: &Target,
    scope: &Scope,
    passages: &[Passage],
) -> AppResult<Generate> {
    check_served(request)?;
    if request.messages.is_empty() {
        return Err(refused("messages", "must have at least one message"));
    }
    let max_tokens = request.max_completion_tokens.or(request.max_tokens);
    let max_tokens = max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    if max_tokens == 0 {
        return Err(refused("max_tokens", "must be at least 1"));
    }
    let n = request.n.unwrap_or(1);
    if !(1..=MAX_CHOICES).contains(&n) {
        return Err(refused("n", "must be 1 to 8"));
    }
    if n > 1 && request.conversation_id.is_some() {
        return Err(refused("n", "must be 1 in a conversation that is kept"));
    }
    let tools = match request.tool_choice {
        Some(ToolChoice::Mode(ToolMode::None)) => &[],
        _ => request.tools.as_deref().unwrap_or_default(),
    };
    check_tools(tools)?;
    Ok(Generate {
        base_dir: target.base_dir.clone(),
        adapter_dir: target.adapter_dir.clone(),
        client: infer::client(scope),
        messages: messages(&request.messages)?,
        call_one_of: call_one_of(request.tool_choice.as_ref(), tools)?,
        tools: tools.iter().map(|tool| json!(tool)).collect(),
        max_tokens: usize::try_from(max_tokens).unwrap_or(usize::MAX),
        temperature: bounded("temperature", request.temperature, 1.0, 0.0, 2.0)?,
        top_p: top_p(request)?,
        frequency_penalty: bounded("frequency_penalty", request.frequency_penalty, 0.0, -2.0, 2.0)?,
        presence_penalty: bounded("presence_penalty", request.presence_penalty, 0.0, -2.0, 2.0)?,
        seed: request.seed.map(i64::cast_unsigned),
        stop: stop(request)?,
        n: n as usize,
        top_logprobs: top_logprobs(request)?,
        format: format(request),
        passages: passages.iter().map(citations::as_read).collect(),
    })
}

fn check_served(request: &ChatCompletionRequest) -> AppResult<()> {
    let is_said = |value: &serde_json::Value| match value {
        serde_json::Value::Null => false,
        serde_json::Value::Array(items) => !items.is_empty(),
        serde_json::Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let text_alone = serde_json::json!(["text"]);
    let asked = NOT_SERVED.into_iter().find(|name| {
        let value = request.other.get(*name);
        value.is_some_and(|value| is_said(value) && *value != text_alone)
    });
    match asked {
        Some(name) => Err(AppError::field(
            name,
            "unsupported_parameter",
            "is not served here: leave it out",
        )),
        None => Ok(()),
    }
}

fn bounded(path: &str, value: Option<f64>, usual: f64, least: f64, most: f64) -> AppResult<f64> {
    let value = value.unwrap_or(usual);
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(refused(path, &format!("must be {least} to {most}")))
    }
}

fn top_p(request: &ChatCompletionRequest) -> AppResult<f64> {
    let top_p = request.top_p.unwrap_or(1.0);
    if top_p > 0.0 && top_p <= 1.0 {
        Ok(top_p)
    } else {
        Err(refused("top_p", "must be above 0 and at most 1"))
    }
}

fn stop(request: &ChatCompletionRequest) -> AppResult<Vec<String>> {
    let stop = match &request.stop {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text.clone()],
        Some(Stop::Many(texts)) => texts.clone(),
    };
    if stop.len() > MAX_STOPS || stop.iter().any(String::is_empty) {
        return Err(refused("stop", "must be up to four texts that are not empty"));
    }
    Ok(stop)
}

fn top_logprobs(request: &ChatCompletionRequest) -> AppResult<Option<usize>> {
    let wanted = request.logprobs.unwrap_or(false);
    match request.top_logprobs {
        Some(count) if count > 0 && !wanted => Err(refused("top_logprobs", "takes `logprobs: true`")),
        Some(count) if count > MAX_TOP_LOGPROBS => Err(refused("top_logprobs", "must be 0 to 20")),
        count => Ok(wanted.then(|| count.unwrap_or(0) as usize)),
    }
}

fn format(request: &ChatCompletionRequest) -> Option<Format> {
    match request.response_format.as_ref()? {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(Format::JsonObject),
        ResponseFormat::JsonSchema { json_schema } => Some(Format::JsonSchema {
            schema: Box::new(json_schema.schema.clone().into()),
        }),
    }
}

fn check_tools(tools: &[Tool]) -> AppResult<()> {
    if tools.len() > MAX_TOOLS {
        return Err(refused("tools", "must be at most 128"));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut names = HashSet::new();
    for (index, Tool::Function { function }) in tools.iter().enumerate() {
        let path = format!("tools[{index}].function.name");
        let name = &function.name;
        if !(1..=64).contains(&name.len()) || !name.chars().all(fits) {
            return Err(refused(&path, "must be 1 to 64 letters, digits, `_` or `-`"));
        }
        if !names.insert(name) {
            return Err(refused(&path, "must differ from the names of the other tools"));
        }
    }
    Ok(())
}

/// The functions of which the answer has to be a call; none where it is free.
fn call_one_of(choice: Option<&ToolChoice>, tools: &[Tool]) -> AppResult<Vec<String>> {
    let names = tools.iter().map(|Tool::Function { function }| function.name.clone());
    let wanted: Vec<String> = match choice {
        None | Some(ToolChoice::Mode(ToolMode::None | ToolMode::Auto)) => return Ok(Vec::new()),
        Some(ToolChoice::Mode(ToolMode::Required)) => names.collect(),
        Some(ToolChoice::Tool(ChosenTool::Function { function })) => {
            names.filter(|name| *name == function.name).collect()
        }
    };
    match wanted.is_empty() {
        true => Err(refused("tool_choice", "must be one of the `tools`")),
        false => Ok(wanted),
    }
}

fn messages(all: &[ChatMessage]) -> AppResult<Vec<Message>> {
    for (index, message) in all.iter().enumerate() {
        let calls = message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
        if calls && message.role != ChatRole::Assistant {
            let path = format!("messages[{index}].tool_calls");
            return Err(refused(&path, "must be absent: only the assistant calls functions"));
        }
        if message.content.is_none() && !calls {
            return Err(refused(
                &format!("messages[{index}].content"),
                "must be a text or text parts",
            ));
        }
        if message.role == ChatRole::Tool && message.tool_call_id.is_none() {
            let path = format!("messages[{index}].tool_call_id");
            return Err(refused(&path, "must be the id of the call that this message answers"));
        }
    }
    Ok(all.iter().map(message).collect())
}

fn message(message: &ChatMessage) -> Message {
    let mut other = Map::new();
    if let Some(calls) = &message.tool_calls {
        other.insert("tool_calls".to_owned(), json!(calls));
    }
    if let Some(id) = &message.tool_call_id {
        other.insert("tool_call_id".to_owned(), json!(id));
    }
    let role = match message.role {
        ChatRole::System => Role::System,
        ChatRole::Developer => Role::Developer,
        ChatRole::User => Role::User,
        ChatRole::Assistant => Role::Assistant,
        ChatRole::Tool => Role::Tool,
    };
    Message {
        role,
        content: message.content.as_ref().map(ChatContent::text),
        reasoning_content: None,
        weight: None,
        other,
    }
}
