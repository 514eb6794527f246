//! Language models: settings, prices, calls.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table llm_settings (
        workspace_id {uuid} primary key references workspaces (id) on delete cascade,
        provider text not null,
        base_url text,
        model text,
        parallel_calls integer not null,
        version bigint not null,
        updated_at {time} not null
    )",
    "create table llm_rate_limits (
        workspace_id {uuid} primary key references workspaces (id) on delete cascade,
        requests_limit bigint,
        requests_remaining bigint,
        requests_reset_at {time},
        tokens_limit bigint,
        tokens_remaining bigint,
        tokens_reset_at {time},
        at {time} not null
    )",
    "create table prices (
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        provider text not null,
        model text not null,
        prompt_micros bigint not null,
        completion_micros bigint not null,
        primary key (workspace_id, provider, model)
    )",
    "create table llm_calls (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        key text not null,
        purpose text not null,
        subject_id {uuid} not null,
        document_id {uuid},
        provider text not null,
        model text not null,
        outcome text not null,
        prompt_tokens bigint not null,
        completion_tokens bigint not null,
        cost_micros bigint,
        latency_ms bigint,
        maybe_paid_twice boolean not null,
        interruptions integer not null,
        question integer not null,
        error_category text,
        error_severity text,
        error_message text,
        answer text,
        answer_value text,
        answer_model text,
        created_at {time} not null,
        constraint llm_calls_key unique (workspace_id, key)
    )",
    "create index llm_calls_workspace on llm_calls (workspace_id, id)",
    "create index llm_calls_day on llm_calls (workspace_id, created_at)",
    "create index llm_calls_document on llm_calls (document_id)",
    "create index llm_calls_subject on llm_calls (subject_id)",
    "create index llm_calls_answers on llm_calls (created_at) where answer is not null",
    "create table llm_attempts (
        call_id {uuid} not null references llm_calls (id) on delete cascade,
        number integer not null,
        outcome text not null,
        status integer,
        error_category text,
        error_severity text,
        error_message text,
        prompt_tokens bigint not null,
        completion_tokens bigint not null,
        latency_ms bigint,
        at {time} not null,
        primary key (call_id, number)
    )",
    "create index llm_attempts_open on llm_attempts (at) where outcome = 'in_flight'",
];

const DOWN: &[&str] = &[
    "drop table llm_attempts",
    "drop table llm_calls",
    "drop table prices",
    "drop table llm_rate_limits",
    "drop table llm_settings",
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
