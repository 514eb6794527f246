//! The chat row: one JSON object a line, as OpenAI's chat fine-tuning format has it.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// One conversation. `tools` and other top-level members are kept as they came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRow {
    pub messages: Vec<Message>,
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl ChatRow {
    /// The functions that can be called in it.
    pub fn tools(&self) -> &[serde_json::Value] {
        let tools = self.other.get("tools").and_then(serde_json::Value::as_array);
        tools.map_or(&[], Vec::as_slice)
    }
}

/// A better and a worse answer to one prompt: the canonical row of preferences. Other members are left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PairRow {
    pub prompt: Vec<Message>,
    pub chosen: Vec<Message>,
    pub rejected: Vec<Message>,
}

/// A plain text. Other members are left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TextRow {
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    /// Absent only where an assistant message carries nothing but tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The thinking that leads to `content`; a chat template decides whether the model sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// 0 leaves an assistant message out of the loss; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// `name`, `tool_calls`, `tool_call_id`, as they came.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// Writes `row` as one line, newline included. Strings keep their characters; JSON escapes any newline in them.
pub fn write_row(out: &mut impl Write, row: &ChatRow) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}
