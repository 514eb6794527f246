//! The training of agents in stages.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table trainings (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} not null references agents (id) on delete cascade,
        base_id {uuid} not null references bases (id),
        parameters text not null,
        created_at {time} not null,
        cancelled_at {time}
    )",
    "create index trainings_workspace on trainings (workspace_id, id)",
    "create index trainings_agent on trainings (agent_id, id)",
    "create index trainings_base on trainings (base_id)",
    "create table training_stages (
        training_id {uuid} not null references trainings (id) on delete cascade,
        number integer not null,
        skipped text,
        dataset_id {uuid} references datasets (id) on delete set null,
        row_count bigint not null,
        left_out bigint not null,
        job_id {uuid} unique references jobs (id) on delete set null,
        primary key (training_id, number)
    )",
    "create index training_stages_dataset on training_stages (dataset_id)",
    // The stage of the newest job.
    "alter table agents add column stage integer not null default 5",
];

const DOWN: &[&str] = &[
    "alter table agents drop column stage",
    "drop table training_stages",
    "drop table trainings",
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
