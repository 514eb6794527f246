//! The few places where the two databases differ.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

/// A statement with `$1`-style parameters, which both databases understand.
pub fn statement(
    conn: &impl ConnectionTrait,
    text: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), text, values)
}

/// Runs a statement and tells how many rows it changed.
pub async fn execute(
    conn: &impl ConnectionTrait,
    text: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let statement = statement(conn, text, values);
    Ok(conn.execute_raw(statement).await?.rows_affected())
}

/// An SQL expression for now, in milliseconds. A subquery, so that PostgreSQL evaluates it once and can use indexes.
pub fn now(conn: &impl ConnectionTrait) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => "(SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
        _ => "(SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER))",
    }
}

/// SQLite has one writer and no row locks, so it needs none.
pub fn skip_locked(conn: &impl ConnectionTrait) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    }
}

/// `$3, $4, $5` for `placeholders(3, 3)`.
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count)
        .map(|number| format!("${number}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A stored time as the type that callers use.
pub fn time(millis: i64) -> Result<DateTime<Utc>, DbErr> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| DbErr::Type(format!("{millis} is not a time in milliseconds")))
}
