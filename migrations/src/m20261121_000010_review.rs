//! Quality of examples, their earlier revisions, and who reviews which.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table examples add column score integer not null default 0",
    "alter table examples add column findings text not null default '[]'",
    "alter table examples add column grounding text not null default 'none'",
    "alter table examples add column duplicate_of {uuid}",
    "alter table examples add column model text",
    "alter table examples add column batch_id {uuid}",
    "create index examples_score on examples (agent_id, score, id)",
    "create index examples_group on examples (duplicate_of)",
    "create table example_revisions (
        example_id {uuid} not null references examples (id) on delete cascade,
        version bigint not null,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        status text not null,
        edited boolean not null,
        prompt text,
        reasoning text,
        response text,
        primary key (example_id, version)
    )",
    "create index example_revisions_workspace on example_revisions (workspace_id)",
    "create table example_parts (
        example_id {uuid} primary key references examples (id) on delete cascade,
        whole_id {uuid} not null references examples (id) on delete cascade,
        version bigint not null
    )",
    "create index example_parts_whole on example_parts (whole_id, version)",
    "create table example_holds (
        example_id {uuid} primary key references examples (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        until {time} not null
    )",
    "create index example_holds_user on example_holds (user_id)",
    "create table example_reviews (
        example_id {uuid} primary key references examples (id) on delete cascade,
        user_id {uuid} not null references users (id) on delete cascade,
        reviewed_at {time} not null
    )",
    "create index example_reviews_user on example_reviews (user_id)",
    "create table example_signatures (
        example_id {uuid} primary key references examples (id) on delete cascade,
        signature {bytes} not null
    )",
];

const DOWN: &[&str] = &[
    "drop table example_signatures",
    "drop table example_reviews",
    "drop table example_holds",
    "drop table example_parts",
    "drop table example_revisions",
    "drop index examples_group",
    "drop index examples_score",
    "alter table examples drop column batch_id",
    "alter table examples drop column model",
    "alter table examples drop column duplicate_of",
    "alter table examples drop column grounding",
    "alter table examples drop column findings",
    "alter table examples drop column score",
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
