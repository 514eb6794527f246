//! Which job's model another job goes on from.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table jobs add column parent_id {uuid} references jobs (id) on delete set null",
    "create index jobs_parent on jobs (parent_id)",
    // Measured on rows kept apart.
    "alter table models add column token_accuracy double precision",
    "alter table models add column generation_overlap double precision",
];

const DOWN: &[&str] = &[
    "alter table models drop column generation_overlap",
    "alter table models drop column token_accuracy",
    "drop index jobs_parent",
    "alter table jobs drop column parent_id",
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
