//! The rules of a chat row.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::CountTokens;
use super::finding::{Code, Problem, seen};
use super::loose::{List, Object, Scalar, Seen, Type};
use super::statistics::Counted;
use crate::chat::Role;
use crate::format::format_of;

/// A row that passed; borrows from its line.
#[derive(Debug, Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    messages: List<Object<Message<'a>>>,
    #[serde(default)]
    tools: Seen,
    /// Read in full before it is dropped, as the types that rows are read into later do.
    #[serde(flatten)]
    _rest: IgnoredAny,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    content: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_content: Scalar<'a>,
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    weight: Scalar<'a>,
    #[serde(borrow, default)]
    tool_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    tool_calls: List<Object<ToolCall<'a>>>,
    /// Read in full before it is dropped, as the types that rows are read into later do.
    #[serde(flatten)]
    _rest: IgnoredAny,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    function: Option<Object<Function<'a>>>,
    /// Read in full before it is dropped, as the types that rows are read into later do.
    #[serde(flatten)]
    _rest: IgnoredAny,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    arguments: Scalar<'a>,
    /// Read in full before it is dropped, as the types that rows are read into later do.
    #[serde(flatten)]
    _rest: IgnoredAny,
}

/// The row that `json` holds, or everything that is wrong with it (at least one problem, at most `max_problems`).
pub(super) fn check(json: &str, max_problems: usize) -> Result<Row<'_>, Vec<Problem>> {
    let row = match serde_json::from_str::<Object<Row<'_>>>(json) {
        Ok(Object::Is(row)) => row,
        Ok(Object::Other(kind)) => {
            return Err(vec![not_an_object(kind)]);
        }
        Err(error) => return Err(vec![Problem::invalid_json(json, &error)]),
    };
    let mut problems = Vec::new();
    check_row(&row, json, max_problems, &mut problems);
    if problems.is_empty() {
        return Ok(row);
    }
    problems.truncate(max_problems.max(1));
    Err(problems)
}

pub(super) fn not_an_object(kind: Type) -> Problem {
    Problem::new(
        Code::NotAnObject,
        "",
        format!("There is {kind} where a row is an object."),
        "Write each row as an object, such as {\"messages\": [...]}.",
    )
}

fn check_row(row: &Row<'_>, json: &str, max_problems: usize, problems: &mut Vec<Problem>) {
    if !matches!(row.tools, Seen(None | Some(Type::List))) {
        problems.push(Problem::new(
            Code::ToolsInvalid,
            "/tools",
            "\"tools\" is not a list.",
            "Write the tools as a list of function descriptions, or leave the member out.",
        ));
    }
    let messages = match &row.messages {
        List::Items(messages) => messages,
        List::Absent => return problems.push(messages_missing(json)),
        List::Other(kind) => {
            return problems.push(Problem::new(
                Code::MessagesNotAList,
                "/messages",
                format!("\"messages\" is {kind}, not a list."),
                "Write the messages as a list: \"messages\": [{\"role\": ..., \"content\": ...}].",
            ));
        }
    };
    if messages.is_empty() {
        return problems.push(Problem::new(
            Code::MessagesEmpty,
            "/messages",
            "The row has no messages.",
            "Add at least a user message and an assistant message, or delete the row.",
        ));
    }
    let mut order = Order::default();
    for (index, message) in messages.iter().enumerate() {
        if problems.len() >= max_problems {
            return;
        }
        match message {
            Object::Is(message) => {
                let role = check_message(index, message, problems);
                order.next(index, role, message, problems);
            }
            Object::Other(kind) => {
                order.unclear = true;
                problems.push(Problem::new(
                    Code::MessageNotAnObject,
                    format!("/messages/{index}"),
                    format!("The message is {kind}, not an object."),
                    "Write it as {\"role\": ..., \"content\": ...}.",
                ));
            }
        }
    }
    order.end(messages.len(), problems);
}

/// Says what stands there instead.
fn messages_missing(json: &str) -> Problem {
    let row: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let members: Vec<&str> = row.keys().map(String::as_str).collect();
    let message = match seen(&members) {
        Some(seen) => format!("The row has no \"messages\"; it has {seen}."),
        None => "The row is empty: it has no \"messages\".".to_owned(),
    };
    let fix = match format_of(&row) {
        Some(other) => format!(
            "This looks like {}: upload the rows of each format as a file of their own.",
            other.title()
        ),
        None => "Add \"messages\", a list that holds at least a user message and an assistant message, or name the \
                 members as in one of the other formats: \"conversations\"; \"instruction\" and \"output\"; \"prompt\" and \
                 \"completion\"; \"chosen\" and \"rejected\"; \"text\"."
            .to_owned(),
    };
    Problem::new(Code::MessagesMissing, "/messages", message, fix)
}

