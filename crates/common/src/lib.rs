//! The wire vocabulary that the server and its clients share: typed ids, error codes, request and answer types, events.
//!
//! Builds for wasm32. No SQL, no id generation, no I/O. The feature `openapi` adds utoipa schemas; browsers leave it off.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod bases;
pub mod batches;
pub mod chat;
pub mod comparisons;
pub mod concepts;
pub mod conversations;
pub mod dashboard;
pub mod datasets;
pub mod deletions;
pub mod diagrams;
pub mod documents;
pub mod embeddings;
pub mod errors;
pub mod events;
pub mod examples;
pub mod files;
pub mod fine_tuning;
pub mod ids;
pub mod jobs;
pub mod legal;
pub mod llm_calls;
pub mod llm_settings;
pub mod model_exports;
pub mod models;
pub mod notifications;
pub mod prices;
pub mod provider_keys;
pub mod search;
pub mod studies;
pub mod templates;
pub mod trainings;
pub mod uploads;
pub mod webhooks;
pub mod wire;
pub mod workspaces;
