//! Verified addresses, sessions that are listed, link tokens, scoped keys, invitations, notifications, avatars.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table users add column email_verified_at {time}",
    "alter table users add column version bigint not null default 1",
    "alter table workspaces add column version bigint not null default 1",
    "alter table members add column version bigint not null default 1",
    "alter table members add column joined_at {time}",
    // A session is found by its id too, so the table is made anew; whoever was signed in signs in again.
    "drop table sessions",
    "create table sessions (
        id {uuid} primary key,
        token_hash text not null unique,
        user_id {uuid} not null references users (id) on delete cascade,
        user_agent text not null,
        address text not null,
        created_at {time} not null,
        last_used_at {time} not null,
        expires_at {time} not null
    )",
    "create index sessions_user on sessions (user_id, id)",
    "create index sessions_expiry on sessions (expires_at)",
    "create table link_tokens (
        token_hash text primary key,
        purpose text not null,
        user_id {uuid} not null references users (id) on delete cascade,
        created_at {time} not null,
        expires_at {time} not null
    )",
    "create index link_tokens_user on link_tokens (user_id, purpose)",
    "create index link_tokens_expiry on link_tokens (expires_at)",
    "create table email_changes (
        user_id {uuid} primary key references users (id) on delete cascade,
        email text not null,
        old_token_hash text unique,
        new_token_hash text unique,
        old_confirmed_at {time},
        new_confirmed_at {time},
        created_at {time} not null,
        expires_at {time} not null
    )",
    "alter table api_keys add column scopes text not null default '[\"read\",\"write\",\"train\",\"chat\"]'",
    "alter table api_keys add column expires_at {time}",
    "create table invitations (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        email text not null,
        email_key text not null,
        role text not null,
        token_hash text unique,
        by_mail boolean not null,
        invited_by {uuid} not null references users (id) on delete cascade,
        created_at {time} not null,
        expires_at {time} not null,
        constraint invitations_email unique (workspace_id, email_key)
    )",
    "create index invitations_workspace on invitations (workspace_id, id)",
    "create table notifications (
        id {uuid} primary key,
        user_id {uuid} not null references users (id) on delete cascade,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        kind text not null,
        title text not null,
        subject text not null,
        subject_id {uuid} not null,
        created_at {time} not null,
        read_at {time}
    )",
    "create index notifications_user on notifications (user_id, id)",
    "create index notifications_unread on notifications (user_id) where read_at is null",
    "create index notifications_subject on notifications (subject_id)",
    "create index notifications_workspace on notifications (workspace_id)",
    "create table notification_preferences (
        user_id {uuid} not null references users (id) on delete cascade,
        kind text not null,
        enabled boolean not null,
        primary key (user_id, kind)
    )",
    "create table avatars (
        user_id {uuid} primary key references users (id) on delete cascade,
        png {bytes} not null,
        updated_at {time} not null
    )",
];

const DOWN: &[&str] = &[
    "drop table avatars",
    "drop table notification_preferences",
    "drop table notifications",
    "drop table invitations",
    "alter table api_keys drop column expires_at",
    "alter table api_keys drop column scopes",
    "drop table email_changes",
    "drop table link_tokens",
    "drop table sessions",
    "create table sessions (
        token_hash text primary key,
        user_id {uuid} not null references users (id) on delete cascade,
        created_at {time} not null,
        expires_at {time} not null
    )",
    "create index sessions_user on sessions (user_id)",
    "create index sessions_expiry on sessions (expires_at)",
    "alter table members drop column joined_at",
    "alter table members drop column version",
    "alter table workspaces drop column version",
    "alter table users drop column version",
    "alter table users drop column email_verified_at",
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
