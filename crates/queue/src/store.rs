//! The statements that move tasks from one status to the next. Every one names the status that it expects, and those of an
//! owner also its token, so a late owner changes nothing.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult};
use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait, Value};
use uuid::Uuid;

use crate::sql;

/// A task that this process owns until its lease runs out.
#[derive(Clone, Debug)]
pub struct Owned {
    pub key: Key,
    pub name: String,
    pub payload: String,
    pub workspace_id: Option<Uuid>,
    pub attempt: u32,
    pub max_attempts: u32,
    pub last_error: Option<String>,
}

/// One ownership of one task: a new owner has a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub id: Uuid,
    pub token: Uuid,
}

const OWNED: &str = "id, name, payload, workspace_id, attempts, max_attempts, last_error, run_at";

/// Begins a write transaction; on SQLite it holds the write lock from the start, so that it cannot fail half-way.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: (db.get_database_backend() == DbBackend::Sqlite)
            .then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// Leases up to `limit` due tasks of the queue, in the order of `run_at` and id. One statement is one transaction.
pub async fn claim(
    conn: &impl ConnectionTrait,
    queue: &str,
    names: &[&'static str],
    limit: usize,
    lease: Duration,
) -> Result<Vec<Owned>, DbErr> {
    let token = Uuid::now_v7();
    let (now, lock) = (sql::now(conn), sql::skip_locked(conn));
    let in_names = sql::placeholders(5, names.len());
    // Materialised, or PostgreSQL may run the subquery once per row and lock more than `limit`.
    let text = format!(
        "WITH picked AS MATERIALIZED (SELECT id FROM tasks WHERE status = 'queued' AND queue = $1 AND run_at <= {now} \
         AND name IN ({in_names}) ORDER BY run_at, id LIMIT $2 {lock}) \
         UPDATE tasks SET status = 'running', attempts = attempts + 1, lease_token = $3, lease_until = {now} + $4, \
         last_error = NULL WHERE id IN (SELECT id FROM picked) RETURNING {OWNED}"
    );
    let values = [queue.into(), count(limit).into(), token.into(), millis(lease).into()];
    let statement = sql::statement(conn, text, with_names(values, names));
    let mut rows = Vec::new();
    for row in conn.query_all_raw(statement).await? {
        rows.push((row.try_get::<i64>("", "run_at")?, owned(&row, token)?));
    }
    rows.sort_by_key(|(run_at, task)| (*run_at, task.key.id));
    Ok(rows.into_iter().map(|(_, task)| task).collect())
}

/// Extends the given leases. Rows locked by a handler's own fenced transaction are left for the next time: nobody can take
/// them over while they are locked.
pub async fn extend(conn: &impl ConnectionTrait, held: &[Key], lease: Duration) -> Result<(), DbErr> {
    let (now, lock) = (sql::now(conn), sql::skip_locked(conn));
    let tokens = sql::placeholders(2, held.len());
    let ids = sql::placeholders(2 + held.len(), held.len());
    let text = format!(
        "WITH mine AS MATERIALIZED (SELECT id FROM tasks WHERE status = 'running' AND lease_token IN ({tokens}) \
         AND id IN ({ids}) {lock}) \
         UPDATE tasks SET lease_until = {now} + $1 WHERE id IN (SELECT id FROM mine)"
    );
    let mut values = vec![millis(lease).into()];
    values.extend(held.iter().map(|key| Value::from(key.token)));
    values.extend(held.iter().map(|key| Value::from(key.id)));
    sql::execute(conn, text, values).await?;
    Ok(())
}

/// Those of the given leases that nobody else has taken. A task that its handler has completed counts as kept.
pub async fn kept(conn: &impl ConnectionTrait, held: &[Key]) -> Result<HashSet<Key>, DbErr> {
    let ids = sql::placeholders(1, held.len());
    let text = format!(
        "SELECT id, lease_token FROM tasks WHERE id IN ({ids}) AND lease_token IS NOT NULL \
         AND status IN ('running', 'done')"
    );
    let values = held.iter().map(|key| Value::from(key.id));
    let key = |row: QueryResult| -> Result<Key, DbErr> {
        Ok(Key {
            id: row.try_get("", "id")?,
            token: row.try_get("", "lease_token")?,
        })
    };
    let rows = conn.query_all_raw(sql::statement(conn, text, values)).await?;
    rows.into_iter().map(key).collect()
}

/// Queues the tasks whose owner stopped extending the lease, and tells how many.
pub async fn requeue_expired(conn: &impl ConnectionTrait, names: &[&'static str]) -> Result<u64, DbErr> {
    let (now, lock) = (sql::now(conn), sql::skip_locked(conn));
    let in_names = sql::placeholders(2, names.len());
    let text = format!(
        "WITH expired AS MATERIALIZED (SELECT id FROM tasks WHERE status = 'running' AND lease_until < {now} \
         AND attempts < max_attempts AND name IN ({in_names}) {lock}) \
         UPDATE tasks SET status = 'queued', lease_token = NULL, lease_until = NULL, last_error = $1 \
         WHERE id IN (SELECT id FROM expired)"
    );
    sql::execute(conn, text, with_names([OWNER_STOPPED.into()], names)).await
}

/// What is stored for a task whose process died or froze.
pub const OWNER_STOPPED: &str = "The worker stopped while it ran this task";

/// Takes over tasks whose owner is gone and whose attempts are used up, so that this process may bury them.
pub async fn adopt_exhausted(
    conn: &impl ConnectionTrait,
    names: &[&'static str],
    lease: Duration,
) -> Result<Vec<Owned>, DbErr> {
    const AT_ONCE: i64 = 20;
    let token = Uuid::now_v7();
    let (now, lock) = (sql::now(conn), sql::skip_locked(conn));
    let in_names = sql::placeholders(4, names.len());
    let text = format!(
        "WITH expired AS MATERIALIZED (SELECT id FROM tasks WHERE status = 'running' AND lease_until < {now} \
         AND attempts >= max_attempts AND name IN ({in_names}) ORDER BY lease_until LIMIT $3 {lock}) \
         UPDATE tasks SET lease_token = $1, lease_until = {now} + $2 WHERE id IN (SELECT id FROM expired) \
         RETURNING {OWNED}"
    );
    let values = [token.into(), millis(lease).into(), AT_ONCE.into()];
    let statement = sql::statement(conn, text, with_names(values, names));
    let rows = conn.query_all_raw(statement).await?;
    rows.iter().map(|row| owned(row, token)).collect()
}

/// Ends an owned task well. The token stays, so that the owner is not told that it lost the lease.
pub async fn complete(conn: &impl ConnectionTrait, key: Key) -> Result<bool, DbErr> {
    let now = sql::now(conn);
    let changes = format!("status = 'done', finished_at = {now}, lease_until = NULL, last_error = NULL");
    update(conn, key, &changes, []).await
}

/// Extends one lease and locks its row until the transaction ends.
pub async fn fence(conn: &impl ConnectionTrait, key: Key, lease: Duration) -> Result<bool, DbErr> {
    let changes = format!("lease_until = {} + $3", sql::now(conn));
    update(conn, key, &changes, [millis(lease).into()]).await
}

/// Counts the attempt of an owned task as its first.
pub async fn progress(conn: &impl ConnectionTrait, key: Key) -> Result<bool, DbErr> {
    update(conn, key, "attempts = 1", []).await
}

/// Queues an owned task again, not before `wait` has passed.
pub async fn retry(conn: &impl ConnectionTrait, key: Key, message: &str, wait: Duration) -> Result<bool, DbErr> {
    let changes = format!(
        "status = 'queued', lease_token = NULL, lease_until = NULL, last_error = $3, run_at = {} + $4",
        sql::now(conn)
    );
    update(conn, key, &changes, [message.into(), millis(wait).into()]).await
}

/// Queues an owned task again as if this attempt had not been.
pub async fn release(conn: &impl ConnectionTrait, key: Key) -> Result<bool, DbErr> {
    let changes = "status = 'queued', lease_token = NULL, lease_until = NULL, attempts = attempts - 1";
    update(conn, key, changes, []).await
}

/// Ends the attempts of an owned task: from here on it can only be buried, by whoever survives.
pub async fn condemn(conn: &impl ConnectionTrait, key: Key, message: &str) -> Result<bool, DbErr> {
    let changes = "max_attempts = attempts, last_error = $3";
    update(conn, key, changes, [message.into()]).await
}

/// Ends an owned task for good.
pub async fn bury(conn: &impl ConnectionTrait, key: Key, message: &str) -> Result<bool, DbErr> {
    let changes = format!(
        "status = 'dead', lease_token = NULL, lease_until = NULL, last_error = $3, finished_at = {}",
        sql::now(conn)
    );
    update(conn, key, &changes, [message.into()]).await
}

/// Queues every running task at once and tells how many; attempts stay counted.
pub async fn void_leases(conn: &impl ConnectionTrait) -> Result<u64, DbErr> {
    // Exhausted tasks stay leased, but expired: the reaper must bury them, not a worker run them.
    let text = "UPDATE tasks SET status = CASE WHEN attempts < max_attempts THEN 'queued' ELSE status END, \
                lease_token = NULL, lease_until = CASE WHEN attempts < max_attempts THEN NULL ELSE 0 END, \
                last_error = COALESCE(last_error, $1) WHERE status = 'running'";
    sql::execute(conn, text, [OWNER_STOPPED.into()]).await
}

/// Changes a running task of the owner; `changes` may use `$3` and up. `false` when it is not the owner's any more.
async fn update(
    conn: &impl ConnectionTrait,
    key: Key,
    changes: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<bool, DbErr> {
    let text = format!("UPDATE tasks SET {changes} WHERE id = $1 AND lease_token = $2 AND status = 'running'");
    let all = [key.id.into(), key.token.into()].into_iter().chain(values);
    Ok(sql::execute(conn, text, all).await? > 0)
}

fn owned(row: &QueryResult, token: Uuid) -> Result<Owned, DbErr> {
    let number = |column| -> Result<u32, DbErr> {
        u32::try_from(row.try_get::<i64>("", column)?).map_err(|error| DbErr::Type(error.to_string()))
    };
    Ok(Owned {
        key: Key {
            id: row.try_get("", "id")?,
            token,
        },
        name: row.try_get("", "name")?,
        payload: row.try_get("", "payload")?,
        workspace_id: row.try_get("", "workspace_id")?,
        attempt: number("attempts")?,
        max_attempts: number("max_attempts")?,
        last_error: row.try_get("", "last_error")?,
    })
}

fn with_names<const N: usize>(values: [Value; N], names: &[&'static str]) -> Vec<Value> {
    let names = names.iter().map(|name| Value::from(*name));
    values.into_iter().chain(names).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
