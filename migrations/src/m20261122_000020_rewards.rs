//! What training on pairs of answers measures.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table metric_points add column reward_margin double precision",
    "alter table metric_points add column reward_accuracy double precision",
    "alter table metric_points add column validation_reward_margin double precision",
    "alter table metric_points add column validation_reward_accuracy double precision",
];

const DOWN: &[&str] = &[
    "alter table metric_points drop column validation_reward_accuracy",
    "alter table metric_points drop column validation_reward_margin",
    "alter table metric_points drop column reward_accuracy",
    "alter table metric_points drop column reward_margin",
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
