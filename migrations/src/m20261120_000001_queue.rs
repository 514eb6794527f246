//! The tables of the `queue` crate. Its times are milliseconds since the Unix epoch by the database's own clock.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table tasks (
        id {uuid} primary key,
        queue text not null,
        name text not null,
        payload text not null,
        workspace_id {uuid},
        dedup_key text,
        status text not null,
        run_at bigint not null,
        attempts bigint not null,
        max_attempts bigint not null,
        lease_token {uuid},
        lease_until bigint,
        last_error text,
        created_at bigint not null,
        finished_at bigint,
        constraint tasks_status check (status in ('queued', 'running', 'done', 'dead'))
    )",
    "create index tasks_claim on tasks (queue, run_at, id) where status = 'queued'",
    "create index tasks_lease on tasks (lease_until) where status = 'running'",
    "create unique index tasks_dedup on tasks (name, dedup_key)
        where dedup_key is not null and status in ('queued', 'running')",
    "create index tasks_workspace on tasks (workspace_id, id)",
    "create index tasks_finished on tasks (finished_at) where status = 'done'",
    "create table task_schedules (
        name text primary key,
        slot bigint not null
    )",
];

const DOWN: &[&str] = &["drop table task_schedules", "drop table tasks"];

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
