//! Rows to the canonical row of their kind, and back.

use serde_json::{Map, Value, json};

use super::place::Place;
use super::{Format, Kind, alpaca, preference, prompt, sharegpt};

/// A row in the canonical form of its kind, as far as it could be read: what is missing or has a wrong type stays so.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    pub(crate) row: Map<String, Value>,
    /// Of `messages`, or of `prompt`.
    pub(crate) places: Vec<Place>,
    /// Of both answers of a preference.
    pub(crate) chosen: Vec<Place>,
    pub(crate) rejected: Vec<Place>,
    /// Where the messages stand as a whole.
    pub(crate) whole: &'static str,
}

/// Reads a row of any format.
pub(crate) fn read(format: Format, row: Map<String, Value>) -> Converted {
    match format {
        Format::Sharegpt => sharegpt::read(row),
        Format::Alpaca => alpaca::read(row),
        Format::PromptCompletion => prompt::read(row),
        Format::OpenaiPreference => preference::read_openai(row),
        Format::Preference => preference::read(row),
        Format::Chat | Format::Text => Converted {
            row,
            ..Converted::default()
        },
    }
}

/// The canonical row of a row that is valid in its format.
pub fn to_canonical(format: Format, row: Map<String, Value>) -> Map<String, Value> {
    read(format, row).row
}

/// A valid canonical row in a format; `None` where the format cannot say all that the row says.
pub fn from_canonical(from: Kind, row: Map<String, Value>, format: Format) -> Option<Map<String, Value>> {
    if from != format.kind() {
        return None;
    }
    match format {
        Format::Chat | Format::Text => Some(row),
        Format::Sharegpt => sharegpt::write(row),
        Format::Alpaca => alpaca::write(row),
        Format::PromptCompletion => prompt::write(row),
        Format::OpenaiPreference => preference::write_openai(row),
        Format::Preference => Some(preference::write(row)),
    }
}

pub(super) fn message(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

/// Role and text of a message that says nothing else.
pub(super) fn plain(message: &Value) -> Option<(&str, &str)> {
    let message = message.as_object().filter(|message| message.len() == 2)?;
    Some((message.get("role")?.as_str()?, message.get("content")?.as_str()?))
}

pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}
