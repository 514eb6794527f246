//! What crosses the process boundary: the job file, the trainer's event lines, the inference requests and answers.
//! Only serde types and their validation; no tensors, no I/O.

pub mod estimate;
pub mod events;
pub mod export;
pub mod infer;
pub mod job;
pub mod lengths;

pub use events::{AdapterFile, Event, EventLine, FailureCode, GenerationCheck, LogLevel, Rewards, RowSample};
pub use export::{Certificate, ExportFormat, ExportOutcome};
pub use infer::{Embed, FinishReason, Generate, InferErrorCode, InferRequest, InferResponse, Logits};
pub use job::{
    Checkpointing, JobSpec, Method, Parameters, ParametersError, Precision, Projection, Quantization, RateSchedule,
};

/// The version of the job file and of the event lines.
pub const VERSION: u32 = 1;

/// How the trainer left. The numbers are the process's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// A fault of the trainer itself.
    Internal = 1,
    /// Asked to leave (SIGTERM, or the parent's end of stdin closed); a later run continues from the checkpoint.
    Interrupted = 10,
    /// The job cannot succeed as it is written.
    InvalidInput = 20,
    /// Not enough memory or disk.
    OutOfResources = 30,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