/// Checks what a message shows by itself; returns its role where that is one.
fn check_message(index: usize, message: &Message<'_>, problems: &mut Vec<Problem>) -> Option<Role> {
    let at = |member: &str| format!("/messages/{index}/{member}");
    let role = match message.role.text() {
        Ok(name) => {
            let role = role(name);
            if role.is_none() {
                problems.push(role_unknown(at("role"), name));
            }
            role
        }
        Err(kind) => {
            problems.push(Problem::new(
                Code::RoleMissing,
                at("role"),
                kind.map_or("The message has no role.".into(), |kind| {
                    format!("The role is {kind}, not a string.")
                }),
                "Add \"role\": \"system\", \"user\", \"assistant\" or \"tool\".",
            ));
            None
        }
    };
    check_content(role, message, at("content"), problems);
    for (name, member) in [
        ("reasoning_content", &message.reasoning_content),
        ("name", &message.name),
    ] {
        if !member.is_absent_or_null() && member.text().is_err() {
            problems.push(Problem::new(
                Code::NotText,
                at(name),
                format!("\"{name}\" is not a string."),
                "Write it as a string, or leave it out.",
            ));
        }
    }
    check_weight(role, message, at("weight"), problems);
    check_tool_calls(index, role, message, problems);
    role
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return None,
    })
}

/// The role that other names stand for.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    Some(match name.trim().to_lowercase().as_str() {
        "human" | "user" | "prompter" | "customer" => "user",
        "gpt" | "bot" | "model" | "ai" | "assistant" | "agent" | "chatgpt" => "assistant",
        "function" | "tool" | "observation" => "tool",
        "system" | "developer" => "system",
        _ => return None,
    })
}

fn role_unknown(field: String, name: &str) -> Problem {
    let shown: String = name.chars().take(40).collect();
    let fix = match meant(name) {
        Some("user") => "Use \"user\".",
        Some("assistant") => "Use \"assistant\".",
        Some("tool") => "Use \"tool\", with the \"tool_call_id\" that it answers.",
        Some(_) => "Use \"system\", in lower case.",
        None => "Use \"system\", \"developer\", \"user\", \"assistant\" or \"tool\".",
    };
    Problem::new(Code::RoleUnknown, field, format!("\"{shown}\" is not a role."), fix)
}

fn check_content(role: Option<Role>, message: &Message<'_>, field: String, problems: &mut Vec<Problem>) {
    let calls_tools =
        role == Some(Role::Assistant) && matches!(&message.tool_calls, List::Items(calls) if !calls.is_empty());
    let problem = match message.content.text() {
        Ok(text) if text.trim().is_empty() && !calls_tools => Problem::new(
            Code::ContentEmpty,
            field,
            "The content is empty.",
            "Write the text of the message, or delete the message.",
        ),
        Ok(_) => return,
        Err(None | Some(Type::Null)) if calls_tools => return,
        Err(None | Some(Type::Null)) => Problem::new(
            Code::ContentMissing,
            field,
            "The message has no content.",
            "Add \"content\" with the text of the message.",
        ),
        Err(Some(Type::List)) => Problem::new(
            Code::ContentNotText,
            field,
            "The content is a list of parts; only text can be trained on.",
            "Join the text parts into one string and leave images and audio out.",
        ),
        Err(Some(kind)) => Problem::new(
            Code::ContentNotText,
            field,
            format!("The content is {kind}, not a string."),
            "Write the content as a string in quotation marks.",
        ),
    };
    problems.push(problem);
}

fn check_weight(role: Option<Role>, message: &Message<'_>, field: String, problems: &mut Vec<Problem>) {
    let sound = match message.weight {
        Scalar::Integer(0 | 1) => matches!(role, None | Some(Role::Assistant)),
        ref weight => weight.is_absent_or_null(),
    };
    if !sound {
        problems.push(Problem::new(
            Code::WeightInvalid,
            field,
            "A weight is 0 or 1 and belongs to assistant messages.",
            "Use 0 to leave an assistant message out of the training, 1 or nothing to keep it.",
        ));
    }
}

fn check_tool_calls(index: usize, role: Option<Role>, message: &Message<'_>, problems: &mut Vec<Problem>) {
    let at = format!("/messages/{index}/tool_calls");
    let calls = match &message.tool_calls {
        List::Absent | List::Other(Type::Null) => return,
        List::Items(calls) if !calls.is_empty() && matches!(role, None | Some(Role::Assistant)) => calls,
        List::Items(_) | List::Other(_) => {
            return problems.push(Problem::new(
                Code::ToolCallsInvalid,
                at,
                "\"tool_calls\" is a list with at least one call, in an assistant message.",
                "Write the calls as a list in the assistant message that makes them, or leave the member out.",
            ));
        }
    };
    for (number, call) in calls.iter().enumerate() {
        let at = format!("{at}/{number}");
        let sound = match call {
            Object::Is(ToolCall {
                id,
                function: Some(Object::Is(function)),
                ..
            }) => {
                check_arguments(&at, function, problems);
                id.text().is_ok_and(|id| !id.is_empty()) && function.name.text().is_ok_and(|name| !name.is_empty())
            }
            _ => false,
        };
        if !sound {
            problems.push(Problem::new(
                Code::ToolCallsInvalid,
                at,
                "The call lacks an id, a function or the function's name.",
                "Write it as {\"id\": \"call_1\", \"type\": \"function\", \"function\": {\"name\": ..., \"arguments\": \"{}\"}}.",
            ));
        }
    }
}

