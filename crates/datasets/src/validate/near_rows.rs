//! Rows that say nearly what an earlier one says.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::near::{Groups, Signature, signature};

/// So many rows that differ are kept to compare others with: 70 MB at most.
pub const MOST_DIFFERENT: usize = 200_000;

/// Rows so far.
#[derive(Default)]
pub(super) struct NearRows {
    groups: Groups,
    /// Of each group's first row.
    lines: Vec<u64>,
}

pub(super) enum Compared {
    Near {
        first: u64,
    },
    Different,
    /// It is near none of those that are kept.
    Unknown,
}

impl NearRows {
    pub(super) fn compare(&mut self, line: u64, signature: &Signature) -> Compared {
        if self.lines.len() >= MOST_DIFFERENT {
            let near = self.groups.find(signature).and_then(|group| self.lines.get(group));
            return near.map_or(Compared::Unknown, |&first| Compared::Near { first });
        }
        match self.lines.get(self.groups.add(signature)) {
            Some(&first) => Compared::Near { first },
            None => {
                self.lines.push(line);
                Compared::Different
            }
        }
    }
}

/// What is compared of a canonical row. A member of another row's kind may have any type.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    chosen: Option<&'a RawValue>,
    #[serde(borrow, default)]
    rejected: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    reasoning_content: Option<String>,
    content: Option<String>,
}

/// The signature of what a canonical row says, its system messages left out: rows often share those. `None` where it says
/// nothing.
pub(super) fn sign(json: &str) -> Option<Signature> {
    let row: Row<'_> = serde_json::from_str(json).ok()?;
    let mut said: String = row.text.and_then(read).unwrap_or_default();
    for list in [row.messages, row.prompt, row.chosen, row.rejected]
        .into_iter()
        .flatten()
    {
        for message in read::<Vec<Message<'_>>>(list).unwrap_or_default() {
            if !matches!(message.role.as_ref(), "system" | "developer") {
                for text in [message.reasoning_content, message.content] {
                    said.push('\n');
                    said.push_str(&text.unwrap_or_default());
                }
            }
        }
    }
    said.chars().any(char::is_alphanumeric).then(|| signature(&said))
}

fn read<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}
