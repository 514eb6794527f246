//! Documents with their extracted text and chunks.

mod sources;

pub use sources::list_ready;

use crate::{
    Db, DbError, Scope, Write, agents,
    chunks::{self, NewChunk},
    convert, document_texts,
    notifications::{self, Audience},
    paging::page,
    uploads,
};
use cerebros_common::{
    audit::{Action, Noun},
    documents::{
        Chunk, Document, DocumentError, DocumentFormat, DocumentKind, DocumentPage, DocumentQuery, DocumentStatus,
        MAX_DOCUMENTS_PER_KIND, Scan,
    },
    events::EventKind,
    ids::{AgentId, DocumentId, UploadId},
    notifications::{NotificationKind, NotificationSubject},
    wire::{Page, Paging},
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement, sea_query::SelectStatement,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A document with the key of its file.
#[derive(Debug, Clone)]
pub struct LocatedDocument {
    pub document: Document,
    pub blob_key: String,
}

/// A file that lies in the store already.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    pub id: DocumentId,
    pub agent_id: AgentId,
    pub kind: DocumentKind,
    pub name: String,
    pub format: DocumentFormat,
    pub blob_key: String,
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// What reading a file gave. Offsets count characters.
#[derive(Debug, Clone)]
pub struct Extraction {
    pub text: String,
    pub characters: u64,
    pub tokens: u64,
    pub pages: Vec<DocumentPage>,
    /// Where code lies in the text.
    pub code: Vec<(u64, u64)>,
    pub chunks: Vec<NewChunk>,
}

/// A document that is ready, with all that was read in it.
#[derive(Debug, Clone)]
pub struct WholeDocument {
    pub document: Document,
    pub text: String,
    pub pages: Vec<DocumentPage>,
    pub chunks: Vec<Chunk>,
}

pub async fn list(scope: &Scope, db: &Db, query: &DocumentQuery) -> Result<Page<Document>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(kind) = query.kind {
        found = found.filter(row::Column::Kind.eq(convert::name(&kind)?));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(wire_all(db.read(), rows).await?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: DocumentId) -> Result<Document, DbError> {
    Ok(find_located(scope, db, id).await?.document)
}

pub async fn find_located(scope: &Scope, db: &Db, id: DocumentId) -> Result<LocatedDocument, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("document"))?;
    located(db.read(), row).await
}

/// For tasks: text and chunks in whole.
///
/// # Errors
/// `DbError::NotFound` also for a document without text.
pub async fn find_whole(scope: &Scope, db: &Db, id: DocumentId) -> Result<WholeDocument, DbError> {
    let document = find(scope, db, id).await?;
    let (text, pages) = document_texts::whole(db, id).await?;
    Ok(WholeDocument {
        document,
        pages,
        text,
        chunks: chunks::all(db, id).await?,
    })
}

/// How long the text of a document is, in characters.
///
/// # Errors
/// `DbError::Conflict` as long as there is no text.
pub(crate) async fn require_text(
    scope: &Scope,
    connection: &impl ConnectionTrait,
    id: DocumentId,
) -> Result<u64, DbError> {
    let row = scoped(scope, id)
        .one(connection)
        .await?
        .ok_or(DbError::NotFound("document"))?;
    row.characters.map(convert::unsigned).ok_or_else(|| {
        let message = "This document has no text yet: it has it once its status is `ready`.";
        DbError::Conflict(message.to_owned())
    })
}

/// The ids among these that are the workspace's, for a condition.
pub(crate) fn among(scope: &Scope, ids: &[DocumentId]) -> SelectStatement {
    row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .into_query()
}

/// Refuses what [`insert`] would refuse before anything is uploaded.
pub async fn check_room(scope: &Scope, db: &Db, agent_id: AgentId, kind: DocumentKind) -> Result<(), DbError> {
    agents::find(scope, db, agent_id).await?;
    require_room(db.read(), agent_id, kind).await
}

