//! Training examples. Those that were generated name the passage they come from.

use crate::{
    Db, DbError, Scope, Write, agents, convert, documents,
    notifications::{self, Audience},
};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    examples::{
        Example, ExampleFinding, ExampleOrigin, ExamplePatch, ExampleQuery, ExampleReview, ExampleSource,
        ExampleStatus, Grounding, NewExample,
    },
    ids::{AgentId, BatchId, ChunkId, DocumentId, ExampleId},
    notifications::{NotificationKind, NotificationSubject},
    wire::CursorPage,
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait},
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// An example whose quotation was checked. Offsets count characters of the document's text.
#[derive(Debug, Clone)]
pub struct GeneratedExample {
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    pub heading: Option<String>,
    pub quote: String,
    pub origin: ExampleOrigin,
    pub score: u8,
    pub findings: Vec<ExampleFinding>,
    /// `Ungrounded`: the span is that of the chunk.
    pub grounding: Grounding,
    pub duplicate_of: Option<ExampleId>,
    pub model: Option<String>,
    pub batch_id: Option<BatchId>,
}

/// What training needs of an example.
#[derive(Debug, Clone)]
pub struct ApprovedExample {
    /// Where it comes from.
    pub document_id: Option<DocumentId>,
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
}

/// Examples per insert: 20 values each stay well below the databases' limits on parameters.
const EXAMPLES_AT_ONCE: usize = 200;

