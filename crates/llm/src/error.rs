//! Why a question got no answer: a closed set, so that callers can decide without reading sentences.

use crate::{RateLimits, Usage};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// The provider failed, or answered with something unusable. Another attempt may do better.
    Transient,
    /// Too many requests or tokens for now.
    RateLimit,
    /// The key is missing, wrong, or may not do this.
    Authentication,
    /// The same question would fail again.
    Permanent,
    /// The provider could not be reached, or the connection broke.
    Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Passes by itself.
    Warning,
    /// This question failed for good.
    Error,
    /// Every question fails until a person does something.
    Critical,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub category: Category,
    pub severity: Severity,
    /// For a person: what happened, and what to do where something can be done.
    pub message: String,
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    /// The question may have been answered, and paid, without anybody hearing of it.
    pub maybe_paid: bool,
    /// What an unusable answer cost.
    pub usage: Option<Usage>,
    pub limits: Box<RateLimits>,
}

impl Error {
    pub(crate) fn new(category: Category, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            category,
            severity,
            message: message.into(),
            status: None,
            retry_after: None,
            maybe_paid: false,
            usage: None,
            limits: Box::default(),
        }
    }

    pub(crate) fn network(message: impl Into<String>) -> Self {
        Self::new(Category::Network, Severity::Warning, message)
    }

    /// Something that a person has to set right.
    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Self::new(Category::Permanent, Severity::Critical, message)
    }

    /// An answer came, but cannot be used.
    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        Self::new(Category::Transient, Severity::Warning, message)
    }

    pub fn is_retryable(&self) -> bool {
        matches!(
            self.category,
            Category::Transient | Category::RateLimit | Category::Network
        )
    }

    /// Whether an answer came, usable or not: asking again is another question.
    pub fn was_answered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}
