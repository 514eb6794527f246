//! HTTP tests of the real server, each on SQLite and on PostgreSQL with a database of its own.

#![expect(clippy::unwrap_used, reason = "a failed test panics")]

#[macro_use]
mod helpers;

mod accounts;
mod agents;
mod api_keys;
mod audit;
mod contract;
mod crash;
mod datasets;
mod deletions;
mod documents;
mod events;
mod examples;
mod exports;
mod idempotency;
mod limits;
mod provider_keys;
mod search;
mod tenancy;
mod training;
