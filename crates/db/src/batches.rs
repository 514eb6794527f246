//! Batches of generated examples. An item is a chunk with the template it is asked by; how far a batch has come is counted
//! from its items.
//!
//! Whoever changes a batch locks its document first, then the batch, then its items.

mod items;

pub use items::{Done, ItemWork, Look, finish_item, list_items, look, put_back, stop};

use crate::{
    Db, DbError, Scope, Write, agents, convert, documents,
    notifications::{self, Audience},
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    batches::{Batch, BatchItemStatus, BatchPause, BatchProgress, BatchQuery, BatchStatus, NewBatch, PauseReason},
    documents::{Document, DocumentKind, DocumentStatus},
    events::EventKind,
    ids::{AgentId, BatchId, BatchItemId, ChunkId, DocumentId},
    notifications::{NotificationKind, NotificationSubject},
    templates::TemplateKind,
    wire::{Page, Paging},
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select, Statement,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Items of a batch that are worked on at once.
const AT_ONCE: u64 = 4;
/// Items per insert: 16 values each stay well below the databases' limits on parameters.
const ITEMS_AT_ONCE: usize = 200;

/// A chunk of which examples could be made.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub document_id: DocumentId,
    pub chunk_id: ChunkId,
    pub template: TemplateKind,
    pub template_version: i64,
    pub characters: u64,
}

/// The documents that a batch would be made of, ready ones of the agent alone.
///
/// # Errors
/// `DbError::NotFound` for a document that is not the agent's, `DbError::Conflict` for one that is not ready.
pub async fn documents_of(scope: &Scope, db: &Db, new: &NewBatch) -> Result<Vec<Document>, DbError> {
    agents::find(scope, db, new.agent_id).await?;
    let Some(ids) = &new.document_ids else {
        return documents::list_ready(scope, db, new.agent_id, DocumentKind::WorkProduct).await;
    };
    let mut ids = ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let document = documents::find(scope, db, id).await?;
        if document.agent_id != new.agent_id {
            return Err(DbError::NotFound("document"));
        }
        if document.status != DocumentStatus::Ready {
            let message = format!("“{}” is not ready. Leave it out, or wait until it is.", document.name);
            return Err(DbError::Conflict(message));
        }
        found.push(document);
    }
    Ok(found)
}

pub async fn list(scope: &Scope, db: &Db, query: &BatchQuery) -> Result<Page<Batch>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(wire_all(db.read(), rows).await?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: BatchId) -> Result<Batch, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    wire_one(db.read(), row.ok_or(DbError::NotFound("batch"))?).await
}

