//! The product: HTTP routes, sign-in, background tasks, files, events. A route calls `db`, the queue and storage; what a
//! route and a task share lives in a module named after its noun.

mod accounts;
mod address;
pub mod admin;
mod agents;
pub mod auth;
mod avatars;
mod bases;
mod chat;
mod child;
pub mod config;
mod datasets;
mod documents;
mod download;
mod error;
mod events;
mod examples;
mod extract;
mod idempotency;
mod infer;
mod jobs;
mod keys;
mod limits;
mod legal;
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
mod uses;
mod wake;

pub use avatars::avatar_main;
pub use config::{Config, ConfigError};
pub use openapi::document as openapi_document;
pub use server::{Parts, Running, migrate, start};
