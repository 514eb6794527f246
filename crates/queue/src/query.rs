//! What people and operators may ask about tasks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};
use uuid::Uuid;

use crate::{QueueError, Status, sql};

/// How many tasks of a queue have a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCount {
    /// The queue.
    pub queue: String,
    /// The status.
    pub status: Status,
    /// How many tasks.
    pub count: u64,
}

/// A stored task without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// The id, in the order of creation.
    pub id: Uuid,
    /// The queue.
    pub queue: String,
    /// The type ([`crate::Task::NAME`]).
    pub name: String,
    /// The workspace that may see it.
    pub workspace_id: Option<Uuid>,
    /// Where it stands.
    pub status: Status,
    /// Starts so far.
    pub attempts: u32,
    /// Starts allowed.
    pub max_attempts: u32,
    /// Why the latest attempt failed.
    pub last_error: Option<String>,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was done or buried.
    pub finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, queue, name, workspace_id, status, attempts, max_attempts, last_error, run_at, created_at, \
                       finished_at";

/// The number of tasks by queue and status, for operators.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn counts(conn: &impl ConnectionTrait) -> Result<Vec<QueueCount>, QueueError> {
    let statement = sql::statement(
        conn,
        "SELECT queue, status, COUNT(*) AS count FROM tasks GROUP BY queue, status ORDER BY queue, status",
        [],
    );
    let rows = conn.query_all_raw(statement).await?;
    let count = |row: &QueryResult| -> Result<QueueCount, DbErr> {
        Ok(QueueCount {
            queue: row.try_get("", "queue")?,
            status: status(row)?,
            count: row.try_get::<i64>("", "count")?.unsigned_abs(),
        })
    };
    Ok(rows.iter().map(count).collect::<Result<_, _>>()?)
}

/// A workspace's tasks, newest first, before the id `cursor`; the last id is the next cursor.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn list(
    conn: &impl ConnectionTrait,
    workspace_id: Uuid,
    cursor: Option<Uuid>,
    limit: u32,
) -> Result<Vec<TaskRow>, QueueError> {
    let cursor = cursor.unwrap_or(Uuid::max());
    select(
        conn,
        "workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        [workspace_id.into(), cursor.into(), i64::from(limit).into()],
    )
    .await
}

/// Tasks of every workspace with a status, newest first, before the id `cursor`, for operators.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn list_unscoped(
    conn: &impl ConnectionTrait,
    status: Status,
    cursor: Option<Uuid>,
    limit: u32,
) -> Result<Vec<TaskRow>, QueueError> {
    let cursor = cursor.unwrap_or(Uuid::max());
    select(
        conn,
        "status = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        [status.as_str().into(), cursor.into(), i64::from(limit).into()],
    )
    .await
}

/// A task of the workspace, `None` when it is absent or another workspace's.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn find(conn: &impl ConnectionTrait, workspace_id: Uuid, id: Uuid) -> Result<Option<TaskRow>, QueueError> {
    let rows = select(conn, "workspace_id = $1 AND id = $2", [workspace_id.into(), id.into()]);
    Ok(rows.await?.pop())
}

/// Any task, for tasks and operators.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn find_unscoped(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<TaskRow>, QueueError> {
    Ok(select(conn, "id = $1", [id.into()]).await?.pop())
}

/// Deletes the tasks that were done longer ago than `age` and tells how many. Dead tasks are kept.
///
/// # Errors
/// [`QueueError::Database`].
pub async fn prune_done(conn: &impl ConnectionTrait, age: Duration) -> Result<u64, QueueError> {
    let now = sql::now(conn);
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let text = format!("DELETE FROM tasks WHERE status = 'done' AND finished_at < {now} - $1");
    Ok(sql::execute(conn, text, [age.into()]).await?)
}

async fn select(
    conn: &impl ConnectionTrait,
    condition: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<TaskRow>, QueueError> {
    let text = format!("SELECT {COLUMNS} FROM tasks WHERE {condition}");
    let rows = conn.query_all_raw(sql::statement(conn, text, values)).await?;
    Ok(rows.iter().map(task_row).collect::<Result<_, _>>()?)
}

fn task_row(row: &QueryResult) -> Result<TaskRow, DbErr> {
    let number = |column| -> Result<u32, DbErr> {
        u32::try_from(row.try_get::<i64>("", column)?).map_err(|error| DbErr::Type(error.to_string()))
    };
    Ok(TaskRow {
        id: row.try_get("", "id")?,
        queue: row.try_get("", "queue")?,
        name: row.try_get("", "name")?,
        workspace_id: row.try_get("", "workspace_id")?,
        status: status(row)?,
        attempts: number("attempts")?,
        max_attempts: number("max_attempts")?,
        last_error: row.try_get("", "last_error")?,
        run_at: sql::time(row.try_get("", "run_at")?)?,
        created_at: sql::time(row.try_get("", "created_at")?)?,
        finished_at: row
            .try_get::<Option<i64>>("", "finished_at")?
            .map(sql::time)
            .transpose()?,
    })
}

fn status(row: &QueryResult) -> Result<Status, DbErr> {
    let word: String = row.try_get("", "status")?;
    Status::parse(&word).ok_or_else(|| DbErr::Type(format!("unknown task status {word}")))
}
