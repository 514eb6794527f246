//! Putting tasks into the table.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use crate::{QueueError, Task, sql};

/// When and for whom a task runs.
#[derive(Clone, Debug, Default)]
pub struct Enqueue {
    /// Not before this time; `None` is as soon as possible.
    pub run_at: Option<DateTime<Utc>>,
    /// The workspace that may see the task.
    pub workspace_id: Option<Uuid>,
    /// At most one queued or running task of a type has this key.
    pub dedup_key: Option<String>,
}

/// Stores a task as part of the caller's transaction and returns its id: that of the live task with the same
/// `dedup_key`, if there is one, whose payload then stays as it is. Call [`crate::Waker::wake`] after the commit.
///
/// # Errors
/// [`QueueError::Database`], and [`QueueError::Encode`] when the payload has no JSON form.
pub async fn enqueue<T: Task>(conn: &impl ConnectionTrait, task: &T, options: Enqueue) -> Result<Uuid, QueueError> {
    let task = NewTask::new(task)?;
    // The live task may end between the refused insert and the look-up: then the key is free again.
    loop {
        if let Some(id) = task.insert(conn, &options).await? {
            return Ok(id);
        }
        if let Some(id) = task.find_live(conn, &options).await? {
            return Ok(id);
        }
    }
}

/// A task ready to be stored, its type erased.
pub(crate) struct NewTask {
    pub(crate) name: &'static str,
    pub(crate) queue: &'static str,
    max_attempts: u32,
    payload: String,
}

impl NewTask {
    pub(crate) fn new<T: Task>(task: &T) -> Result<Self, QueueError> {
        Ok(Self {
            name: T::NAME,
            queue: T::QUEUE,
            max_attempts: T::MAX_ATTEMPTS,
            payload: serde_json::to_string(task).map_err(QueueError::Encode)?,
        })
    }

    /// `None` when a live task has the same key.
    pub(crate) async fn insert(&self, conn: &impl ConnectionTrait, options: &Enqueue) -> Result<Option<Uuid>, DbErr> {
        let now = sql::now(conn);
        let id = Uuid::now_v7();
        let inserted = sql::execute(
            conn,
            format!(
                "INSERT INTO tasks (id, queue, name, payload, workspace_id, dedup_key, status, run_at, attempts, \
                 max_attempts, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'queued', COALESCE($7, {now}), 0, $8, {now}) \
                 ON CONFLICT (name, dedup_key) WHERE dedup_key IS NOT NULL AND status IN ('queued', 'running') \
                 DO NOTHING"
            ),
            [
                id.into(),
                self.queue.into(),
                self.name.into(),
                self.payload.as_str().into(),
                options.workspace_id.into(),
                options.dedup_key.clone().into(),
                options.run_at.map(|time| time.timestamp_millis()).into(),
                i64::from(self.max_attempts).into(),
            ],
        )
        .await?;
        Ok((inserted > 0).then_some(id))
    }

    async fn find_live(&self, conn: &impl ConnectionTrait, options: &Enqueue) -> Result<Option<Uuid>, DbErr> {
        let statement = sql::statement(
            conn,
            "SELECT id FROM tasks WHERE name = $1 AND dedup_key = $2 AND status IN ('queued', 'running')",
            [self.name.into(), options.dedup_key.clone().into()],
        );
        let row = conn.query_one_raw(statement).await?;
        row.map(|row| row.try_get("", "id")).transpose()
    }
}
