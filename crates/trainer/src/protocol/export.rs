//! What the export process says on stdout: one JSON object.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AdapterFile, FailureCode};

/// What an adapter is written as, for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// The adapter alone, as PEFT loads it beside the base.
    Peft,
    /// A whole model in Hugging Face layout, in fp32, with the adapter added to the base's weights.
    Merged,
    /// The adapter alone, as llama.cpp loads it beside the base.
    Gguf,
}

impl ExportFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Peft => "peft",
            Self::Merged => "merged",
            Self::Gguf => "gguf",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "peft" => Ok(Self::Peft),
            "merged" => Ok(Self::Merged),
            "gguf" => Ok(Self::Gguf),
            _ => Err("must be peft, merged or gguf".into()),
        }
    }
}

/// How near the exported files come to the base with its adapter, computed from the files as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Fixed prompts that both continued greedily.
    pub prompts: u32,
    /// Tokens of all the continuations.
    pub tokens: u32,
    /// Those that both chose.
    pub equal_tokens: u32,
    /// Between any two logits of the same token; none where one of them is no number.
    pub largest_logit_gap: Option<f64>,
    /// What the gap has to stay within.
    pub bound: f64,
}

impl Certificate {
    /// Whether the export counts.
    pub fn holds(&self) -> bool {
        self.equal_tokens == self.tokens && self.largest_logit_gap.is_some_and(|gap| gap <= self.bound)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportOutcome {
    Done {
        files: Vec<AdapterFile>,
        certificate: Certificate,
    },
    Failed {
        code: FailureCode,
        message: String,
        remedy: String,
        /// Of an export that was refused by it.
        certificate: Option<Certificate>,
    },
}
