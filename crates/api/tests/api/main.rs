//! HTTP tests of the real server, each on SQLite and on PostgreSQL with a database of its own.

#![expect(clippy::unwrap_used, reason = "a failed test panics")]

#[macro_use]
mod helpers;

mod access;
mod account;
mod accounts;
mod agents;
mod api_keys;
mod audit;
mod batches;
mod bucket;
mod chat;
mod comparisons;
mod concepts;
mod contract;
mod conversations;
mod corpus;
mod corpus_files;
mod crash;
mod dataset_versions;
mod datasets;
mod deadlines;
mod deletions;
mod diagrams;
mod documents;
mod drawing;
mod embeddings;
mod estimates;
mod events;
mod examples;
mod exports;
mod files;
mod fine_tuning;
mod generation;
mod headers;
mod idempotency;
mod invitations;
mod jobs;
mod legal;
mod limits;
mod lineage;
mod links;
mod llm;
mod lost_updates;
mod mail;
mod members;
mod model_exports;
mod notifications;
mod origins;
mod peer;
mod provider_keys;
mod reading;
mod review;
mod scan;
mod search;
mod secrets;
mod sessions;
mod templates;
mod training;
mod trainings;
mod uploads;
mod uploads_survive;
mod webhooks;
mod workspaces;
