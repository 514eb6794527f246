//! Models written for other programs, and compared with each other.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table model_exports (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        model_id {uuid} not null references models (id) on delete cascade,
        kind text not null,
        status text not null,
        blob_key text,
        size_bytes bigint,
        sha256 text,
        certificate text,
        error text,
        created_at {time} not null,
        finished_at {time},
        unique (model_id, kind)
    )",
    "create index model_exports_workspace on model_exports (workspace_id, id)",
    // Without a model to stand against, it is the base.
    "create table comparisons (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        model_id {uuid} not null references models (id) on delete cascade,
        against_id {uuid} references models (id) on delete cascade,
        status text not null,
        error text,
        created_at {time} not null,
        finished_at {time}
    )",
    "create index comparisons_workspace on comparisons (workspace_id, id)",
    "create index comparisons_model on comparisons (model_id)",
    "create index comparisons_against on comparisons (against_id)",
    "create table comparison_rounds (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        comparison_id {uuid} not null references comparisons (id) on delete cascade,
        number integer not null,
        prompt text not null,
        model_left boolean not null,
        model_text text not null,
        model_finished boolean not null,
        against_text text not null,
        against_finished boolean not null,
        vote text,
        voted_at {time},
        unique (comparison_id, number)
    )",
    "create index comparison_rounds_workspace on comparison_rounds (workspace_id)",
];

const DOWN: &[&str] = &[
    "drop table comparison_rounds",
    "drop table comparisons",
    "drop table model_exports",
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
