//! Counters that all replicas share. Keys are keyed hashes, never addresses.

use crate::{Db, DbError, convert};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::time::Duration;

/// How often a key was counted in its window, and how long that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub count: u64,
    pub left: Duration,
}

/// Counts one, in a window that starts with a key's first count.
pub async fn count_unscoped(db: &Db, key: &str, window: Duration) -> Result<Counted, DbError> {
    let now = now(db);
    let sql = format!(
        "insert into rate_counters (key, count, ends_at) values ($1, 1, {now} + $2) on conflict (key) do update set \
         count = case when rate_counters.ends_at <= {now} then 1 else rate_counters.count + 1 end, \
         ends_at = case when rate_counters.ends_at <= {now} then excluded.ends_at else rate_counters.ends_at end \
         returning count, ends_at - {now} as left_ms"
    );
    let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let connection = db.write_connection();
    let values = [key.into(), millis.into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or(DbError::NotFound("counter"))?;
    Ok(Counted {
        count: convert::unsigned(row.try_get("", "count")?),
        left: Duration::from_millis(convert::unsigned(row.try_get("", "left_ms")?)),
    })
}

/// Takes one back.
pub async fn uncount_unscoped(db: &Db, key: &str) -> Result<(), DbError> {
    let connection = db.write_connection();
    let sql = "update rate_counters set count = count - 1 where key = $1 and count > 0";
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [key.into()]);
    connection.execute_raw(statement).await?;
    Ok(())
}

/// Deletes counters whose window is over.
pub async fn expire_unscoped(db: &Db) -> Result<(), DbError> {
    let sql = format!("delete from rate_counters where ends_at <= {}", now(db));
    db.write_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// The database's clock, in milliseconds: those of replicas may differ.
fn now(db: &Db) -> &'static str {
    match db.write_connection().get_database_backend() {
        DbBackend::Postgres => "(extract(epoch from statement_timestamp()) * 1000)::bigint",
        _ => "cast(unixepoch('subsec') * 1000 as integer)",
    }
}
