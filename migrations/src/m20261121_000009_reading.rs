//! What is known of the structure of texts.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table documents add column tokens bigint",
    "alter table document_texts add column code text not null default '[]'",
    "alter table chunks add column headings text not null default '[]'",
    "alter table chunks add column tokens integer not null default 0",
];

const DOWN: &[&str] = &[
    "alter table chunks drop column tokens",
    "alter table chunks drop column headings",
    "alter table document_texts drop column code",
    "alter table documents drop column tokens",
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
