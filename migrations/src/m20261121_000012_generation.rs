//! Prompt templates and batches of generated examples.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // A template that nobody changed has no row: it is the built-in one.
    "create table template_versions (
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        kind text not null,
        version bigint not null,
        instructions text not null,
        created_at {time} not null,
        primary key (workspace_id, kind, version)
    )",
    "create table batches (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} not null references agents (id) on delete cascade,
        status text not null,
        pause text,
        judge boolean not null,
        per_chunk integer not null,
        target_count bigint,
        model text,
        created_at {time} not null,
        updated_at {time} not null,
        finished_at {time}
    )",
    "create index batches_workspace on batches (workspace_id, id)",
    "create index batches_agent on batches (agent_id, id)",
    "create table batch_items (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        batch_id {uuid} not null references batches (id) on delete cascade,
        document_id {uuid} not null references documents (id) on delete cascade,
        chunk_id {uuid} not null,
        idx integer not null,
        template text not null,
        template_version bigint not null,
        status text not null,
        round integer not null,
        error text,
        examples integer not null,
        prompt_tokens bigint not null,
        completion_tokens bigint not null,
        cost_micros bigint,
        updated_at {time} not null,
        constraint batch_items_batch_idx unique (batch_id, idx)
    )",
    "create index batch_items_status on batch_items (batch_id, status, idx)",
    "create index batch_items_document on batch_items (document_id)",
    "create index batch_items_workspace on batch_items (workspace_id)",
];

const DOWN: &[&str] = &[
    "drop table batch_items",
    "drop table batches",
    "drop table template_versions",
];

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
