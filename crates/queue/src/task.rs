//! What a task is.

use serde::{Serialize, de::DeserializeOwned};

/// A unit of background work. The value is the payload, stored as JSON: a field added later needs `#[serde(default)]`.
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored type of the task, unique in the product.
    const NAME: &'static str;
    /// The queue whose concurrency limit counts it.
    const QUEUE: &'static str;
    /// How often it may start before it is buried.
    const MAX_ATTEMPTS: u32;
}

/// Where a stored task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Waits for its time and a free worker.
    Queued,
    /// Leased by a worker.
    Running,
    /// Ended well.
    Done,
    /// Given up, kept with its last error.
    Dead,
}

impl Status {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Done, Self::Dead]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}
