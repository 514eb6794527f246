//! People, workspaces, sessions, API keys, and the event log of a workspace.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table users (
        id {uuid} primary key,
        email text not null,
        email_key text not null,
        name text not null,
        password_hash text not null,
        created_at {time} not null,
        constraint users_email_key unique (email_key)
    )",
    "create table workspaces (
        id {uuid} primary key,
        name text not null,
        personal boolean not null,
        event_seq bigint not null,
        created_at {time} not null
    )",
    "create table members (
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        role text not null,
        primary key (workspace_id, user_id)
    )",
    "create index members_user on members (user_id)",
    "create table sessions (
        token_hash text primary key,
        user_id {uuid} not null references users (id) on delete cascade,
        created_at {time} not null,
        expires_at {time} not null
    )",
    "create index sessions_user on sessions (user_id)",
    "create index sessions_expiry on sessions (expires_at)",
    "create table api_keys (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        name text not null,
        prefix text not null,
        secret_hash text not null unique,
        created_at {time} not null,
        last_used_at {time}
    )",
    "create index api_keys_workspace on api_keys (workspace_id, id)",
    "create table events (
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        seq bigint not null,
        at {time} not null,
        kind text not null,
        subject_id {uuid} not null,
        agent_id {uuid},
        data text,
        primary key (workspace_id, seq)
    )",
    "create index events_at on events (at)",
];

const DOWN: &[&str] = &[
    "drop table events",
    "drop table api_keys",
    "drop table sessions",
    "drop table members",
    "drop table workspaces",
    "drop table users",
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
