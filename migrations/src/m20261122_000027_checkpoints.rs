//! The adapters of checkpoints.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // All three are absent where the adapter is not kept.
    "alter table checkpoints add column id {uuid}",
    "alter table checkpoints add column blob_key text",
    "alter table checkpoints add column size_bytes bigint",
    "create unique index checkpoints_id on checkpoints (id)",
];

const DOWN: &[&str] = &[
    "drop index checkpoints_id",
    "alter table checkpoints drop column size_bytes",
    "alter table checkpoints drop column blob_key",
    "alter table checkpoints drop column id",
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