/// Adds a batch over `sources`, in their order, and gives the items to start with.
///
/// # Errors
/// `DbError::NotFound` when a document has gone meanwhile.
pub async fn insert(
    write: &mut Write,
    new: &NewBatch,
    sources: &[Source],
    model: Option<String>,
) -> Result<(Batch, Vec<BatchItemId>), DbError> {
    agents::require(write, new.agent_id).await?;
    let mut ids: Vec<DocumentId> = sources.iter().map(|source| source.document_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if !documents::lock_all(write, &ids).await? {
        return Err(DbError::NotFound("document"));
    }
    let per_chunk = new.per_chunk(sources.len() as u64);
    let now = convert::now();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.0,
        status: convert::name(&BatchStatus::Running)?,
        pause: None,
        judge: new.judge && model.is_some(),
        per_chunk: i32::try_from(per_chunk).unwrap_or(1),
        target_count: new.target_count.map(convert::signed),
        model,
        created_at: now,
        updated_at: now,
        finished_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    insert_items(write, &row, sources).await?;
    let fields = ["agent_id", "document_ids", "target_count", "per_chunk", "judge"];
    write.audit(Action::Started, Noun::Batch, row.id, &fields);
    let (row, next) = advance(write, row).await?;
    Ok((wire_one(write.connection(), row).await?, next))
}

async fn insert_items(write: &Write, batch: &row::Model, sources: &[Source]) -> Result<(), DbError> {
    let waiting = convert::name(&BatchItemStatus::Waiting)?;
    let rows = (0..).zip(sources).map(|(idx, source)| {
        Ok(items::row::ActiveModel {
            id: Set(Uuid::now_v7()),
            workspace_id: Set(batch.workspace_id),
            batch_id: Set(batch.id),
            document_id: Set(source.document_id.0),
            chunk_id: Set(source.chunk_id.0),
            idx: Set(idx),
            template: Set(convert::name(&source.template)?),
            template_version: Set(source.template_version),
            status: Set(waiting.clone()),
            round: Set(1),
            error: Set(None),
            examples: Set(0),
            prompt_tokens: Set(0),
            completion_tokens: Set(0),
            cost_micros: Set(None),
            updated_at: Set(batch.created_at),
        })
    });
    let rows = rows.collect::<Result<Vec<_>, DbError>>()?;
    for some in rows.chunks(ITEMS_AT_ONCE) {
        items::row::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

/// Starts no further item; those that are worked on come to their end.
pub async fn pause(write: &mut Write, id: BatchId) -> Result<Batch, DbError> {
    let row = lock(write, id).await?;
    require(&row, &[BatchStatus::Running], "Only a running batch can be paused.")?;
    write.audit(Action::Updated, Noun::Batch, id, &["status"]);
    let message = "Somebody paused it. Continue whenever you like.".to_owned();
    let reason = PauseReason::Person;
    let row = set_paused(write, row, &BatchPause { reason, message }).await?;
    wire_one(write.connection(), row).await
}

/// Goes on with a paused batch and gives the items to start with.
pub async fn resume(write: &mut Write, id: BatchId) -> Result<(Batch, Vec<BatchItemId>), DbError> {
    let row = lock(write, id).await?;
    require(&row, &[BatchStatus::Paused], "Only a paused batch can be continued.")?;
    write.audit(Action::Resumed, Noun::Batch, id, &[]);
    let row = set_running(write, row).await?;
    let (row, next) = advance(write, row).await?;
    Ok((wire_one(write.connection(), row).await?, next))
}

/// Ends a batch; what it has made stays.
pub async fn cancel(write: &mut Write, id: BatchId) -> Result<Batch, DbError> {
    let row = lock(write, id).await?;
    let open = [BatchStatus::Running, BatchStatus::Paused];
    require(&row, &open, "This batch is over already.")?;
    let left = [BatchItemStatus::Waiting, BatchItemStatus::Running];
    items::set_all(write, row.id, &left, BatchItemStatus::Skipped).await?;
    write.audit(Action::Cancelled, Noun::Batch, id, &[]);
    let row = set_over(write, row, BatchStatus::Cancelled).await?;
    wire_one(write.connection(), row).await
}

/// Puts the failed items in line again and gives those to start with.
pub async fn retry(write: &mut Write, id: BatchId) -> Result<(Batch, Vec<BatchItemId>), DbError> {
    let row = lock(write, id).await?;
    let kept = [BatchStatus::Running, BatchStatus::Paused, BatchStatus::Done];
    require(&row, &kept, "This batch was cancelled. Start another one.")?;
    if items::retry_failed(write, row.id).await? == 0 {
        return Err(DbError::Conflict("No item of this batch has failed.".to_owned()));
    }
    write.audit(Action::Retried, Noun::Batch, id, &[]);
    let row = set_running(write, row).await?;
    let (row, next) = advance(write, row).await?;
    Ok((wire_one(write.connection(), row).await?, next))
}

/// Marks as many waiting items as running as there is room for, and ends the batch when nothing is left. Every change
/// of a batch ends with this.
async fn advance(write: &mut Write, batch: row::Model) -> Result<(row::Model, Vec<BatchItemId>), DbError> {
    changed(write, &batch);
    if batch.status != convert::name(&BatchStatus::Running)? {
        return Ok((batch, Vec::new()));
    }
    let progress = progress(write.connection(), &[batch.id]).await?;
    let mut progress = progress.get(&batch.id).copied().unwrap_or_default();
    let enough = |target: i64| progress.examples >= convert::unsigned(target);
    if batch.target_count.is_some_and(enough) && progress.waiting > 0 {
        let waiting = [BatchItemStatus::Waiting];
        items::set_all(write, batch.id, &waiting, BatchItemStatus::Skipped).await?;
        progress.waiting = 0;
    }
    if progress.waiting == 0 && progress.running == 0 {
        return Ok((finish(write, batch, &progress).await?, Vec::new()));
    }
    let room = AT_ONCE.saturating_sub(progress.running);
    let next = items::start_some(write, batch.id, room).await?;
    Ok((batch, next))
}

async fn finish(write: &mut Write, batch: row::Model, progress: &BatchProgress) -> Result<row::Model, DbError> {
    let batch = set_over(write, batch, BatchStatus::Done).await?;
    write.audit(Action::Finished, Noun::Batch, batch.id, &[]);
    let title = match progress.failed {
        0 => format!("A batch is done: {} examples wait for review.", progress.examples),
        failed => format!(
            "A batch is done: {} examples wait for review, {failed} parts failed.",
            progress.examples
        ),
    };
    tell(write, &batch, &title).await?;
    Ok(batch)
}

async fn tell(write: &Write, batch: &row::Model, title: &str) -> Result<(), DbError> {
    let (kind, subject) = (NotificationKind::BatchFinished, NotificationSubject::Batch);
    notifications::notify(write, kind, Audience::AtLeast(Role::Reviewer), title, subject, batch.id).await
}

/// Deletes what was said of an agent's batches, for whoever deletes it in this transaction.
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

async fn set_paused(write: &mut Write, batch: row::Model, pause: &BatchPause) -> Result<row::Model, DbError> {
    let mut batch = batch.into_active_model();
    batch.status = Set(convert::name(&BatchStatus::Paused)?);
    batch.pause = Set(Some(convert::json("batch pause", pause)?));
    save(write, batch).await
}

async fn set_running(write: &mut Write, batch: row::Model) -> Result<row::Model, DbError> {
    let mut batch = batch.into_active_model();
    batch.status = Set(convert::name(&BatchStatus::Running)?);
    batch.pause = Set(None);
    batch.finished_at = Set(None);
    save(write, batch).await
}

async fn set_over(write: &mut Write, batch: row::Model, status: BatchStatus) -> Result<row::Model, DbError> {
    let mut batch = batch.into_active_model();
    batch.status = Set(convert::name(&status)?);
    batch.pause = Set(None);
    batch.finished_at = Set(Some(convert::now()));
    save(write, batch).await
}

async fn save(write: &mut Write, mut batch: row::ActiveModel) -> Result<row::Model, DbError> {
    batch.updated_at = Set(convert::now());
    let batch = batch.update(write.connection()).await?;
    changed(write, &batch);
    Ok(batch)
}

fn changed(write: &mut Write, batch: &row::Model) {
    write.event(EventKind::BatchChanged, batch.id, Some(AgentId(batch.agent_id)));
}

fn require(batch: &row::Model, allowed: &[BatchStatus], message: &str) -> Result<(), DbError> {
    let status: BatchStatus = convert::parse_name("batch status", &batch.status)?;
    if allowed.contains(&status) {
        return Ok(());
    }
    Err(DbError::Conflict(message.to_owned()))
}

async fn lock(write: &Write, id: BatchId) -> Result<row::Model, DbError> {
    try_lock(write, id).await?.ok_or(DbError::NotFound("batch"))
}

async fn try_lock(write: &Write, id: BatchId) -> Result<Option<row::Model>, DbError> {
    let found = scoped(&write.scope()?, id).lock_exclusive();
    Ok(found.one(write.connection()).await?)
}

fn scoped(scope: &Scope, id: BatchId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

/// How far batches have come.
async fn progress(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, BatchProgress>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let marks: Vec<String> = (1..=ids.len()).map(|index| format!("${index}")).collect();
    let sum = |column: &str| format!("cast(coalesce(sum({column}), 0) as bigint) as {column}");
    let sql = format!(
        "select batch_id, status, count(*) as items, count(cost_micros) as priced, {}, {}, {}, {} from batch_items \
         where batch_id in ({}) group by batch_id, status",
        sum("examples"),
        sum("prompt_tokens"),
        sum("completion_tokens"),
        sum("cost_micros"),
        marks.join(", ")
    );
    let values = ids.iter().map(|id| (*id).into());
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let mut all: HashMap<Uuid, BatchProgress> = HashMap::new();
    for found in connection.query_all_raw(statement).await? {
        let number = |column: &str| Ok::<_, DbError>(convert::unsigned(found.try_get("", column)?));
        let (status, items): (String, u64) = (found.try_get("", "status")?, number("items")?);
        let progress = all.entry(found.try_get("", "batch_id")?).or_default();
        progress.total += items;
        match convert::parse_name("batch item status", &status)? {
            BatchItemStatus::Waiting => progress.waiting += items,
            BatchItemStatus::Running => progress.running += items,
            BatchItemStatus::Done => progress.done += items,
            BatchItemStatus::Failed => progress.failed += items,
            BatchItemStatus::Skipped => progress.skipped += items,
        }
        progress.examples += number("examples")?;
        progress.prompt_tokens += number("prompt_tokens")?;
        progress.completion_tokens += number("completion_tokens")?;
        if number("priced")? > 0 {
            let cost: i64 = found.try_get("", "cost_micros")?;
            progress.cost_micros = Some(progress.cost_micros.unwrap_or(0) + cost);
        }
    }
    Ok(all)
}

async fn wire_one(connection: &impl ConnectionTrait, row: row::Model) -> Result<Batch, DbError> {
    let id = row.id;
    let mut batches = wire_all(connection, vec![row]).await?;
    batches.pop().ok_or_else(|| DbError::Corrupt("batch", id.to_string()))
}

async fn wire_all(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Batch>, DbError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let progress = progress(connection, &ids).await?;
    let wire = |row: row::Model| {
        let pause = row.pause.as_deref();
        Ok(Batch {
            id: BatchId(row.id),
            agent_id: AgentId(row.agent_id),
            status: convert::parse_name("batch status", &row.status)?,
            pause: pause.map(|text| convert::parse_json("batch pause", text)).transpose()?,
            judge: row.judge,
            per_chunk: u32::try_from(row.per_chunk).unwrap_or_default(),
            target_count: row.target_count.map(convert::unsigned),
            model: row.model,
            progress: progress.get(&row.id).copied().unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
        })
    };
    rows.into_iter().map(wire).collect()
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "batches")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Uuid,
        pub status: String,
        pub pause: Option<String>,
        pub judge: bool,
        pub per_chunk: i32,
        pub target_count: Option<i64>,
        pub model: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