/// Adds a document that waits to be read.
///
/// # Errors
/// `DbError::NotFound` for another workspace's agent; `DbError::Conflict` when the agent has enough of this kind, or this
/// very file.
pub async fn insert(write: &mut Write, new: StoredDocument) -> Result<Document, DbError> {
    agents::require(write, new.agent_id).await?;
    require_room(write.connection(), new.agent_id, new.kind).await?;
    require_new(write.connection(), new.agent_id, &new.sha256).await?;
    let now = convert::now();
    let row = row::Model {
        id: new.id.0,
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.0,
        kind: convert::name(&new.kind)?,
        name: new.name,
        format: convert::name(&new.format)?,
        blob_key: new.blob_key,
        size_bytes: convert::signed(new.size_bytes),
        sha256: new.sha256,
        status: convert::name(&DocumentStatus::Uploaded)?,
        error_code: None,
        error_message: None,
        scan: None,
        characters: None,
        tokens: None,
        pages: None,
        created_at: now,
        updated_at: now,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    changed(write, &row);
    write.audit(Action::Created, Noun::Document, row.id, &["agent_id", "kind", "name"]);
    Ok(located(write.connection(), row).await?.document)
}

/// Marks a document as being read. `None`: it is gone, or settled already, and there is nothing to do.
pub async fn begin(write: &mut Write, id: DocumentId) -> Result<Option<LocatedDocument>, DbError> {
    let Some(row) = lock_unsettled(write, id).await? else {
        return Ok(None);
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Processing)?);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    located(write.connection(), row).await.map(Some)
}

/// Stores a document's text and chunks. `None`: it is gone, or settled already, and nothing was stored.
pub async fn finish(
    write: &mut Write,
    id: DocumentId,
    extraction: Extraction,
) -> Result<Option<DocumentKind>, DbError> {
    let Some(row) = lock_unsettled(write, id).await? else {
        return Ok(None);
    };
    let pages = (!extraction.pages.is_empty())
        .then(|| i32::try_from(extraction.pages.len()))
        .transpose()
        .map_err(|error| DbError::Corrupt("page count", error.to_string()))?;
    let Extraction {
        text,
        characters,
        tokens,
        code,
        ..
    } = extraction;
    chunks::insert(write, id, &text, extraction.chunks).await?;
    document_texts::insert(write, id, text, &extraction.pages, &code).await?;
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Ready)?);
    row.characters = Set(Some(convert::signed(characters)));
    row.tokens = Set(Some(convert::signed(tokens)));
    row.pages = Set(pages);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Finished, Noun::Document, id, &[]);
    convert::parse_name("document kind", &row.kind).map(Some)
}

/// Notes that a file may be read. A document that is gone or settled stays as it is.
pub async fn pass(write: &mut Write, id: DocumentId, scan: Scan) -> Result<(), DbError> {
    let Some(row) = lock_unsettled(write, id).await? else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.scan = Set(Some(convert::name(&scan)?));
    row.update(write.connection()).await?;
    Ok(())
}

/// Puts a document out of reach in which the virus scanner found something. One that is gone or settled stays as it is.
pub async fn quarantine(write: &mut Write, id: DocumentId, message: String) -> Result<(), DbError> {
    let Some(row) = lock_unsettled(write, id).await? else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Quarantined)?);
    row.scan = Set(Some(convert::name(&Scan::Infected)?));
    row.error_code = Set(Some("infected".to_owned()));
    row.error_message = Set(Some(message));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Failed, Noun::Document, id, &["scan"]);
    let title = format!("The virus scanner found something in “{}”.", row.name);
    let (kind, subject) = (NotificationKind::DocumentFailed, NotificationSubject::Document);
    notifications::notify(write, kind, Audience::AtLeast(Role::Editor), &title, subject, id).await?;
    Ok(())
}

