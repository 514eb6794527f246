//! Why a run ends early.

use std::fmt::Display;
use std::io;

use crate::base::BaseError;
use crate::model::adapter::AdapterError;
use crate::protocol::{Exit, FailureCode};

/// A run that did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A later run continues.
    #[error("Asked to leave.")]
    Interrupted,
    #[error(transparent)]
    Failed(Failure),
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
    pub remedy: String,
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub fn internal(cause: impl Display) -> Self {
        Self::new(
            FailureCode::Internal,
            format!("The trainer failed: {cause}."),
            "Start the job again; it continues from its last checkpoint.",
        )
    }

    pub fn exit(&self) -> Exit {
        match self.code {
            FailureCode::InvalidJob
            | FailureCode::InvalidParameters
            | FailureCode::InvalidBase
            | FailureCode::InvalidDataset
            | FailureCode::InvalidAdapter
            | FailureCode::JobChanged
            | FailureCode::Diverged
            | FailureCode::Inexact => Exit::InvalidInput,
            FailureCode::OutOfMemory | FailureCode::DiskFull => Exit::OutOfResources,
            FailureCode::Locked | FailureCode::Internal => Exit::Internal,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::new(
                FailureCode::DiskFull,
                "The disk is full.",
                "Free some space and start the job again; it continues from its last checkpoint.",
            ),
            _ => Self::internal(error),
        }
    }
}

impl From<candle_core::Error> for Failure {
    fn from(error: candle_core::Error) -> Self {
        Self::internal(error)
    }
}

impl From<BaseError> for Failure {
    fn from(error: BaseError) -> Self {
        Self::new(
            FailureCode::InvalidBase,
            error.to_string(),
            "Choose another base, or fetch this one again.",
        )
    }
}

impl From<AdapterError> for Failure {
    fn from(error: AdapterError) -> Self {
        Self::new(
            FailureCode::InvalidAdapter,
            error.to_string(),
            "Choose another adapter to continue from.",
        )
    }
}

/// For `?` on anything that is a failure.
macro_rules! stop_from {
    ($($error:ty),*) => {
        $(impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        })*
    };
}
stop_from!(io::Error, candle_core::Error, BaseError, AdapterError);
