//! The trainer's process: events come on its stdout, and the end of its stdin tells it to leave.

use super::directory;
use crate::state::App;
use cerebros_common::ids::JobId;
use cerebros_trainer::protocol::{Event, EventLine};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

/// Time to write a checkpoint before it is killed.
const GRACE: Duration = Duration::from_secs(8);

pub struct Trainer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    id: JobId,
}

impl Trainer {
    pub fn start(app: &App, id: JobId) -> anyhow::Result<Self> {
        let mut child = crate::child::command(&app.config, "train")
            .arg(directory(app, id))
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| anyhow::anyhow!("the trainer has no stdout"))?;
        Ok(Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            id,
        })
    }

    /// The next event; `None` once the trainer has closed its stdout. Safe to drop half-way.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let line = match self.lines.next_line().await {
                Ok(line) => line?,
                Err(error) => {
                    tracing::warn!(job.id = %self.id, error = %error, "the trainer's output cannot be read");
                    return None;
                }
            };
            match serde_json::from_str::<EventLine>(&line) {
                Ok(line) => return Some(line.event),
                Err(error) => {
                    tracing::error!(job.id = %self.id, error = %error, "the trainer said something unknown");
                }
            }
        }
    }

    /// Lets it write a checkpoint and leave; events go on until it has.
    pub fn ask_to_leave(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has left, or kills it after a while.
    pub async fn leave(&mut self) {
        self.ask_to_leave();
        let left = tokio::time::timeout(GRACE, async { while self.next().await.is_some() {} }).await;
        if left.is_err() {
            tracing::warn!(job.id = %self.id, "the trainer did not leave in time");
        }
        self.kill().await;
    }

    /// How it ended, for a log line.
    pub async fn wait(&mut self) -> String {
        match tokio::time::timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.kill().await;
                "it closed its output but did not end".to_owned()
            }
        }
    }

    async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::debug!(job.id = %self.id, error = %error, "the trainer was gone already");
        }
    }
}
