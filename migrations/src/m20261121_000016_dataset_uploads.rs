//! Uploads in parts that become datasets: they have neither agent nor kind. What was on its way is begun anew.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UPLOADS: &str = "create table uploads (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} references agents (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        kind text,
        name text not null,
        size_bytes bigint not null,
        sha256 text,
        part_bytes bigint not null,
        multipart_id text not null,
        status text not null,
        error_code text,
        error_message text,
        created_at {time} not null,
        expires_at {time} not null
    )";

const INDEXES: [&str; 4] = [
    "create index uploads_agent on uploads (agent_id, user_id, id)",
    "create index uploads_workspace on uploads (workspace_id, status)",
    "create index uploads_user on uploads (user_id)",
    "create index uploads_expiry on uploads (expires_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["drop table uploads", UPLOADS]).await?;
        ddl::run(manager, &INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let before = UPLOADS
            .replace("agent_id {uuid} references", "agent_id {uuid} not null references")
            .replace("kind text,", "kind text not null,");
        ddl::run(manager, &["drop table uploads", &before]).await?;
        ddl::run(manager, &INDEXES).await
    }
}