/// Notes why a document could not be read. One that is gone or settled stays as it is.
pub async fn fail(write: &mut Write, id: DocumentId, error: &DocumentError) -> Result<(), DbError> {
    let Some(row) = lock_unsettled(write, id).await? else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Error)?);
    row.error_code = Set(Some(error.code.clone()));
    row.error_message = Set(Some(error.message.clone()));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Failed, Noun::Document, id, &[]);
    let title = format!("“{}” could not be read.", row.name);
    let (kind, subject) = (NotificationKind::DocumentFailed, NotificationSubject::Document);
    notifications::notify(write, kind, Audience::AtLeast(Role::Editor), &title, subject, id).await?;
    Ok(())
}

/// Makes a document whose status is `error` wait to be read once more.
pub async fn retry(write: &mut Write, id: DocumentId) -> Result<Document, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("document"))?;
    if row.status != convert::name(&DocumentStatus::Error)? {
        let message = format!(
            "Only a document in status `error` can be tried again; this one is `{}`.",
            row.status
        );
        return Err(DbError::Conflict(message));
    }
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Uploaded)?);
    row.error_code = Set(None);
    row.error_message = Set(None);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Retried, Noun::Document, id, &[]);
    Ok(located(write.connection(), row).await?.document)
}

/// Deletes a document with its text, chunks and examples. The caller removes the file of the returned key.
pub async fn delete(write: &mut Write, id: DocumentId) -> Result<String, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("document"))?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    uploads::forget(write, UploadId(id.0)).await?;
    notifications::forget(write, [row.id]).await?;
    write.event(EventKind::DocumentDeleted, row.id, Some(AgentId(row.agent_id)));
    write.audit(Action::Deleted, Noun::Document, id, &[]);
    Ok(row.blob_key)
}

/// Deletes what was said of an agent's documents, for whoever deletes it in this transaction.
pub(crate) async fn forget_of_agent(write: &Write, agent_id: AgentId) -> Result<(), DbError> {
    let ids: Vec<Uuid> = row::Entity::find()
        .filter(row::Column::AgentId.eq(agent_id.0))
        .select_only()
        .column(row::Column::Id)
        .into_tuple()
        .all(write.connection())
        .await?;
    notifications::forget(write, ids).await
}

/// The keys of all files of an agent, for whoever deletes it in this transaction.
pub async fn blob_keys_of_agent(write: &Write, agent_id: AgentId) -> Result<Vec<String>, DbError> {
    Ok(row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::AgentId.eq(agent_id.0))
        .select_only()
        .column(row::Column::BlobKey)
        .into_tuple()
        .all(write.connection())
        .await?)
}

/// The agent of a document, which stays as it is until the transaction ends. `None`: it is gone.
pub(crate) async fn lock_agent_of(write: &Write, id: DocumentId) -> Result<Option<AgentId>, DbError> {
    Ok(lock(write, id).await?.map(|row| AgentId(row.agent_id)))
}

/// Keeps documents as they are until the transaction ends. `false`: not all are there.
pub(crate) async fn lock_all(write: &Write, ids: &[DocumentId]) -> Result<bool, DbError> {
    let found: Vec<Uuid> = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .select_only()
        .column(row::Column::Id)
        .into_tuple()
        .all(write.connection())
        .await?;
    Ok(found.len() == ids.len())
}

pub(crate) async fn names(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, DbError> {
    let found: Vec<(Uuid, String)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::Name])
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

async fn require_room(connection: &impl ConnectionTrait, agent_id: AgentId, kind: DocumentKind) -> Result<(), DbError> {
    let count = row::Entity::find()
        .filter(row::Column::AgentId.eq(agent_id.0))
        .filter(row::Column::Kind.eq(convert::name(&kind)?))
        .count(connection)
        .await?;
    if count < MAX_DOCUMENTS_PER_KIND {
        return Ok(());
    }
    Err(DbError::Conflict(format!(
        "There are {count} documents of this kind already; at most {MAX_DOCUMENTS_PER_KIND} are taken. Delete one first."
    )))
}

