//! Webhooks and what was sent to them.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table webhooks (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        url text not null,
        events text not null,
        active boolean not null,
        hint text not null,
        key_id text not null,
        nonce text not null,
        ciphertext text not null,
        created_at {time} not null
    )",
    "create index webhooks_workspace on webhooks (workspace_id)",
    "create table webhook_deliveries (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        webhook_id {uuid} not null references webhooks (id) on delete cascade,
        event text not null,
        subject_id {uuid} not null,
        status text not null,
        attempts integer not null,
        response_status integer,
        error text,
        created_at {time} not null,
        finished_at {time}
    )",
    "create index webhook_deliveries_webhook on webhook_deliveries (webhook_id, id)",
    "create index webhook_deliveries_workspace on webhook_deliveries (workspace_id)",
];

const DOWN: &[&str] = &["drop table webhook_deliveries", "drop table webhooks"];

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
