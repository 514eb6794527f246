//! Every test runs on SQLite and on PostgreSQL, each time in a database of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod dead;
mod effects;
mod enqueue;
mod ownership;
mod queries;
mod running;
mod schedules;
mod shutdown;
