//! The items of a batch: what each needs to be worked on, and how each ends.

use super::{advance, row as batch_row, set_paused, tell, try_lock};
use crate::{
    Db, DbError, Scope, Write, chunks, convert, documents,
    examples::{self, GeneratedExample},
    templates,
};
use cerebros_common::{
    audit::{Action, Noun},
    batches::{BatchItem, BatchItemError, BatchItemQuery, BatchItemStatus, BatchPause, BatchStatus, PauseReason},
    documents::{Chunk, ChunkPlace},
    ids::{BatchId, BatchItemId, ChunkId, DocumentId},
    wire::CursorPage,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

/// So many items that failed one after the other stop their batch.
const FAILURES_BORNE: u64 = 20;

/// What a task finds when it looks at its item.
#[derive(Debug)]
pub enum Look {
    Work(Box<ItemWork>),
    /// The item or its batch is gone or settled, or the batch is paused.
    Nothing,
}

/// What it takes to work on an item.
#[derive(Debug, Clone)]
pub struct ItemWork {
    pub id: BatchItemId,
    pub batch_id: BatchId,
    pub round: u32,
    pub judge: bool,
    pub per_chunk: u32,
    /// Whether a language model is asked.
    pub by_model: bool,
    pub document_id: DocumentId,
    pub document_name: String,
    pub chunk: Chunk,
    pub instructions: String,
}

/// What an item gave.
#[derive(Debug, Clone, Default)]
pub struct Done {
    pub examples: Vec<GeneratedExample>,
    /// What went wrong although there are examples.
    pub note: Option<BatchItemError>,
}

/// Items of a batch after the position `after`, in the order in which they are worked on.
pub async fn list_items(
    scope: &Scope,
    db: &Db,
    batch_id: BatchId,
    query: &BatchItemQuery,
    after: Option<i32>,
    limit: u32,
) -> Result<CursorPage<BatchItem>, DbError> {
    super::find(scope, db, batch_id).await?;
    let mut found = row::Entity::find()
        .filter(row::Column::BatchId.eq(batch_id.0))
        .filter(row::Column::Idx.gt(after.unwrap_or(-1)));
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    let mut rows = found
        .order_by_asc(row::Column::Idx)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.idx.to_string());
    let ids: Vec<Uuid> = rows.iter().map(|row| row.document_id).collect();
    let names = documents::names(db.read(), &ids).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.chunk_id).collect();
    let places = chunks::places(db, &ids).await?;
    let items = rows.into_iter().map(|row| {
        let name = names.get(&row.document_id).cloned().unwrap_or_default();
        let place = places.get(&row.chunk_id).cloned().unwrap_or_default();
        wire(row, name, place)
    });
    Ok(CursorPage {
        items: items.collect::<Result<_, _>>()?,
        next_cursor,
    })
}

/// Reads an item that is to be worked on.
pub async fn look(scope: &Scope, db: &Db, batch_id: BatchId, id: BatchItemId) -> Result<Look, DbError> {
    let batch = super::scoped(scope, batch_id).one(db.read()).await?;
    let item = row::Entity::find_by_id(id.0).one(db.read()).await?;
    let Some((batch, item)) = batch.zip(item.filter(|item| item.batch_id == batch_id.0)) else {
        return Ok(Look::Nothing);
    };
    if batch.status != convert::name(&BatchStatus::Running)? || item.status != convert::name(&BatchItemStatus::Running)?
    {
        return Ok(Look::Nothing);
    }
    let document_id = DocumentId(item.document_id);
    let chunk = chunks::find(scope, db, ChunkId(item.chunk_id)).await?;
    let document = documents::find(scope, db, document_id).await?;
    let template = convert::parse_name("template", &item.template)?;
    Ok(Look::Work(Box::new(ItemWork {
        id,
        batch_id,
        round: u32::try_from(item.round).unwrap_or(1),
        judge: batch.judge,
        per_chunk: u32::try_from(batch.per_chunk).unwrap_or(1),
        by_model: batch.model.is_some(),
        document_id,
        document_name: document.name,
        chunk,
        instructions: templates::instructions(scope, db, template, item.template_version).await?,
    })))
}

/// Puts an item that nobody works on any more in line again, and gives the items to go on with.
pub async fn put_back(write: &mut Write, batch_id: BatchId, id: BatchItemId) -> Result<Vec<BatchItemId>, DbError> {
    let Some(batch) = try_lock(write, batch_id).await? else {
        return Ok(Vec::new());
    };
    if let Some(item) = running(write, &batch, id).await? {
        set_waiting(write, item).await?;
    }
    Ok(advance(write, batch).await?.1)
}

