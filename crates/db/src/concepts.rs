//! Concepts of documents. Names are unique within a document, whatever their case.

use crate::{Db, DbError, Scope, Write, agents::escape_like, convert, documents, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    concepts::{Concept, ConceptOrigin, ConceptPatch, ConceptQuery, ConceptSource, Level, NewConcept},
    events::EventKind,
    examples::Grounding,
    ids::{AgentId, ConceptId, DocumentId},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select, SqlErr,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};
use std::collections::HashMap;
use uuid::Uuid;

/// How many a document may have.
const MAX_PER_DOCUMENT: u64 = 500;

/// A concept that the generator or a language model found.
#[derive(Debug, Clone)]
pub struct FoundConcept {
    pub name: String,
    pub description: String,
    pub category: String,
    pub level: Level,
    pub importance: u8,
    pub origin: ConceptOrigin,
    pub source: Option<ConceptSource>,
    pub grounding: Grounding,
    pub model: Option<String>,
}

/// The most important first.
pub async fn list(scope: &Scope, db: &Db, query: &ConceptQuery) -> Result<Page<Concept>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(document_id) = query.document_id {
        found = found.filter(row::Column::DocumentId.eq(document_id.0));
    }
    if let Some(level) = query.level {
        found = found.filter(row::Column::Level.eq(convert::name(&level)?));
    }
    if let Some(search) = &query.search {
        let columns = [row::Column::Name, row::Column::Description, row::Column::Category];
        found = found.filter(holds(columns, search));
    }
    let ordered = found
        .order_by_desc(row::Column::Importance)
        .order_by_asc(row::Column::Id);
    let (rows, total) = page(db, ordered, paging).await?;
    Ok(paging.of(wire_all(db.read(), rows).await?, total))
}

/// Whether one of the columns holds the text, whatever its case.
pub(crate) fn holds<C: ColumnTrait, const N: usize>(columns: [C; N], text: &str) -> Condition {
    let pattern = format!("%{}%", escape_like(&text.to_lowercase()));
    columns.into_iter().fold(Condition::any(), |any, column| {
        let like = LikeExpr::new(pattern.clone()).escape('\\');
        any.add(Expr::expr(Func::lower(Expr::col(column))).like(like))
    })
}

pub async fn find(scope: &Scope, db: &Db, id: ConceptId) -> Result<Concept, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    wire_one(db.read(), row.ok_or(DbError::NotFound("concept"))?).await
}

/// All concepts of a document, the most important first.
pub async fn of_document(scope: &Scope, db: &Db, document_id: DocumentId) -> Result<Vec<Concept>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::DocumentId.eq(document_id.0))
        .order_by_desc(row::Column::Importance)
        .order_by_asc(row::Column::Id)
        .limit(MAX_PER_DOCUMENT)
        .all(db.read())
        .await?;
    wire_all(db.read(), rows).await
}

/// Adds a concept that a person wrote.
///
/// # Errors
/// `DbError::Conflict` when the document has one of this name, or enough of them.
pub async fn insert(write: &mut Write, new: &NewConcept) -> Result<Concept, DbError> {
    let agent_id = documents::lock_agent_of(write, new.document_id).await?;
    let agent_id = agent_id.ok_or(DbError::NotFound("document"))?;
    let known = of_names(write, new.document_id).await?;
    if known.len() as u64 >= MAX_PER_DOCUMENT {
        let message = format!("A document may have {MAX_PER_DOCUMENT} concepts. Delete or merge some first.");
        return Err(DbError::Conflict(message));
    }
    if known.contains_key(&key_of(&new.name)) {
        return Err(taken());
    }
    let found = FoundConcept {
        name: new.name.trim().to_owned(),
        description: new.description.clone(),
        category: new.category.clone(),
        level: new.level,
        importance: new.importance,
        origin: ConceptOrigin::Manual,
        source: None,
        grounding: Grounding::None,
        model: None,
    };
    let row = row_of(write, new.document_id, agent_id, found)?;
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    changed(write, &row);
    let fields = ["name", "description", "category", "level", "importance"];
    write.audit(Action::Created, Noun::Concept, row.id, &fields);
    wire_one(write.connection(), row).await
}

