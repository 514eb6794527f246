//! The inference child: one process, started at the first question, started again when it dies, reached by a Unix socket.

use crate::{
    config::Config,
    error::{AppError, AppResult},
};
use cerebros_common::errors::ErrorCode;
use cerebros_db::{Actor, Scope};
use cerebros_trainer::protocol::{InferErrorCode, InferRequest, InferResponse};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    process::Child,
    sync::Mutex,
};

const START_DEADLINE: Duration = Duration::from_secs(15);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// Between two tokens; the first one may wait for others' answers and for the base to load.
const TOKEN_DEADLINE: Duration = Duration::from_secs(300);

pub struct Inference {
    config: Config,
    child: Mutex<Option<Running>>,
}

struct Running {
    process: Child,
    directory: TempDir,
}

/// An answer as it comes. Dropping it stops the model.
pub struct Answer {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _hold: OwnedWriteHalf,
}

impl Inference {
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            child: Mutex::new(None),
        }
    }

    /// Sends a question.
    ///
    /// # Errors
    /// 503 when the child cannot be started or reached.
    pub async fn ask(&self, request: &InferRequest) -> AppResult<Answer> {
        let mut line = serde_json::to_vec(request).map_err(AppError::internal)?;
        line.push(b'\n');
        let (read, mut write) = self.connect().await?.into_split();
        write
            .write_all(&line)
            .await
            .map_err(|error| unreachable_now(error.into()))?;
        Ok(Answer {
            lines: BufReader::new(read).lines(),
            _hold: write,
        })
    }

    /// Ends the child and removes its socket.
    pub async fn stop(&self) {
        self.child.lock().await.take();
    }

    async fn connect(&self) -> AppResult<UnixStream> {
        let mut child = self.child.lock().await;
        if let Some(running) = child.as_mut()
            && matches!(running.process.try_wait(), Ok(None))
            && let Ok(stream) = UnixStream::connect(running.socket()).await
        {
            return Ok(stream);
        }
        let running = Running::start(&self.config).map_err(unreachable_now)?;
        let socket = running.socket();
        let running = child.insert(running);
        let connected = tokio::time::timeout(START_DEADLINE, async {
            loop {
                if let Ok(stream) = UnixStream::connect(&socket).await {
                    return Ok(stream);
                }
                if let Ok(Some(status)) = running.process.try_wait() {
                    return Err(anyhow::anyhow!("the inference child left at once: {status}"));
                }
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        });
        match connected.await {
            Ok(result) => result.map_err(unreachable_now),
            Err(_) => Err(unreachable_now(anyhow::anyhow!(
                "the inference child did not listen in time"
            ))),
        }
    }
}

impl Running {
    fn start(config: &Config) -> anyhow::Result<Self> {
        // A short path: a socket's name has at most 107 bytes.
        let directory = tempfile::Builder::new().prefix("cerebros-").tempdir()?;
        let process = crate::child::command(config, "infer")
            .arg(directory.path().join("infer.sock"))
            .spawn()?;
        Ok(Self { process, directory })
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("infer.sock")
    }
}

impl Answer {
    /// The next piece.
    ///
    /// # Errors
    /// What the child refuses, and 503 when it died or says nothing any more.
    pub async fn next(&mut self) -> AppResult<InferResponse> {
        let line = tokio::time::timeout(TOKEN_DEADLINE, self.lines.next_line()).await;
        let line = line.map_err(|_| unreachable_now(anyhow::anyhow!("the inference child is silent")))?;
        let line = line.map_err(|error| unreachable_now(error.into()))?;
        let line = line.ok_or_else(|| unreachable_now(anyhow::anyhow!("the inference child closed the connection")))?;
        match serde_json::from_str(&line).map_err(AppError::internal)? {
            InferResponse::Error { code, message } => Err(refused(code, message)),
            response => Ok(response),
        }
    }
}

/// Whose time an answer takes.
pub fn client(scope: &Scope) -> String {
    match scope.actor {
        Actor::User(id) => format!("user:{id}"),
        Actor::ApiKey(id, _) => format!("key:{id}"),
        Actor::System => format!("workspace:{}", scope.workspace_id),
    }
}

fn refused(code: InferErrorCode, message: String) -> AppError {
    match code {
        InferErrorCode::ContextLength => {
            AppError::new(ErrorCode::InvalidRequest, message).about("messages", "context_length_exceeded")
        }
        InferErrorCode::InvalidRequest => AppError::new(ErrorCode::InvalidRequest, message),
        InferErrorCode::InvalidInput => {
            AppError::new(ErrorCode::InvalidRequest, message).about("input", "invalid_value")
        }
        InferErrorCode::InvalidDimensions => {
            AppError::new(ErrorCode::InvalidRequest, message).about("dimensions", "invalid_value")
        }
        InferErrorCode::InvalidFormat => {
            AppError::new(ErrorCode::InvalidRequest, message).about("response_format", "invalid_schema")
        }
        InferErrorCode::InvalidTools => {
            AppError::new(ErrorCode::InvalidRequest, message).about("tools", "invalid_tools")
        }
        InferErrorCode::TooMany => AppError::new(ErrorCode::TooManyRequests, message).retry_after(5),
        InferErrorCode::Busy => AppError::unavailable(message, 5),
        InferErrorCode::InvalidBase | InferErrorCode::InvalidAdapter => AppError::conflict(message),
        InferErrorCode::Internal => AppError::internal(anyhow::anyhow!("the inference child failed: {message}")),
    }
}

fn unreachable_now(cause: anyhow::Error) -> AppError {
    tracing::warn!(error = ?cause, "the inference child cannot be reached");
    AppError::unavailable("The model cannot answer right now. Try again in a moment.", 2)
}
