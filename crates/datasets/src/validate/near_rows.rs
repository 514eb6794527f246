//! Rows that say nearly what an earlier one says.

use serde_json::Value;

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

/// The signature of what a canonical row says, its system messages left out: rows often share those. `None` where it says
/// nothing.
pub(super) fn sign(json: &str) -> Option<Signature> {
    let row: Value = serde_json::from_str(json).ok()?;
    let mut said = row["text"].as_str().unwrap_or_default().to_owned();
    let lists = ["messages", "prompt", "chosen", "rejected"].map(|member| row[member].as_array());
    for message in lists.into_iter().flatten().flatten() {
        if !matches!(message["role"].as_str(), Some("system" | "developer")) {
            for text in [&message["reasoning_content"], &message["content"]] {
                said.push('\n');
                said.push_str(text.as_str().unwrap_or_default());
            }
        }
    }
    said.chars().any(char::is_alphanumeric).then(|| signature(&said))
}
