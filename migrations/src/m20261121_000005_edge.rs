//! Answers kept for repeated requests, and counters that replicas share.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table idempotency_keys (
        user_id {uuid} not null references users (id) on delete cascade,
        key text not null,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        fingerprint text not null,
        status integer not null,
        location text,
        etag text,
        body {bytes} not null,
        created_at {time} not null,
        primary key (user_id, key)
    )",
    "create index idempotency_keys_workspace on idempotency_keys (workspace_id)",
    "create index idempotency_keys_age on idempotency_keys (created_at)",
    "create table rate_counters (
        key text primary key,
        count bigint not null,
        ends_at bigint not null
    )",
    "create index rate_counters_end on rate_counters (ends_at)",
];

const DOWN: &[&str] = &["drop table rate_counters", "drop table idempotency_keys"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}