/// Stores what came of an item, with its examples, and gives the items to go on with. One that is gone or settled, as after a
/// cancellation, stays as it is.
pub async fn finish_item(
    write: &mut Write,
    batch_id: BatchId,
    id: BatchItemId,
    outcome: Result<Done, BatchItemError>,
) -> Result<Vec<BatchItemId>, DbError> {
    let found = row::Entity::find_by_id(id.0).one(write.connection()).await?;
    let agent_id = match &found {
        Some(item) => documents::lock_agent_of(write, DocumentId(item.document_id)).await?,
        None => None,
    };
    let Some(batch) = try_lock(write, batch_id).await? else {
        return Ok(Vec::new());
    };
    let item = running(write, &batch, id).await?;
    let Some((item, agent_id)) = item.zip(agent_id) else {
        return Ok(advance(write, batch).await?.1);
    };
    let document_id = DocumentId(item.document_id);
    let mut item = item.into_active_model();
    item.updated_at = Set(convert::now());
    let failed = outcome.is_err();
    match outcome {
        Ok(done) => {
            let mut examples = done.examples;
            examples.truncate(room(write, &batch).await?);
            for example in &mut examples {
                example.batch_id = Some(batch_id);
            }
            let stored = examples::add_generated(write, agent_id, document_id, examples).await?;
            item.status = Set(convert::name(&BatchItemStatus::Done)?);
            item.error = Set(done
                .note
                .map(|note| convert::json("batch item error", &note))
                .transpose()?);
            item.examples = Set(i32::try_from(stored).unwrap_or(i32::MAX));
        }
        Err(error) => {
            item.status = Set(convert::name(&BatchItemStatus::Failed)?);
            item.error = Set(Some(convert::json("batch item error", &error)?));
        }
    }
    let (prompt_tokens, completion_tokens, cost_micros) = spent(write, id).await?;
    item.prompt_tokens = Set(prompt_tokens);
    item.completion_tokens = Set(completion_tokens);
    item.cost_micros = Set(cost_micros);
    item.update(write.connection()).await?;
    if failed && only_failures(write, &batch).await? {
        let message = format!(
            "The last {FAILURES_BORNE} parts failed, one after the other. See why below, then continue or retry them."
        );
        let reason = PauseReason::Failures;
        halt(write, batch, &BatchPause { reason, message }).await?;
        return Ok(Vec::new());
    }
    Ok(advance(write, batch).await?.1)
}

/// Pauses a batch that cannot go on, and puts the item that found it out in line again.
pub async fn stop(write: &mut Write, batch_id: BatchId, id: BatchItemId, pause: &BatchPause) -> Result<(), DbError> {
    let Some(batch) = try_lock(write, batch_id).await? else {
        return Ok(());
    };
    if let Some(item) = running(write, &batch, id).await? {
        set_waiting(write, item).await?;
    }
    halt(write, batch, pause).await
}

/// Others of the batch may have found out the same.
async fn halt(write: &mut Write, batch: batch_row::Model, pause: &BatchPause) -> Result<(), DbError> {
    if batch.status != convert::name(&BatchStatus::Running)? {
        super::changed(write, &batch);
        return Ok(());
    }
    let batch = set_paused(write, batch, pause).await?;
    write.audit(Action::Failed, Noun::Batch, batch.id, &[]);
    tell(write, &batch, "A batch stopped on an error and waits for you.").await
}

