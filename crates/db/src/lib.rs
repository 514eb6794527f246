//! The product's SQL, on SQLite and PostgreSQL.
//!
//! One file per table. Entities stay private; public functions take the scope, or a [`Write`] that carries one, and give
//! wire types. A function named `*_unscoped` reads across workspaces and is for tasks and operators. No HTTP here.

pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod avatars;
pub mod bases;
pub mod batches;
pub mod calls;
pub mod chunks;
pub mod comparisons;
pub mod concepts;
mod connection;
pub mod conversations;
mod convert;
pub mod datasets;
pub mod deletions;
pub mod diagrams;
pub mod document_texts;
pub mod documents;
pub mod email_changes;
mod error;
pub mod events;
pub mod examples;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod link_tokens;
pub mod llm_calls;
pub mod llm_settings;
pub mod members;
pub mod model_exports;
pub mod models;
pub mod notifications;
mod paging;
pub mod prices;
pub mod provider_keys;
pub mod rates;
mod scope;
pub mod seal;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod studies;
pub mod templates;
pub mod trainings;
pub mod transfer;
pub mod uploads;
pub mod users;
pub mod webhooks;
pub mod workspaces;
mod write;

pub use audit::AuditKeys;
pub use connection::{Db, DbOptions};
pub use error::DbError;
pub use paging::Way;
pub use scope::{Actor, Scope};
pub use write::Write;