/// Stores what was found in a document. Of a name that is there already, what a person wrote stays.
pub async fn store_found(write: &mut Write, document_id: DocumentId, found: Vec<FoundConcept>) -> Result<(), DbError> {
    let Some(agent_id) = documents::lock_agent_of(write, document_id).await? else {
        return Ok(());
    };
    let mut known = of_names(write, document_id).await?;
    let manual = convert::name(&ConceptOrigin::Manual)?;
    for concept in found {
        let key = key_of(&concept.name);
        match known.get(&key) {
            Some(row) if row.edited || row.origin == manual => {}
            Some(row) => {
                let fresh = row_of(write, document_id, agent_id, concept)?;
                let merged = row::Model {
                    id: row.id,
                    importance: Ord::max(fresh.importance, row.importance),
                    created_at: row.created_at,
                    version: row.version + 1,
                    ..fresh
                };
                row::ActiveModel::from(merged.clone())
                    .reset_all()
                    .update(write.connection())
                    .await?;
                known.insert(key, merged);
            }
            None if known.len() as u64 >= MAX_PER_DOCUMENT => {}
            None => {
                let row = row_of(write, document_id, agent_id, concept)?;
                row::Entity::insert(row::ActiveModel::from(row.clone()))
                    .exec_without_returning(write.connection())
                    .await?;
                known.insert(key, row);
            }
        }
    }
    write.event(EventKind::ConceptsChanged, document_id.0, Some(agent_id));
    Ok(())
}

/// Changes a concept at `version`; `None` changes whatever version there is.
///
/// # Errors
/// `DbError::Conflict` when the document has another one of the new name.
pub async fn update(
    write: &mut Write,
    id: ConceptId,
    version: Option<i64>,
    patch: &ConceptPatch,
) -> Result<Concept, DbError> {
    let current = lock(write, id, version).await?;
    let mut row = current.clone().into_active_model();
    if let Some(name) = &patch.name {
        row.name = Set(name.trim().to_owned());
        row.name_key = Set(key_of(name));
    }
    if let Some(description) = &patch.description {
        row.description = Set(description.clone());
    }
    if let Some(category) = &patch.category {
        row.category = Set(category.clone());
    }
    if let Some(level) = patch.level {
        row.level = Set(convert::name(&level)?);
    }
    if let Some(importance) = patch.importance {
        row.importance = Set(i32::from(importance));
    }
    row.edited = Set(true);
    row.updated_at = Set(convert::now());
    row.version = Set(current.version + 1);
    let row = match row.update(write.connection()).await {
        Ok(row) => row,
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => return Err(taken()),
        Err(error) => return Err(error.into()),
    };
    changed(write, &row);
    let fields = [
        patch.name.is_some().then_some("name"),
        patch.description.is_some().then_some("description"),
        patch.category.is_some().then_some("category"),
        patch.level.is_some().then_some("level"),
        patch.importance.is_some().then_some("importance"),
    ];
    write.audit(Action::Updated, Noun::Concept, id, &convert::present(fields));
    wire_one(write.connection(), row).await
}

/// Takes one concept into another of its document: what was drawn of it belongs to the other, and it is gone.
pub async fn merge(
    write: &mut Write,
    id: ConceptId,
    version: Option<i64>,
    into: ConceptId,
) -> Result<Concept, DbError> {
    let gone = lock(write, id, version).await?;
    let kept = lock(write, into, None).await?;
    if gone.id == kept.id || gone.document_id != kept.document_id {
        let message = "Choose another concept of the same document to take this one in.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    crate::diagrams::of_other_concept(write, id, into).await?;
    row::Entity::delete_by_id(gone.id).exec(write.connection()).await?;
    let mut row = kept.clone().into_active_model();
    row.importance = Set(Ord::max(kept.importance, gone.importance));
    if kept.description.trim().is_empty() {
        row.description = Set(gone.description);
    }
    row.edited = Set(true);
    row.updated_at = Set(convert::now());
    row.version = Set(kept.version + 1);
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Deleted, Noun::Concept, id, &[]);
    write.audit(Action::Updated, Noun::Concept, into, &["importance", "description"]);
    wire_one(write.connection(), row).await
}

pub async fn delete(write: &mut Write, id: ConceptId, version: Option<i64>) -> Result<(), DbError> {
    let row = lock(write, id, version).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Deleted, Noun::Concept, id, &[]);
    Ok(())
}

