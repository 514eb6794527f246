//! What a language model thinks of two models' answers.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table comparisons add column judging boolean not null default false",
    "alter table comparisons add column judge_error text",
    "alter table comparison_rounds add column judge_ruling text",
    "alter table comparison_rounds add column judge_opinions text",
    "alter table comparison_rounds add column judge_cost_micros bigint",
    "alter table comparison_rounds add column judged_at {time}",
    "alter table comparison_rounds add column judge_error text",
];

const DOWN: &[&str] = &[
    "alter table comparison_rounds drop column judge_error",
    "alter table comparison_rounds drop column judged_at",
    "alter table comparison_rounds drop column judge_cost_micros",
    "alter table comparison_rounds drop column judge_opinions",
    "alter table comparison_rounds drop column judge_ruling",
    "alter table comparisons drop column judge_error",
    "alter table comparisons drop column judging",
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
