//! The product: HTTP routes, sign-in, background tasks, files, events. A route calls `db`, the queue and storage; what a
//! route and a task share lives in a module named after its noun.

pub mod auth;
pub mod config;
mod error;
mod agents;
mod bases;
mod events;
mod extract;
mod openapi;
mod respond;
mod routes;
mod server;
mod spa;
mod state;
mod storage;
mod tasks;
mod wake;
pub mod telemetry;

pub use config::{Config, ConfigError};
pub use openapi::document as openapi_document;
pub use server::{Parts, Running, migrate, start};
