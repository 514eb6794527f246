//! Datasets, bases, training jobs with their metrics and log, models, recorded calls.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table datasets (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} references agents (id) on delete set null,
        name text not null,
        source text not null,
        blob_key text not null,
        status text not null,
        error text,
        size_bytes bigint not null,
        sha256 text,
        report text,
        created_at {time} not null,
        updated_at {time} not null
    )",
    "create index datasets_workspace on datasets (workspace_id, id)",
    "create index datasets_agent on datasets (agent_id)",
    "create table dataset_findings (
        seq {serial},
        dataset_id {uuid} not null references datasets (id) on delete cascade,
        line bigint not null,
        field text not null,
        code text not null,
        severity text not null,
        message text not null,
        fix text not null
    )",
    "create index dataset_findings_dataset on dataset_findings (dataset_id, seq)",
    "create table bases (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        name text not null,
        source text not null,
        location text not null,
        status text not null,
        error text,
        architecture text,
        parameters bigint,
        size_bytes bigint,
        license text,
        context_length bigint,
        created_at {time} not null,
        constraint bases_location unique (workspace_id, source, location)
    )",
    "create table jobs (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} references agents (id) on delete set null,
        dataset_id {uuid} not null references datasets (id),
        base_id {uuid} not null references bases (id),
        parameters text not null,
        status text not null,
        cancel_requested boolean not null,
        plan text,
        step bigint not null,
        train_loss double precision,
        validation_loss double precision,
        failure text,
        created_at {time} not null,
        started_at {time},
        finished_at {time}
    )",
    "create index jobs_workspace on jobs (workspace_id, id)",
    "create index jobs_agent on jobs (agent_id)",
    "create index jobs_dataset on jobs (dataset_id)",
    "create index jobs_base on jobs (base_id)",
    "create index jobs_queue on jobs (status, id)",
    "create table metric_points (
        job_id {uuid} not null references jobs (id) on delete cascade,
        step bigint not null,
        epoch double precision not null,
        loss double precision,
        learning_rate double precision,
        grad_norm double precision,
        tokens_per_second double precision,
        memory_bytes bigint,
        validation_loss double precision,
        validation_token_accuracy double precision,
        primary key (job_id, step)
    )",
    "create table job_log (
        seq {serial},
        job_id {uuid} not null references jobs (id) on delete cascade,
        at {time} not null,
        level text not null,
        message text not null
    )",
    "create index job_log_job on job_log (job_id, seq)",
    "create table models (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} references agents (id) on delete set null,
        job_id {uuid} not null unique references jobs (id),
        dataset_id {uuid} not null references datasets (id),
        base_id {uuid} not null references bases (id),
        name text not null,
        blob_key text not null,
        seed bigint not null,
        steps bigint not null,
        train_loss double precision not null,
        initial_validation_loss double precision,
        validation_loss double precision,
        size_bytes bigint not null,
        sha256 text not null,
        created_at {time} not null
    )",
    "create index models_workspace on models (workspace_id, id)",
    "create index models_agent on models (agent_id)",
    "create index models_dataset on models (dataset_id)",
    "create index models_base on models (base_id)",
    "create table calls (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid},
        model_id {uuid},
        outcome text not null,
        prompt_tokens bigint not null,
        completion_tokens bigint not null,
        duration_ms bigint not null,
        at {time} not null
    )",
    "create index calls_workspace on calls (workspace_id, at)",
];

const DOWN: &[&str] = &[
    "drop table calls",
    "drop table models",
    "drop table job_log",
    "drop table metric_points",
    "drop table jobs",
    "drop table bases",
    "drop table dataset_findings",
    "drop table datasets",
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
