//! What the rows of datasets are, and what a repaired file does about a finding.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table datasets add column format text",
    "alter table datasets add column layout text",
    // So far, all were read as this.
    "update datasets set format = 'chat', layout = 'lines' where report is not null",
    "alter table dataset_findings add column repair text",
];

const DOWN: &[&str] = &[
    "alter table dataset_findings drop column repair",
    "alter table datasets drop column layout",
    "alter table datasets drop column format",
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
