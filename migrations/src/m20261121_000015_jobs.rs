//! Jobs that are paused, their checkpoints, their place in the queue, and what OpenAI's wire says about them.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "alter table jobs add column pause_requested boolean not null default false",
    // Counts how often it was queued: a task of an earlier time does nothing.
    "alter table jobs add column turn bigint not null default 0",
    "alter table jobs add column queued_at {time}",
    "update jobs set queued_at = created_at",
    "alter table jobs add column validation_dataset_id {uuid}",
    "alter table jobs add column suffix text",
    "alter table jobs add column metadata text",
    "alter table jobs add column results_bytes bigint",
    "create index jobs_validation_dataset on jobs (validation_dataset_id)",
    "alter table metric_points add column token_accuracy double precision",
    "alter table metric_points add column at {time}",
    "create table checkpoints (
        job_id {uuid} not null references jobs (id) on delete cascade,
        step bigint not null,
        at {time} not null,
        primary key (job_id, step)
    )",
];

const DOWN: &[&str] = &[
    "drop table checkpoints",
    "alter table metric_points drop column at",
    "alter table metric_points drop column token_accuracy",
    "drop index jobs_validation_dataset",
    "alter table jobs drop column results_bytes",
    "alter table jobs drop column metadata",
    "alter table jobs drop column suffix",
    "alter table jobs drop column validation_dataset_id",
    "alter table jobs drop column queued_at",
    "alter table jobs drop column turn",
    "alter table jobs drop column pause_requested",
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
