//! The audit log, stored secrets, where datasets and models come from, deletions with their receipts.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table settings (
        name text primary key,
        value text not null
    )",
    // Without foreign keys: what was done outlives what it was done to. `at` is microseconds since the Unix epoch, a
    // number, so that there is one way only to write it.
    "create table audit (
        workspace_id {uuid} not null,
        seq bigint not null,
        at bigint not null,
        actor_kind text not null,
        actor_id {uuid},
        action text not null,
        noun text not null,
        subject_id {uuid} not null,
        fields text not null,
        key_id text not null,
        mac text not null,
        primary key (workspace_id, seq)
    )",
    "create index audit_at on audit (workspace_id, at)",
    "create index audit_subject on audit (workspace_id, subject_id, seq)",
    "create table audit_heads (
        workspace_id {uuid} primary key,
        seq bigint not null,
        mac text not null,
        key_id text not null,
        own_mac text not null
    )",
    "create table provider_keys (
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        provider text not null,
        hint text not null,
        key_id text not null,
        nonce text not null,
        ciphertext text not null,
        created_at {time} not null,
        primary key (workspace_id, provider)
    )",
    // A document's id outlives it here until what was made of it is gone too.
    "create table dataset_documents (
        dataset_id {uuid} not null references datasets (id) on delete cascade,
        document_id {uuid} not null,
        primary key (dataset_id, document_id)
    )",
    "create index dataset_documents_document on dataset_documents (document_id)",
    "alter table models add column source_deleted_at {time}",
    "alter table workspaces add column deleting_at {time}",
    "create table deletions (
        id {uuid} primary key,
        workspace_id {uuid} not null,
        requested_by {uuid},
        subject text not null,
        subject_id {uuid} not null,
        status text not null,
        work text not null,
        summary text not null,
        receipt_id {uuid} not null,
        created_at {time} not null,
        finished_at {time}
    )",
    "create index deletions_workspace on deletions (workspace_id, id)",
    "create table receipts (
        id {uuid} primary key,
        payload text not null,
        public_key text not null,
        signature text not null,
        created_at {time} not null
    )",
];

const DOWN: &[&str] = &[
    "drop table receipts",
    "drop table deletions",
    "alter table workspaces drop column deleting_at",
    "alter table models drop column source_deleted_at",
    "drop table dataset_documents",
    "drop table provider_keys",
    "drop table audit_heads",
    "drop table audit",
    "drop table settings",
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
