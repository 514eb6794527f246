//! Quality of examples, and who reviews which.

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
];

const DOWN: &[&str] = &[
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
