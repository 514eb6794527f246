//! What people and assistants said to each other.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table conversations (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        agent_id {uuid} not null references agents (id) on delete cascade,
        title text not null,
        messages integer not null,
        created_at {time} not null,
        updated_at {time} not null,
        version bigint not null
    )",
    "create index conversations_person on conversations (workspace_id, user_id, updated_at)",
    "create index conversations_agent on conversations (agent_id)",
    "create index conversations_user on conversations (user_id)",
    "create table conversation_messages (
        conversation_id {uuid} not null references conversations (id) on delete cascade,
        idx integer not null,
        role text not null,
        content text not null,
        citations text,
        at {time} not null,
        primary key (conversation_id, idx)
    )",
];

const DOWN: &[&str] = &["drop table conversation_messages", "drop table conversations"];

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
