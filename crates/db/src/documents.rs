//! Documents with their extracted text and chunks.

mod sources;

pub use sources::{chunk_lengths, find_chunk, list_ready};

use crate::{
    Db, DbError, Scope, Write, agents, convert,
    notifications::{self, Audience},
    paging::page,
    uploads,
};
use cerebros_common::{
    audit::{Action, Noun},
    documents::{
        Chunk, Document, DocumentError, DocumentFormat, DocumentKind, DocumentPage, DocumentQuery, DocumentStatus,
        DocumentText, MAX_DOCUMENTS_PER_KIND, Scan,
    },
    events::EventKind,
    ids::{AgentId, ChunkId, DocumentId, UploadId},
    notifications::{NotificationKind, NotificationSubject},
    wire::{CursorPage, Page, Paging},
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, Statement,
    sea_query::SelectStatement,
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
    pub pages: Vec<DocumentPage>,
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

#[derive(Debug, Clone)]
pub struct NewChunk {
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    pub heading: Option<String>,
    pub text: String,
}

/// Chunks per insert: 9 values each stay well below the databases' limits on parameters.
const CHUNKS_AT_ONCE: usize = 200;

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
    let text = text_row::Entity::find_by_id(id.0)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("document text"))?;
    let chunks = chunk::Entity::find()
        .filter(chunk::Column::DocumentId.eq(id.0))
        .order_by_asc(chunk::Column::Idx)
        .all(db.read())
        .await?;
    Ok(WholeDocument {
        document,
        pages: convert::parse_json("document page", &text.pages)?,
        text: text.body,
        chunks: chunks.into_iter().map(wire_chunk).collect::<Result<_, _>>()?,
    })
}

/// The pages of documents; of those without pages an empty list.
pub async fn pages(
    scope: &Scope,
    db: &Db,
    ids: &[DocumentId],
) -> Result<HashMap<DocumentId, Vec<DocumentPage>>, DbError> {
    let found: Vec<(Uuid, String)> = text_row::Entity::find()
        .select_only()
        .columns([text_row::Column::DocumentId, text_row::Column::Pages])
        .filter(text_row::Column::DocumentId.in_subquery(ids_in(scope, ids)))
        .into_tuple()
        .all(db.read())
        .await?;
    let pages = |(id, pages): (Uuid, String)| Ok((DocumentId(id), convert::parse_json("document page", &pages)?));
    found.into_iter().map(pages).collect()
}

/// Those of the ids that are documents of the workspace.
fn ids_in(scope: &Scope, ids: &[DocumentId]) -> SelectStatement {
    row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .into_query()
}

/// Up to `length` characters from `offset` on.
///
/// # Errors
/// `DbError::Conflict` as long as there is no text.
pub async fn text(scope: &Scope, db: &Db, id: DocumentId, offset: u64, length: u64) -> Result<DocumentText, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("document"))?;
    let Some(total) = row.characters.map(convert::unsigned) else {
        let message = "This document has no text yet: it has it once its status is `ready`.";
        return Err(DbError::Conflict(message.to_owned()));
    };
    let offset = offset.min(total);
    let end = offset.saturating_add(length).min(total);
    // PostgreSQL's `substr` takes 32-bit numbers; no extracted text is that long.
    let number = |value: u64| i32::try_from(value).unwrap_or(i32::MAX);
    let statement = Statement::from_sql_and_values(
        db.read().get_database_backend(),
        "select substr(body, $1, $2) as body, pages from document_texts where document_id = $3",
        [number(offset + 1).into(), number(end - offset).into(), id.0.into()],
    );
    let found = db
        .read()
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| DbError::Corrupt("document text", id.to_string()))?;
    let pages: String = found.try_get("", "pages")?;
    let mut pages: Vec<DocumentPage> = convert::parse_json("document page", &pages)?;
    pages.retain(|page| page.start < end && page.end > offset);
    Ok(DocumentText {
        text: found.try_get("", "body")?,
        offset,
        total,
        pages,
    })
}