fn check_arguments(at: &str, function: &Function<'_>, problems: &mut Vec<Problem>) {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if function.arguments.text().is_ok_and(is_json) {
        return;
    }
    problems.push(Problem::new(
        Code::ToolArgumentsInvalid,
        format!("{at}/function/arguments"),
        "The arguments are not a string that holds JSON.",
        "Write them as a JSON string, such as \"{\\\"city\\\": \\\"Oslo\\\"}\".",
    ));
}

/// What the messages must be in sequence.
#[derive(Default)]
struct Order<'m> {
    /// A message without a role: no verdict about the sequence would be fair.
    unclear: bool,
    has_user: bool,
    has_assistant: bool,
    learns: bool,
    last: Option<Role>,
    open_calls: Vec<&'m str>,
}

impl<'m> Order<'m> {
    fn next(&mut self, index: usize, role: Option<Role>, message: &'m Message<'_>, problems: &mut Vec<Problem>) {
        let Some(role) = role else {
            self.unclear = true;
            return;
        };
        let at = |member: &str| format!("/messages/{index}/{member}");
        match role {
            Role::System | Role::Developer if index > 0 => problems.push(Problem::new(
                Code::RoleOrder,
                at("role"),
                "A system message stands at the start of a conversation alone.",
                "Move it to the start, or join it with the first one.",
            )),
            Role::System | Role::Developer => {}
            Role::User => self.has_user = true,
            Role::Assistant => {
                self.has_assistant = true;
                self.learns |= message.weight != Scalar::Integer(0);
                self.open_calls.clear();
                if let List::Items(calls) = &message.tool_calls {
                    let ids = calls.iter().filter_map(|call| match call {
                        Object::Is(call) => call.id.text().ok(),
                        Object::Other(_) => None,
                    });
                    self.open_calls.extend(ids);
                }
            }
            Role::Tool => match message.tool_call_id.text() {
                Err(_) => problems.push(Problem::new(
                    Code::ToolCallIdMissing,
                    at("tool_call_id"),
                    "The tool message does not say which call it answers.",
                    "Add \"tool_call_id\" with the id of the call.",
                )),
                Ok(id) if !self.unclear && !self.open_calls.contains(&id) => problems.push(Problem::new(
                    Code::ToolCallIdUnknown,
                    at("tool_call_id"),
                    "No assistant message before this one makes that call.",
                    "Use the id of a call in the last assistant message before it.",
                )),
                Ok(_) => {}
            },
        }
        self.last = Some(role);
    }

    fn end(&self, messages: usize, problems: &mut Vec<Problem>) {
        if self.unclear {
            return;
        }
        if !self.has_user {
            problems.push(Problem::new(
                Code::UserMissing,
                "/messages",
                "The conversation has no user message.",
                "Add the question or request that the assistant answers.",
            ));
        }
        if self.last != Some(Role::Assistant) {
            problems.push(Problem::new(
                Code::LastNotAssistant,
                format!("/messages/{}/role", messages - 1),
                "The conversation does not end with the assistant.",
                "Add the assistant's answer, or delete what follows its last one.",
            ));
        }
        if self.has_assistant && !self.learns {
            problems.push(Problem::new(
                Code::NothingToLearn,
                "/messages",
                "Every assistant message has weight 0, so nothing would be learnt from the row.",
                "Remove the weight from the answers that are to be learnt.",
            ));
        }
    }
}

impl Row<'_> {
    /// Content and reasoning of all messages; of the assistant's, what is trained on apart.
    pub(super) fn count(&self, count_tokens: Option<CountTokens<'_>>) -> Counted {
        let count_tokens = count_tokens.unwrap_or(&|_| 0);
        let mut counted = Counted::default();
        let List::Items(messages) = &self.messages else {
            return counted;
        };
        for message in messages {
            let Object::Is(message) = message else {
                continue;
            };
            let texts = [message.content.text(), message.reasoning_content.text()];
            let tokens: u64 = texts.into_iter().flatten().map(|text| count_tokens(text) as u64).sum();
            counted.messages += 1;
            counted.tokens += tokens;
            if message.role.text() == Ok("assistant") && message.weight != Scalar::Integer(0) {
                counted.assistant_tokens += tokens;
            }
        }
        counted
    }
}
