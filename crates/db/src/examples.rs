//! Training examples. Those that were generated name the passage they come from.

mod change;
mod duplicates;
mod filter;
mod generated;
mod holds;
mod reviews;
mod revisions;

use crate::{Db, DbError, Scope, Write, agents, convert, documents};
pub use change::{Assessed, Judged, Quoted, delete, split, undo, update};
pub use duplicates::{Signed, Unsigned, agent_of_batch, all_signed, regroup, sign, signed, unsigned};
pub use filter::After;
pub(crate) use generated::add_generated;
pub use generated::{GeneratedExample, insert_generated};
pub use holds::{claim, release};
pub use reviews::{preview, review, summary};

use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    examples::{
        Example, ExampleHold, ExampleLine, ExampleOrigin, ExampleOutlineQuery, ExampleQuery, ExampleSource,
        ExampleStatus, FindingKind, NewExample,
    },
    ids::{AgentId, BatchId, ChunkId, DocumentId, ExampleId},
    wire::CursorPage,
};
use filter::{condition, ordered};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
    sea_query::{Expr, Func},
};
use std::collections::HashMap;
use uuid::Uuid;

/// What training needs of an example.
#[derive(Debug, Clone)]
pub struct ApprovedExample {
    /// Where it comes from.
    pub document_id: Option<DocumentId>,
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
}

/// Those after `after`, in the order that the query asks for.
pub async fn list(
    scope: &Scope,
    db: &Db,
    query: &ExampleQuery,
    after: Option<After>,
    limit: u32,
) -> Result<CursorPage<Example>, DbError> {
    let sort = query.sort.unwrap_or_default();
    let found = row::Entity::find().filter(condition(scope, query.agent_id, &query.filter())?);
    let rows = ordered(found, sort, after)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let (rows, next_cursor) = stretch(rows, limit, |row| After::of(sort, row.score, row.id));
    let items = wire_all(db.read(), rows).await?;
    Ok(CursorPage { items, next_cursor })
}

/// As [`list`], with no more than a long list shows.
pub async fn outline(
    scope: &Scope,
    db: &Db,
    query: &ExampleOutlineQuery,
    after: Option<After>,
    limit: u32,
) -> Result<CursorPage<ExampleLine>, DbError> {
    use row::Column as C;
    let sort = query.sort.unwrap_or_default();
    let found = row::Entity::find().filter(condition(scope, query.agent_id, &query.filter())?);
    let beginning = Func::cust("substr").args([Expr::col(C::Prompt), Expr::value(1), Expr::value(160)]);
    let rows: Vec<Line> = ordered(found, sort, after)
        .select_only()
        .columns([
            C::Id,
            C::Status,
            C::Origin,
            C::Grounding,
            C::Score,
            C::Edited,
            C::DuplicateOf,
            C::Version,
        ])
        .column_as(Expr::expr(beginning), "prompt")
        .limit(u64::from(limit) + 1)
        .into_model()
        .all(db.read())
        .await?;
    let (rows, next_cursor) = stretch(rows, limit, |row| After::of(sort, row.score, row.id));
    let items = rows.into_iter().map(Line::wire).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
}

/// Cuts off what was read to see whether more follows.
fn stretch<R>(mut rows: Vec<R>, limit: u32, after: impl Fn(&R) -> After) -> (Vec<R>, Option<String>) {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| after(row).to_string());
    (rows, next)
}

#[derive(FromQueryResult)]
struct Line {
    id: Uuid,
    prompt: String,
    status: String,
    origin: String,
    grounding: String,
    score: i32,
    edited: bool,
    duplicate_of: Option<Uuid>,
    version: i64,
}

