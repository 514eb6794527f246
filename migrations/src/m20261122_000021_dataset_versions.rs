//! Datasets are versions of each other, keep a part to measure on, and wait for a while before they are gone.

use crate::ddl;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // The first of its versions; each is one of its own so far.
    "alter table datasets add column line_id {uuid}",
    "update datasets set line_id = id",
    "alter table datasets add column number integer not null default 1",
    "alter table datasets add column parent_id {uuid} references datasets (id) on delete set null",
    "alter table datasets add column filters text",
    "create unique index datasets_line on datasets (line_id, number)",
    "create index datasets_parent on datasets (parent_id)",
    "create index datasets_sha256 on datasets (workspace_id, sha256)",
    "alter table datasets add column deleted_at {time}",
    // Together or not at all.
    "alter table datasets add column validation_fraction double precision",
    "alter table datasets add column split_seed bigint",
    "create index datasets_deleted on datasets (deleted_at)",
    // They are made another way now; the next look for near duplicates makes them anew.
    "delete from example_signatures",
    "alter table uploads add column version_of {uuid} references datasets (id) on delete set null",
    "create index uploads_version on uploads (version_of)",
];

const DOWN: &[&str] = &[
    "drop index uploads_version",
    "alter table uploads drop column version_of",
    "alter table datasets drop column split_seed",
    "alter table datasets drop column validation_fraction",
    "drop index datasets_deleted",
    "alter table datasets drop column deleted_at",
    "drop index datasets_sha256",
    "drop index datasets_parent",
    "drop index datasets_line",
    "alter table datasets drop column filters",
    "alter table datasets drop column parent_id",
    "alter table datasets drop column number",
    "alter table datasets drop column line_id",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        // The dataset says now which part of it is kept out of training.
        let sql = match manager.get_database_backend() {
            DbBackend::Sqlite => "update jobs set parameters = json_remove(parameters, '$.validation_fraction')",
            _ => "update jobs set parameters = (parameters::jsonb - 'validation_fraction')::text",
        };
        ddl::run(manager, &[sql]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}
