//! The errors of the queue and of the handlers that it runs.

use std::time::Duration;

use sea_orm::DbErr;

/// Why a call of the queue failed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The database refused or could not be reached.
    #[error("the task database failed")]
    Database(#[from] DbErr),
    /// The payload is not representable as JSON.
    #[error("the task could not be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// Another worker owns the task now, or it has ended: nothing may be written for it any more.
    #[error("the task belongs to another worker now")]
    LostLease,
    /// The runner was put together wrongly.
    #[error("{0}")]
    Configuration(String),
}

/// How a handler ends when it does not end well.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Try again, after the given time or the usual backoff, until the attempts are used up.
    #[error("{message}")]
    Retry {
        /// Stored with the task and shown to people.
        message: String,
        /// How long to wait; `None` is exponential backoff with jitter.
        after: Option<Duration>,
    },
    /// Trying again cannot help: the task is buried at once.
    #[error("{message}")]
    Permanent {
        /// Stored with the task and shown to people.
        message: String,
    },
    /// Stopped by its cancellation token: queued again at once, and the attempt does not count.
    #[error("the task was interrupted")]
    Interrupted,
    /// Another worker owns the task now: nothing is written.
    #[error("the task belongs to another worker now")]
    LostLease,
}

impl TaskError {
    /// A failure that the usual backoff may cure.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry {
            message: message.into(),
            after: None,
        }
    }

    /// A failure that no further attempt can cure.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent {
            message: message.into(),
        }
    }
}

impl From<DbErr> for TaskError {
    fn from(error: DbErr) -> Self {
        tracing::warn!(error = %error, "the database failed inside a task");
        Self::retry("The database could not be used")
    }
}

impl From<QueueError> for TaskError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::LostLease => Self::LostLease,
            QueueError::Database(error) => error.into(),
            QueueError::Encode(_) | QueueError::Configuration(_) => Self::permanent(error.to_string()),
        }
    }
}

/// Whatever a burial hook fails with. It is logged; the burial is tried again once the lease has run out.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;
