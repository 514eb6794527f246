//! Plain SQL with the few type names that differ between the two databases filled in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Runs each statement after replacing `{uuid}`, `{time}`, `{bytes}` and `{serial}`.
pub async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let (uuid, time, bytes, serial) = match manager.get_database_backend() {
        DbBackend::Sqlite => ("blob", "text", "blob", "integer primary key autoincrement"),
        _ => ("uuid", "timestamptz", "bytea", "bigserial primary key"),
    };
    for statement in statements {
        let sql = statement
            .replace("{uuid}", uuid)
            .replace("{time}", time)
            .replace("{bytes}", bytes)
            .replace("{serial}", serial);
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