/// Newest first, the examples of one document in the order of its text; those after the example `after`.
pub async fn list(
    scope: &Scope,
    db: &Db,
    query: &ExampleQuery,
    after: Option<ExampleId>,
    limit: u32,
) -> Result<CursorPage<Example>, DbError> {
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(document_id) = query.document_id {
        found = found.filter(row::Column::DocumentId.eq(document_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    if let Some(after) = after {
        found = found.filter(row::Column::Id.lt(after.0));
    }
    let mut rows = found
        .order_by_desc(row::Column::Id)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let items = wire_all(db.read(), rows).await?;
    Ok(CursorPage { items, next_cursor })
}

pub async fn find(scope: &Scope, db: &Db, id: ExampleId) -> Result<Example, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("example"))?;
    wire_one(db.read(), row).await
}

/// Adds an example that a person wrote; it starts approved.
pub async fn insert(write: &mut Write, new: &NewExample) -> Result<Example, DbError> {
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
        score: 100,
        findings: "[]".to_owned(),
        grounding: convert::name(&Grounding::None)?,
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

/// Adds what was made of a document, once: a document that is gone, or has examples already, stays as it is.
pub async fn insert_generated(
    write: &mut Write,
    document_id: DocumentId,
    generated: Vec<GeneratedExample>,
) -> Result<(), DbError> {
    let Some(agent_id) = documents::lock_agent_of(write, document_id).await? else {
        return Ok(());
    };
    let earlier = row::Entity::find()
        .filter(row::Column::DocumentId.eq(document_id.0))
        .one(write.connection())
        .await?;
    if earlier.is_some() || generated.is_empty() {
        return Ok(());
    }
    let count = insert_rows(write, agent_id, document_id, generated).await?;
    write.event(EventKind::ExamplesChanged, document_id.0, Some(agent_id));
    let names = documents::names(write.connection(), &[document_id.0]).await?;
    let name = names.get(&document_id.0).map_or("", String::as_str);
    let title = format!("{count} examples from “{name}” wait for review.");
    let (kind, subject) = (NotificationKind::ExamplesReady, NotificationSubject::Document);
    notifications::notify(
        write,
        kind,
        Audience::AtLeast(Role::Reviewer),
        &title,
        subject,
        document_id.0,
    )
    .await
}

/// Adds examples of a document that has some already, and tells how many: what stands there word for word is left out. The
/// caller holds the document.
pub(crate) async fn add_generated(
    write: &mut Write,
    agent_id: AgentId,
    document_id: DocumentId,
    mut generated: Vec<GeneratedExample>,
) -> Result<u64, DbError> {
    let prompts: Vec<&str> = generated.iter().map(|new| new.prompt.as_str()).collect();
    let there: Vec<(String, String)> = row::Entity::find()
        .filter(row::Column::DocumentId.eq(document_id.0))
        .filter(row::Column::Prompt.is_in(prompts))
        .select_only()
        .columns([row::Column::Prompt, row::Column::Response])
        .into_tuple()
        .all(write.connection())
        .await?;
    let mut there: HashSet<(String, String)> = there.into_iter().collect();
    generated.retain(|new| there.insert((new.prompt.clone(), new.response.clone())));
    if generated.is_empty() {
        return Ok(0);
    }
    let count = insert_rows(write, agent_id, document_id, generated).await?;
    write.event(EventKind::ExamplesChanged, document_id.0, Some(agent_id));
    Ok(count)
}

async fn insert_rows(
    write: &Write,
    agent_id: AgentId,
    document_id: DocumentId,
    generated: Vec<GeneratedExample>,
) -> Result<u64, DbError> {
    let (workspace_id, now) = (write.workspace_id()?.0, convert::now());
    let status = convert::name(&ExampleStatus::Pending)?;
    // Lists go by falling id: made backwards, the ids put the examples in the order of the text.
    let rows = generated.into_iter().rev().map(|new| {
        let findings = convert::json("example findings", &new.findings)?;
        let (origin, grounding) = (convert::name(&new.origin)?, convert::name(&new.grounding)?);
        Ok(row::ActiveModel {
            id: Set(Uuid::now_v7()),
            workspace_id: Set(workspace_id),
            agent_id: Set(agent_id.0),
            document_id: Set(Some(document_id.0)),
            chunk_id: Set(Some(new.chunk_id.0)),
            prompt: Set(new.prompt),
            reasoning: Set(new.reasoning),
            response: Set(new.response),
            status: Set(status.clone()),
            origin: Set(origin),
            start_at: Set(Some(convert::signed(new.start))),
            end_at: Set(Some(convert::signed(new.end))),
            page: Set(new.page.and_then(|page| i32::try_from(page).ok())),
            heading: Set(new.heading),
            quote: Set(Some(new.quote)),
            edited: Set(false),
            score: Set(i32::from(new.score)),
            findings: Set(findings),
            grounding: Set(grounding),
            duplicate_of: Set(new.duplicate_of.map(Uuid::from)),
            model: Set(new.model),
            batch_id: Set(new.batch_id.map(Uuid::from)),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        })
    });
    let rows = rows.collect::<Result<Vec<row::ActiveModel>, DbError>>()?;
    for some in rows.chunks(EXAMPLES_AT_ONCE) {
        row::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(rows.len() as u64)
}

/// Changes an example at `version`; `None` changes whatever version there is.
pub async fn update(
    write: &mut Write,
    id: ExampleId,
    version: Option<i64>,
    patch: &ExamplePatch,
) -> Result<Example, DbError> {
    let current = lock(write, id, version).await?;
    let mut row = current.clone().into_active_model();
    let mut reworded = false;
    for (column, old, new) in [
        (&mut row.prompt, &current.prompt, &patch.prompt),
        (&mut row.reasoning, &current.reasoning, &patch.reasoning),
        (&mut row.response, &current.response, &patch.response),
    ] {
        if let Some(new) = new {
            reworded |= new != old;
            *column = Set(new.clone());
        }
    }
    if let Some(status) = patch.status {
        row.status = Set(convert::name(&status)?);
    }
    let generated = current.origin != convert::name(&ExampleOrigin::Manual)?;
    row.edited = Set(current.edited || (generated && reworded));
    row.updated_at = Set(convert::now());
    row.version = Set(current.version + 1);
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    let fields = [
        patch.prompt.is_some().then_some("prompt"),
        patch.reasoning.is_some().then_some("reasoning"),
        patch.response.is_some().then_some("response"),
        patch.status.is_some().then_some("status"),
    ];
    write.audit(Action::Updated, Noun::Example, id, &convert::present(fields));
    wire_one(write.connection(), row).await
}

pub async fn delete(write: &mut Write, id: ExampleId, version: Option<i64>) -> Result<(), DbError> {
    let row = lock(write, id, version).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Deleted, Noun::Example, id, &[]);
    Ok(())
}

/// Sets the status of many examples of an agent and tells how many changed.
pub async fn review(write: &mut Write, review: &ExampleReview) -> Result<u64, DbError> {
    agents::require(write, review.agent_id).await?;
    let status = convert::name(&review.status)?;
    let mut found = row::Entity::update_many()
        .col_expr(row::Column::Status, Expr::value(status.clone()))
        .col_expr(row::Column::UpdatedAt, Expr::value(convert::now()))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::AgentId.eq(review.agent_id.0))
        .filter(row::Column::Status.ne(status));
    found = match &review.ids {
        Some(ids) => found.filter(row::Column::Id.is_in(ids.iter().map(|id| id.0))),
        None => found.filter(row::Column::Status.eq(convert::name(&ExampleStatus::Pending)?)),
    };
    let count = found.exec(write.connection()).await?.rows_affected;
    if count > 0 {
        write.event(EventKind::ExamplesChanged, review.agent_id.0, Some(review.agent_id));
    }
    write.audit(Action::Reviewed, Noun::Agent, review.agent_id, &["status"]);
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

async fn lock(write: &Write, id: ExampleId, version: Option<i64>) -> Result<row::Model, DbError> {
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("example"))?;
    match version {
        Some(version) if version != row.version => Err(DbError::Stale {
            noun: "example",
            current: row.version,
        }),
        _ => Ok(row),
    }
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
    rows.into_iter().map(|row| wire(row, &names)).collect()
}

fn wire(row: row::Model, names: &HashMap<Uuid, String>) -> Result<Example, DbError> {
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