/// # Errors
/// `DbError::Conflict` when the agent has this very file.
pub(crate) async fn require_new(
    connection: &impl ConnectionTrait,
    agent_id: AgentId,
    sha256: &str,
) -> Result<(), DbError> {
    let same = row::Entity::find()
        .filter(row::Column::AgentId.eq(agent_id.0))
        .filter(row::Column::Sha256.eq(sha256))
        .one(connection)
        .await?;
    let Some(same) = same else { return Ok(()) };
    let message = format!(
        "This file is here already, as \"{}\". Delete that document first if you want to upload it again.",
        same.name
    );
    Err(DbError::Conflict(message))
}

async fn lock(write: &Write, id: DocumentId) -> Result<Option<row::Model>, DbError> {
    Ok(scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?)
}

/// A document that nothing has been decided about: `uploaded` or `processing`.
async fn lock_unsettled(write: &Write, id: DocumentId) -> Result<Option<row::Model>, DbError> {
    let open = [
        convert::name(&DocumentStatus::Uploaded)?,
        convert::name(&DocumentStatus::Processing)?,
    ];
    Ok(lock(write, id).await?.filter(|row| open.contains(&row.status)))
}

fn changed(write: &mut Write, row: &row::Model) {
    write.event(EventKind::DocumentChanged, row.id, Some(AgentId(row.agent_id)));
}

fn scoped(scope: &Scope, id: DocumentId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

async fn located(connection: &impl ConnectionTrait, row: row::Model) -> Result<LocatedDocument, DbError> {
    let (id, blob_key) = (row.id, row.blob_key.clone());
    let mut documents = wire_all(connection, vec![row]).await?;
    let document = documents
        .pop()
        .ok_or_else(|| DbError::Corrupt("document", id.to_string()))?;
    Ok(LocatedDocument { document, blob_key })
}

async fn wire_all(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Document>, DbError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let chunks = counts(connection, "chunks", &ids).await?;
    let examples = counts(connection, "examples", &ids).await?;
    rows.into_iter()
        .map(|row| {
            let error = row.error_code.zip(row.error_message);
            Ok(Document {
                id: DocumentId(row.id),
                agent_id: AgentId(row.agent_id),
                kind: convert::parse_name("document kind", &row.kind)?,
                name: row.name,
                format: convert::parse_name("document format", &row.format)?,
                size_bytes: convert::unsigned(row.size_bytes),
                sha256: row.sha256,
                status: convert::parse_name("document status", &row.status)?,
                error: error.map(|(code, message)| DocumentError { code, message }),
                scan: row.scan.map(|scan| convert::parse_name("scan", &scan)).transpose()?,
                characters: row.characters.map(convert::unsigned),
                tokens: row.tokens.map(convert::unsigned),
                pages: row.pages.and_then(|pages| u32::try_from(pages).ok()),
                chunks: chunks.get(&row.id).copied().unwrap_or(0),
                examples: examples.get(&row.id).copied().unwrap_or(0),
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

/// Rows of `table` per document.
async fn counts(
    connection: &impl ConnectionTrait,
    table: &str,
    documents: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbError> {
    if documents.is_empty() {
        return Ok(HashMap::new());
    }
    let marks: Vec<String> = (1..=documents.len()).map(|index| format!("${index}")).collect();
    let sql = format!(
        "select document_id, count(*) as total from {table} where document_id in ({}) group by document_id",
        marks.join(", ")
    );
    let values = documents.iter().map(|id| (*id).into());
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let mut counts = HashMap::new();
    for row in connection.query_all_raw(statement).await? {
        let total: i64 = row.try_get("", "total")?;
        counts.insert(row.try_get("", "document_id")?, convert::unsigned(total));
    }
    Ok(counts)
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Uuid,
        pub kind: String,
        pub name: String,
        pub format: String,
        pub blob_key: String,
        pub size_bytes: i64,
        pub sha256: String,
        pub status: String,
        pub error_code: Option<String>,
        pub error_message: Option<String>,
        pub scan: Option<String>,
        pub characters: Option<i64>,
        pub tokens: Option<i64>,
        pub pages: Option<i32>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
