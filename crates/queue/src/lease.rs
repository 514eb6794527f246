//! What a handler holds while it owns a task, and what a burial hook holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    QueueError,
    store::{self, Owned},
};

/// The ownership of a running task.
#[derive(Clone, Debug)]
pub struct Lease {
    task: Owned,
    length: Duration,
    cancellation: CancellationToken,
    progressed: Arc<AtomicBool>,
}

impl Lease {
    pub(crate) fn new(task: Owned, length: Duration, cancellation: CancellationToken) -> Self {
        Self {
            task,
            length,
            cancellation,
            progressed: Arc::default(),
        }
    }

    /// The task.
    pub fn task_id(&self) -> Uuid {
        self.task.key.id
    }

    /// The token of this ownership: different for every attempt.
    pub fn token(&self) -> Uuid {
        self.task.key.token
    }

    /// The workspace that the task was enqueued for.
    pub fn workspace_id(&self) -> Option<Uuid> {
        self.task.workspace_id
    }

    /// The number of this attempt, from 1; 1 again once there was progress.
    pub fn attempt(&self) -> u32 {
        if self.progressed.load(Ordering::Relaxed) {
            1
        } else {
            self.task.attempt
        }
    }

    /// Whether a failure of this attempt buries the task.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt() >= self.task.max_attempts
    }

    /// Fires when the lease is lost and when the process shuts down. The handler then leaves soon, with
    /// [`crate::TaskError::Interrupted`].
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Guards the writes of the caller's transaction: until it ends nobody can take the task over. Extends the lease.
    ///
    /// # Errors
    /// [`QueueError::LostLease`] when another worker owns the task or it has ended; then roll back.
    pub async fn fence(&self, tx: &impl ConnectionTrait) -> Result<(), QueueError> {
        owned(store::fence(tx, self.task.key, self.length).await?)
    }

    /// Counts this attempt as the first in the caller's transaction, which stores what the next one goes on from: a long
    /// task is given up when it comes no further, not when it was interrupted often.
    ///
    /// # Errors
    /// [`QueueError::LostLease`] when another worker owns the task or it has ended; then roll back.
    pub async fn progress(&self, tx: &impl ConnectionTrait) -> Result<(), QueueError> {
        owned(store::progress(tx, self.task.key).await?)?;
        self.progressed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Marks the task done in the caller's transaction, so that its result and its end commit together.
    ///
    /// # Errors
    /// [`QueueError::LostLease`] when another worker owns the task or it has ended; then roll back.
    pub async fn complete(&self, tx: &impl ConnectionTrait) -> Result<(), QueueError> {
        owned(store::complete(tx, self.task.key).await?)
    }
}

/// A task that is about to be given up. The hook calls [`Burial::bury`] in the transaction in which the product notes the
/// failure; if the hook ends well without it, the runner buries the task.
#[derive(Clone, Debug)]
pub struct Burial {
    task: Owned,
    message: String,
}

impl Burial {
    pub(crate) fn new(task: Owned, message: String) -> Self {
        Self { task, message }
    }

    /// The task.
    pub fn task_id(&self) -> Uuid {
        self.task.key.id
    }

    /// The workspace that the task was enqueued for.
    pub fn workspace_id(&self) -> Option<Uuid> {
        self.task.workspace_id
    }

    /// How often the task was started.
    pub fn attempts(&self) -> u32 {
        self.task.attempt
    }

    /// The last error.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Marks the task dead in the caller's transaction.
    ///
    /// # Errors
    /// [`QueueError::LostLease`] when another process is burying the task or has done so; then roll back.
    pub async fn bury(&self, tx: &impl ConnectionTrait) -> Result<(), QueueError> {
        owned(store::bury(tx, self.task.key, &self.message).await?)
    }

    pub(crate) fn name(&self) -> &str {
        &self.task.name
    }

    pub(crate) fn payload(&self) -> &str {
        &self.task.payload
    }
}

/// Ends every lease at once and tells how many there were: the tasks run again without waiting for the leases to run out.
/// Attempts stay counted. Only for a process that knows that it is alone, such as one that has locked its SQLite file.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn void_leases(conn: &impl ConnectionTrait) -> Result<u64, QueueError> {
    Ok(store::void_leases(conn).await?)
}

fn owned(still: bool) -> Result<(), QueueError> {
    still.then_some(()).ok_or(QueueError::LostLease)
}
