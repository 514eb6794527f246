//! The product: HTTP routes, sign-in, background tasks, files, events. A route calls `db`, the queue and storage; what a
//! route and a task share lives in a module named after its noun.

mod address;
pub mod admin;
pub mod auth;
mod bases;
mod chat;
mod child;
pub mod config;
mod datasets;
mod deletions;
mod documents;
mod download;
mod error;
mod events;
mod examples;
mod exports;
mod extract;
mod idempotency;
mod imports;
mod infer;
mod jobs;
mod keys;
mod limits;
mod openapi;
mod paging;
mod provider_keys;
mod respond;
mod routes;
mod search;
mod server;
mod spa;
mod state;
mod storage;
mod tasks;
pub mod telemetry;
mod upload;
mod wake;

pub use config::{Config, ConfigError};
pub use openapi::document as openapi_document;
pub use server::{Parts, Running, migrate, start};