impl Line {
    fn wire(self) -> Result<ExampleLine, DbError> {
        Ok(ExampleLine {
            id: ExampleId(self.id),
            prompt: self.prompt,
            status: convert::parse_name("example status", &self.status)?,
            origin: convert::parse_name("example origin", &self.origin)?,
            grounding: convert::parse_name("grounding", &self.grounding)?,
            score: u8::try_from(self.score).unwrap_or_default(),
            edited: self.edited,
            duplicate_of: self.duplicate_of.map(ExampleId),
            version: self.version,
        })
    }
}

pub async fn find(scope: &Scope, db: &Db, id: ExampleId) -> Result<Example, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("example"))?;
    wire_one(db.read(), row).await
}

/// Adds an example that a person wrote; it starts approved.
pub async fn insert(write: &mut Write, new: &NewExample, assessed: Assessed) -> Result<Example, DbError> {
    agents::require(write, new.agent_id).await?;
    let now = convert::now();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.0,
        document_id: None,
        chunk_id: None,
        prompt: new.prompt.clone(),
        reasoning: new.reasoning.clone(),
        response: new.response.clone(),
        status: convert::name(&ExampleStatus::Approved)?,
        origin: convert::name(&ExampleOrigin::Manual)?,
        start_at: None,
        end_at: None,
        page: None,
        heading: None,
        quote: None,
        edited: false,
        score: i32::from(assessed.score),
        findings: convert::json("example findings", &assessed.findings)?,
        grounding: convert::name(&assessed.grounding)?,
        duplicate_of: None,
        model: None,
        batch_id: None,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    changed(write, &row);
    let fields = ["agent_id", "prompt", "reasoning", "response"];
    write.audit(Action::Created, Noun::Example, row.id, &fields);
    wire_one(write.connection(), row).await
}

/// A quotation as it is stored.
#[derive(Debug, Clone)]
pub struct StoredQuote {
    pub example: Example,
    pub quote: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    pub end: u64,
}

/// Up to `limit` examples that quote a document, after the example `after`, oldest first.
pub async fn quotes_of(
    scope: &Scope,
    db: &Db,
    document_id: DocumentId,
    after: Option<ExampleId>,
    limit: u64,
) -> Result<Vec<StoredQuote>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::DocumentId.eq(document_id.0))
        .filter(row::Column::Quote.is_not_null())
        .filter(row::Column::Id.gt(after.map_or(Uuid::nil(), |id| id.0)))
        .order_by_asc(row::Column::Id)
        .limit(limit)
        .all(db.read())
        .await?;
    let examples = wire_all(db.read(), rows).await?;
    let quotes = examples.into_iter().filter_map(|example| {
        let source = example.source.clone()?;
        Some(StoredQuote {
            example,
            quote: source.quote,
            chunk_id: source.chunk_id,
            start: source.start,
            end: source.end,
        })
    });
    Ok(quotes.collect())
}

/// Takes over what was found of examples that are still at the versions that were read; tells how many those were.
pub async fn reassess(
    write: &mut Write,
    document_id: DocumentId,
    found: Vec<(ExampleId, i64, Assessed)>,
) -> Result<u64, DbError> {
    let mut count = 0;
    for (id, version, assessed) in found {
        let mut row = find_row(write, id).await?;
        if row.version != version {
            continue;
        }
        change::apply(&mut row, assessed, &[FindingKind::Duplication, FindingKind::Judge])?;
        let row = row.into_active_model().reset_all().update(write.connection()).await?;
        changed(write, &row);
        count += 1;
    }
    write.audit(Action::Updated, Noun::Document, document_id, &["grounding"]);
    Ok(count)
}

