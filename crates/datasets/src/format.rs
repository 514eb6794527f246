//! What a file of rows is: which format its rows have, told by their members, and how they lie in the file.

mod alpaca;
mod convert;
mod detect;
pub(crate) mod place;
mod preference;
mod prompt;
mod sharegpt;

use serde::{Deserialize, Serialize};

pub(crate) use convert::{Converted, read};
pub use convert::{from_canonical, to_canonical};
pub use detect::detect;
pub(crate) use detect::format_of;

/// A format of rows. What each row says is kept in the canonical row of its [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `messages[]{role, content}`: OpenAI's chat fine-tuning, and TRL's.
    Chat,
    /// `conversations[]{from, value}`, `system`, `tools`.
    Sharegpt,
    /// `instruction`, `input`, `output`, `system`, `history[[q, a]]`.
    Alpaca,
    /// `prompt`, `completion`: texts, or lists of messages.
    PromptCompletion,
    /// `text`, for plain language modelling.
    Text,
    /// `input{messages}`, `preferred_output[]`, `non_preferred_output[]`.
    OpenaiPreference,
    /// `prompt`, `chosen`, `rejected`: TRL's, with the prompt on its own, inside the answers, or as Alpaca has it.
    Preference,
}

/// What rows are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Canonical: [`ChatRow`](crate::chat::ChatRow).
    Conversations,
    /// Canonical: `prompt`, `chosen` and `rejected`, each a list of messages.
    Preferences,
    /// Canonical: `text`.
    Texts,
}

/// How rows lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// JSON Lines: one object a line.
    Lines,
    /// One JSON list of objects.
    List,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    pub format: Format,
    pub layout: Layout,
}

impl Format {
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Sharegpt,
        Self::Alpaca,
        Self::PromptCompletion,
        Self::Text,
        Self::OpenaiPreference,
        Self::Preference,
    ];

    pub const fn kind(self) -> Kind {
        match self {
            Self::Chat | Self::Sharegpt | Self::Alpaca | Self::PromptCompletion => Kind::Conversations,
            Self::OpenaiPreference | Self::Preference => Kind::Preferences,
            Self::Text => Kind::Texts,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI chat",
            Self::Sharegpt => "ShareGPT",
            Self::Alpaca => "Alpaca",
            Self::PromptCompletion => "prompt and completion",
            Self::Text => "plain text",
            Self::OpenaiPreference => "OpenAI preference",
            Self::Preference => "chosen and rejected",
        }
    }

    /// The members that a row of it has.
    pub(crate) const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &["messages"],
            Self::Sharegpt => &["conversations"],
            Self::Alpaca => &["instruction", "output"],
            Self::PromptCompletion => &["prompt", "completion"],
            Self::Text => &["text"],
            Self::OpenaiPreference => &["input", "preferred_output", "non_preferred_output"],
            Self::Preference => &["chosen", "rejected"],
        }
    }
}