/// How many concepts each document has.
pub(crate) async fn counts(
    connection: &impl ConnectionTrait,
    documents: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbError> {
    let found: Vec<(Uuid, i64)> = row::Entity::find()
        .select_only()
        .column(row::Column::DocumentId)
        .column_as(row::Column::Id.count(), "total")
        .filter(row::Column::DocumentId.is_in(documents.iter().copied()))
        .group_by(row::Column::DocumentId)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().map(|(id, n)| (id, convert::unsigned(n))).collect())
}

fn key_of(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn taken() -> DbError {
    let message = "This document has a concept of this name already. Choose another name, or merge the two.";
    DbError::Conflict(message.to_owned())
}

async fn of_names(write: &Write, document_id: DocumentId) -> Result<HashMap<String, row::Model>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::DocumentId.eq(document_id.0))
        .all(write.connection())
        .await?;
    Ok(rows.into_iter().map(|row| (row.name_key.clone(), row)).collect())
}

fn row_of(write: &Write, document_id: DocumentId, agent_id: AgentId, new: FoundConcept) -> Result<row::Model, DbError> {
    let now = convert::now();
    let (quote, start, end, page) = match new.source {
        Some(source) => (Some(source.quote), source.start, source.end, source.page),
        None => (None, None, None, None),
    };
    Ok(row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: agent_id.0,
        document_id: document_id.0,
        name_key: key_of(&new.name),
        name: new.name,
        description: new.description,
        category: new.category,
        level: convert::name(&new.level)?,
        importance: i32::from(new.importance.clamp(1, 100)),
        origin: convert::name(&new.origin)?,
        quote,
        start_at: start.map(convert::signed),
        end_at: end.map(convert::signed),
        page: page.and_then(|page| i32::try_from(page).ok()),
        grounding: convert::name(&new.grounding)?,
        model: new.model,
        edited: false,
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

async fn lock(write: &Write, id: ConceptId, version: Option<i64>) -> Result<row::Model, DbError> {
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("concept"))?;
    match version {
        Some(version) if version != row.version => Err(DbError::Stale {
            noun: "concept",
            current: row.version,
        }),
        _ => Ok(row),
    }
}

fn changed(write: &mut Write, row: &row::Model) {
    write.event(EventKind::ConceptsChanged, row.document_id, Some(AgentId(row.agent_id)));
}

fn scoped(scope: &Scope, id: ConceptId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

async fn wire_one(connection: &impl ConnectionTrait, row: row::Model) -> Result<Concept, DbError> {
    let id = row.id;
    let mut concepts = wire_all(connection, vec![row]).await?;
    concepts
        .pop()
        .ok_or_else(|| DbError::Corrupt("concept", id.to_string()))
}

async fn wire_all(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Concept>, DbError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.document_id).collect();
    let names = documents::names(connection, &ids).await?;
    rows.into_iter().map(|row| wire(row, &names)).collect()
}

fn wire(row: row::Model, names: &HashMap<Uuid, String>) -> Result<Concept, DbError> {
    let source = row.quote.map(|quote| ConceptSource {
        quote,
        start: row.start_at.map(convert::unsigned),
        end: row.end_at.map(convert::unsigned),
        page: row.page.and_then(|page| u32::try_from(page).ok()),
    });
    Ok(Concept {
        id: ConceptId(row.id),
        document_id: DocumentId(row.document_id),
        document_name: names.get(&row.document_id).cloned().unwrap_or_default(),
        agent_id: AgentId(row.agent_id),
        name: row.name,
        description: row.description,
        category: row.category,
        level: convert::parse_name("level", &row.level)?,
        importance: u8::try_from(row.importance).unwrap_or(1),
        origin: convert::parse_name("concept origin", &row.origin)?,
        source,
        grounding: convert::parse_name("grounding", &row.grounding)?,
        model: row.model,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "concepts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Uuid,
        pub document_id: Uuid,
        pub name: String,
        pub name_key: String,
        pub description: String,
        pub category: String,
        pub level: String,
        pub importance: i32,
        pub origin: String,
        pub quote: Option<String>,
        pub start_at: Option<i64>,
        pub end_at: Option<i64>,
        pub page: Option<i32>,
        pub grounding: String,
        pub model: Option<String>,
        pub edited: bool,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
