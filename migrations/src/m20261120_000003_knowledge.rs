//! Agents, documents with their text and chunks, full-text search, examples.

use crate::ddl;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table agents (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        name text not null,
        description text not null,
        wizard_step integer not null,
        training text not null,
        model_id {uuid},
        job_id {uuid},
        created_at {time} not null,
        updated_at {time} not null,
        version bigint not null
    )",
    "create index agents_workspace on agents (workspace_id, id)",
    "create table documents (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} not null references agents (id) on delete cascade,
        kind text not null,
        name text not null,
        format text not null,
        blob_key text not null,
        size_bytes bigint not null,
        sha256 text not null,
        status text not null,
        error_code text,
        error_message text,
        characters bigint,
        pages integer,
        created_at {time} not null,
        updated_at {time} not null
    )",
    "create index documents_agent on documents (agent_id, id)",
    "create index documents_workspace on documents (workspace_id, id)",
    "create table document_texts (
        document_id {uuid} primary key references documents (id) on delete cascade,
        body text not null,
        pages text not null
    )",
    "create table chunks (
        seq {serial},
        id {uuid} not null unique,
        document_id {uuid} not null references documents (id) on delete cascade,
        idx integer not null,
        start_at bigint not null,
        end_at bigint not null,
        page integer,
        heading text,
        body text not null,
        constraint chunks_document_idx unique (document_id, idx)
    )",
    "create table examples (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} not null references agents (id) on delete cascade,
        document_id {uuid} references documents (id) on delete cascade,
        chunk_id {uuid},
        prompt text not null,
        reasoning text not null,
        response text not null,
        status text not null,
        origin text not null,
        start_at bigint,
        end_at bigint,
        page integer,
        heading text,
        quote text,
        edited boolean not null,
        created_at {time} not null,
        updated_at {time} not null,
        version bigint not null
    )",
    "create index examples_agent on examples (agent_id, status, id)",
    "create index examples_workspace on examples (workspace_id, id)",
    "create index examples_document on examples (document_id)",
];

const SQLITE_SEARCH: &[&str] = &[
    "create virtual table chunks_search using fts5 (body, content='chunks', content_rowid='seq', \
     tokenize='unicode61 remove_diacritics 2')",
    "insert into chunks_search (chunks_search, rank) values ('secure-delete', 1)",
    "create trigger chunks_search_insert after insert on chunks begin
        insert into chunks_search (rowid, body) values (new.seq, new.body);
    end",
    "create trigger chunks_search_delete after delete on chunks begin
        insert into chunks_search (chunks_search, rowid, body) values ('delete', old.seq, old.body);
    end",
];

const POSTGRES_SEARCH: &[&str] = &[
    "alter table chunks add column search tsvector generated always as (to_tsvector('simple', body)) stored",
    "create index chunks_search on chunks using gin (search)",
];

const DOWN: &[&str] = &[
    "drop table examples",
    "drop table chunks",
    "drop table document_texts",
    "drop table documents",
    "drop table agents",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        match manager.get_database_backend() {
            DbBackend::Sqlite => ddl::run(manager, SQLITE_SEARCH).await,
            _ => ddl::run(manager, POSTGRES_SEARCH).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            ddl::run(manager, &["drop table chunks_search"]).await?;
        }
        ddl::run(manager, DOWN).await
    }
}
