//! Concepts, diagrams and their share links.

use crate::ddl;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "create table concepts (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        agent_id {uuid} not null,
        document_id {uuid} not null references documents (id) on delete cascade,
        name text not null,
        name_key text not null,
        description text not null,
        category text not null,
        level text not null,
        importance integer not null,
        origin text not null,
        quote text,
        start_at bigint,
        end_at bigint,
        page integer,
        grounding text not null,
        model text,
        edited boolean not null,
        created_at {time} not null,
        updated_at {time} not null,
        version bigint not null,
        unique (document_id, name_key)
    )",
    "create index concepts_workspace on concepts (workspace_id, importance)",
    "create table diagrams (
        id {uuid} primary key,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        document_id {uuid} references documents (id) on delete cascade,
        concept_id {uuid} references concepts (id) on delete set null,
        slug text not null,
        title text not null,
        domain text not null,
        level text not null,
        tags text not null,
        source text not null,
        summary text not null,
        notes text not null,
        status text not null,
        error text,
        origin text not null,
        model text,
        input text,
        run_id {uuid},
        share_hash text unique,
        created_at {time} not null,
        updated_at {time} not null,
        version bigint not null,
        unique (workspace_id, slug)
    )",
    "create index diagrams_document on diagrams (document_id)",
    "create index diagrams_concept on diagrams (concept_id)",
    "create index diagrams_run on diagrams (run_id)",
    // Made of the source, and made again when it is missing.
    "create table diagram_pictures (
        diagram_id {uuid} primary key references diagrams (id) on delete cascade,
        svg text not null
    )",
    "create table studies (
        document_id {uuid} primary key references documents (id) on delete cascade,
        workspace_id {uuid} not null references workspaces (id) on delete cascade,
        status text not null,
        error text,
        run_id {uuid}
    )",
];

const DOWN: &[&str] = &[
    "drop table studies",
    "drop table diagram_pictures",
    "drop table diagrams",
    "drop table concepts",
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
