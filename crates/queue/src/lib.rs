//! Durable background tasks in their own table, on SQLite and PostgreSQL.
//!
//! A task is a struct; the struct is the payload. [`enqueue`] joins the caller's transaction, a [`Runner`] claims tasks in
//! short transactions, runs them outside any, and keeps their leases alive. Delivery is at least once: a handler writes its
//! results in one transaction guarded by [`Lease::complete`] (or [`Lease::fence`]), so that effects happen exactly once.
//!
//! This crate knows no task of the product. Times in the database are milliseconds since the Unix epoch by the database's
//! own clock, so replicas with skewed clocks agree on leases.

mod backoff;
mod enqueue;
mod error;
mod lease;
mod query;
mod registry;
mod runner;
mod schedule;
mod sql;
mod store;
mod task;
mod waker;

pub use enqueue::{Enqueue, enqueue};
pub use error::{HookError, QueueError, TaskError};
pub use lease::{Burial, Lease, void_leases};
pub use query::{QueueCount, TaskRow, counts, find, find_unscoped, list, list_unscoped, prune_done};
pub use runner::{Runner, Timing};
pub use task::{Status, Task};
pub use waker::Waker;