/// Up to `limit` approved examples of an agent after the example `after`, oldest first, with the last one's id.
pub async fn approved(
    scope: &Scope,
    db: &Db,
    agent_id: AgentId,
    after: Option<ExampleId>,
    limit: u64,
) -> Result<Vec<(ExampleId, ApprovedExample)>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::AgentId.eq(agent_id.0))
        .filter(row::Column::Status.eq(convert::name(&ExampleStatus::Approved)?))
        .filter(row::Column::Id.gt(after.map_or(Uuid::nil(), |id| id.0)))
        .order_by_asc(row::Column::Id)
        .limit(limit)
        .all(db.read())
        .await?;
    let approved = rows.into_iter().map(|row| {
        let example = ApprovedExample {
            document_id: row.document_id.map(DocumentId),
            prompt: row.prompt,
            reasoning: row.reasoning,
            response: row.response,
        };
        (ExampleId(row.id), example)
    });
    Ok(approved.collect())
}

async fn find_row(write: &Write, id: ExampleId) -> Result<row::Model, DbError> {
    scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("example"))
}

fn is_generated(row: &row::Model) -> Result<bool, DbError> {
    Ok(row.origin != convert::name(&ExampleOrigin::Manual)?)
}

/// `$1, $2, ...` from a number on.
fn marks(from: usize, count: usize) -> String {
    let marks: Vec<String> = (from..from + count).map(|index| format!("${index}")).collect();
    marks.join(", ")
}

fn changed(write: &mut Write, row: &row::Model) {
    write.event(EventKind::ExamplesChanged, row.id, Some(AgentId(row.agent_id)));
}

fn scoped(scope: &Scope, id: ExampleId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

async fn wire_one(connection: &impl ConnectionTrait, row: row::Model) -> Result<Example, DbError> {
    let id = row.id;
    let mut examples = wire_all(connection, vec![row]).await?;
    examples
        .pop()
        .ok_or_else(|| DbError::Corrupt("example", id.to_string()))
}

async fn wire_all(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Example>, DbError> {
    let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.document_id).collect();
    let names = documents::names(connection, &ids).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut holds = holds::holds(connection, &ids).await?;
    let wired = rows.into_iter().map(|row| {
        let held = holds.remove(&row.id);
        wire(row, &names, held)
    });
    wired.collect()
}

fn wire(row: row::Model, names: &HashMap<Uuid, String>, held: Option<ExampleHold>) -> Result<Example, DbError> {
    let source = match (row.document_id, row.chunk_id, row.start_at.zip(row.end_at), row.quote) {
        (Some(document_id), Some(chunk_id), Some((start, end)), Some(quote)) => Some(ExampleSource {
            document_id: DocumentId(document_id),
            document_name: names.get(&document_id).cloned().unwrap_or_default(),
            chunk_id: ChunkId(chunk_id),
            start: convert::unsigned(start),
            end: convert::unsigned(end),
            page: row.page.and_then(|page| u32::try_from(page).ok()),
            heading: row.heading,
            quote,
        }),
        _ => None,
    };
    Ok(Example {
        id: ExampleId(row.id),
        agent_id: AgentId(row.agent_id),
        prompt: row.prompt,
        reasoning: row.reasoning,
        response: row.response,
        status: convert::parse_name("example status", &row.status)?,
        origin: convert::parse_name("example origin", &row.origin)?,
        source,
        edited: row.edited,
        score: u8::try_from(row.score).unwrap_or_default(),
        findings: convert::parse_json("example findings", &row.findings)?,
        grounding: convert::parse_name("grounding", &row.grounding)?,
        duplicate_of: row.duplicate_of.map(ExampleId),
        model: row.model,
        batch_id: row.batch_id.map(BatchId),
        held,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "examples")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Uuid,
        pub document_id: Option<Uuid>,
        pub chunk_id: Option<Uuid>,
        pub prompt: String,
        pub reasoning: String,
        pub response: String,
        pub status: String,
        pub origin: String,
        pub start_at: Option<i64>,
        pub end_at: Option<i64>,
        pub page: Option<i32>,
        pub heading: Option<String>,
        pub quote: Option<String>,
        pub edited: bool,
        pub score: i32,
        pub findings: String,
        pub grounding: String,
        pub duplicate_of: Option<Uuid>,
        pub model: Option<String>,
        pub batch_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