/// Chunks after the index `after`, in order.
pub async fn chunks(
    scope: &Scope,
    db: &Db,
    id: DocumentId,
    after: Option<i32>,
    limit: u32,
) -> Result<CursorPage<Chunk>, DbError> {
    scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("document"))?;
    let mut rows = chunk::Entity::find()
        .filter(chunk::Column::DocumentId.eq(id.0))
        .filter(chunk::Column::Idx.gt(after.unwrap_or(-1)))
        .order_by_asc(chunk::Column::Idx)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.idx.to_string());
    let items = rows.into_iter().map(wire_chunk).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
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
    let text = text_row::ActiveModel {
        document_id: Set(id.0),
        pages: Set(convert::json("document page", &extraction.pages)?),
        body: Set(extraction.text),
    };
    text_row::Entity::insert(text)
        .exec_without_returning(write.connection())
        .await?;
    insert_chunks(write, id, extraction.chunks).await?;
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DocumentStatus::Ready)?);
    row.characters = Set(Some(convert::signed(extraction.characters)));
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
pub async fn lock_agent_of(write: &Write, id: DocumentId) -> Result<Option<AgentId>, DbError> {
    Ok(lock(write, id).await?.map(|row| AgentId(row.agent_id)))
}

/// Refuses a document that nobody has read yet.
pub(crate) async fn require_text(write: &Write, id: DocumentId) -> Result<(), DbError> {
    let read = text_row::Entity::find_by_id(id.0)
        .select_only()
        .column(text_row::Column::DocumentId)
        .into_tuple::<Uuid>()
        .one(write.connection())
        .await?;
    if read.is_none() {
        let message = "This document has no text yet: it has it once its status is `ready`.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    Ok(())
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

/// The text of a chunk, and the character of its document at which it starts.
pub(crate) async fn chunk_text(
    connection: &impl ConnectionTrait,
    id: ChunkId,
) -> Result<Option<(String, u64)>, DbError> {
    let found: Option<(String, i64)> = chunk::Entity::find()
        .select_only()
        .columns([chunk::Column::Body, chunk::Column::StartAt])
        .filter(chunk::Column::Id.eq(id.0))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.map(|(text, start)| (text, convert::unsigned(start))))
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

async fn insert_chunks(write: &Write, id: DocumentId, chunks: Vec<NewChunk>) -> Result<(), DbError> {
    let rows: Vec<chunk::ActiveModel> = (0..)
        .zip(chunks)
        .map(|(idx, new)| chunk::ActiveModel {
            seq: NotSet,
            id: Set(Uuid::now_v7()),
            document_id: Set(id.0),
            idx: Set(idx),
            start_at: Set(convert::signed(new.start)),
            end_at: Set(convert::signed(new.end)),
            page: Set(new.page.and_then(|page| i32::try_from(page).ok())),
            heading: Set(new.heading),
            body: Set(new.text),
        })
        .collect();
    for some in rows.chunks(CHUNKS_AT_ONCE) {
        chunk::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
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

fn wire_chunk(row: chunk::Model) -> Result<Chunk, DbError> {
    let index = u32::try_from(row.idx).map_err(|error| DbError::Corrupt("chunk index", error.to_string()))?;
    Ok(Chunk {
        id: ChunkId(row.id),
        document_id: DocumentId(row.document_id),
        index,
        start: convert::unsigned(row.start_at),
        end: convert::unsigned(row.end_at),
        page: row.page.and_then(|page| u32::try_from(page).ok()),
        heading: row.heading,
        text: row.body,
    })
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
        pub pages: Option<i32>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod text_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "document_texts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub document_id: Uuid,
        pub body: String,
        pub pages: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod chunk {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "chunks")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub id: Uuid,
        pub document_id: Uuid,
        pub idx: i32,
        pub start_at: i64,
        pub end_at: i64,
        pub page: Option<i32>,
        pub heading: Option<String>,
        pub body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