/// What all questions about an item took, whatever came of them.
async fn spent(write: &Write, id: BatchItemId) -> Result<(i64, i64, Option<i64>), DbError> {
    let sql = "select cast(coalesce(sum(prompt_tokens), 0) as bigint) as prompt_tokens, \
               cast(coalesce(sum(completion_tokens), 0) as bigint) as completion_tokens, \
               cast(sum(cost_micros) as bigint) as cost_micros from llm_calls where workspace_id = $1 and subject_id = $2";
    let tx = write.connection();
    let values = [write.workspace_id()?.0.into(), id.0.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let found = tx.query_one_raw(statement).await?.ok_or(DbError::NotFound("sum"))?;
    Ok((
        found.try_get("", "prompt_tokens")?,
        found.try_get("", "completion_tokens")?,
        found.try_get("", "cost_micros")?,
    ))
}

/// How many more examples the batch wants.
async fn room(write: &Write, batch: &batch_row::Model) -> Result<usize, DbError> {
    let Some(target) = batch.target_count else {
        return Ok(usize::MAX);
    };
    let progress = super::progress(write.connection(), &[batch.id]).await?;
    let made = progress.get(&batch.id).map_or(0, |progress| progress.examples);
    Ok(usize::try_from(convert::unsigned(target).saturating_sub(made)).unwrap_or(usize::MAX))
}

/// Whether the items that ended last have all failed.
async fn only_failures(write: &Write, batch: &batch_row::Model) -> Result<bool, DbError> {
    let ended = [BatchItemStatus::Done, BatchItemStatus::Failed];
    let ended = ended.iter().map(convert::name).collect::<Result<Vec<_>, _>>()?;
    let last: Vec<String> = row::Entity::find()
        .filter(row::Column::BatchId.eq(batch.id))
        .filter(row::Column::Status.is_in(ended))
        .order_by_desc(row::Column::UpdatedAt)
        .limit(FAILURES_BORNE)
        .select_only()
        .column(row::Column::Status)
        .into_tuple()
        .all(write.connection())
        .await?;
    let failed = convert::name(&BatchItemStatus::Failed)?;
    Ok(last.len() as u64 >= FAILURES_BORNE && last.iter().all(|status| *status == failed))
}

/// The item, if it is being worked on.
async fn running(write: &Write, batch: &batch_row::Model, id: BatchItemId) -> Result<Option<row::Model>, DbError> {
    let running = convert::name(&BatchItemStatus::Running)?;
    let found = row::Entity::find_by_id(id.0)
        .filter(row::Column::BatchId.eq(batch.id))
        .filter(row::Column::Status.eq(running))
        .lock_exclusive();
    Ok(found.one(write.connection()).await?)
}

async fn set_waiting(write: &Write, item: row::Model) -> Result<(), DbError> {
    let mut item = item.into_active_model();
    item.status = Set(convert::name(&BatchItemStatus::Waiting)?);
    item.updated_at = Set(convert::now());
    item.update(write.connection()).await?;
    Ok(())
}

/// Marks up to `room` waiting items as running.
pub(super) async fn start_some(write: &Write, batch_id: Uuid, room: u64) -> Result<Vec<BatchItemId>, DbError> {
    let ids: Vec<Uuid> = row::Entity::find()
        .filter(row::Column::BatchId.eq(batch_id))
        .filter(row::Column::Status.eq(convert::name(&BatchItemStatus::Waiting)?))
        .order_by_asc(row::Column::Idx)
        .limit(room)
        .select_only()
        .column(row::Column::Id)
        .into_tuple()
        .all(write.connection())
        .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::update_many()
        .col_expr(
            row::Column::Status,
            Expr::value(convert::name(&BatchItemStatus::Running)?),
        )
        .col_expr(row::Column::UpdatedAt, Expr::value(convert::now()))
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .exec(write.connection())
        .await?;
    Ok(ids.into_iter().map(BatchItemId).collect())
}

/// Gives all items in some states another one.
pub(super) async fn set_all(
    write: &Write,
    batch_id: Uuid,
    from: &[BatchItemStatus],
    to: BatchItemStatus,
) -> Result<(), DbError> {
    let from = from.iter().map(convert::name).collect::<Result<Vec<_>, _>>()?;
    row::Entity::update_many()
        .col_expr(row::Column::Status, Expr::value(convert::name(&to)?))
        .col_expr(row::Column::UpdatedAt, Expr::value(convert::now()))
        .filter(row::Column::BatchId.eq(batch_id))
        .filter(row::Column::Status.is_in(from))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Puts failed items in line again, as new questions, and tells how many there were.
pub(super) async fn retry_failed(write: &Write, batch_id: Uuid) -> Result<u64, DbError> {
    let changed = row::Entity::update_many()
        .col_expr(
            row::Column::Status,
            Expr::value(convert::name(&BatchItemStatus::Waiting)?),
        )
        .col_expr(row::Column::Round, Expr::col(row::Column::Round).add(1))
        .col_expr(row::Column::Error, Expr::value(Option::<String>::None))
        .col_expr(row::Column::UpdatedAt, Expr::value(convert::now()))
        .filter(row::Column::BatchId.eq(batch_id))
        .filter(row::Column::Status.eq(convert::name(&BatchItemStatus::Failed)?))
        .exec(write.connection())
        .await?;
    Ok(changed.rows_affected)
}

fn wire(row: row::Model, document_name: String, place: ChunkPlace) -> Result<BatchItem, DbError> {
    let error = row.error.as_deref();
    Ok(BatchItem {
        id: BatchItemId(row.id),
        document_id: DocumentId(row.document_id),
        document_name,
        chunk_id: ChunkId(row.chunk_id),
        place,
        template: convert::parse_name("template", &row.template)?,
        template_version: row.template_version,
        status: convert::parse_name("batch item status", &row.status)?,
        error: error
            .map(|text| convert::parse_json("batch item error", text))
            .transpose()?,
        round: u32::try_from(row.round).unwrap_or(1),
        examples: u32::try_from(row.examples).unwrap_or_default(),
        prompt_tokens: convert::unsigned(row.prompt_tokens),
        completion_tokens: convert::unsigned(row.completion_tokens),
        cost_micros: row.cost_micros,
        updated_at: row.updated_at,
    })
}

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "batch_items")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub batch_id: Uuid,
        pub document_id: Uuid,
        pub chunk_id: Uuid,
        pub idx: i32,
        pub template: String,
        pub template_version: i64,
        pub status: String,
        pub round: i32,
        pub error: Option<String>,
        pub examples: i32,
        pub prompt_tokens: i64,
        pub completion_tokens: i64,
        pub cost_micros: Option<i64>,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
