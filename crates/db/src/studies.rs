//! What is being made of documents in the studio.

use crate::{Db, DbError, Scope, Write, concepts, convert, diagrams, documents, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    diagrams::DiagramError,
    events::EventKind,
    ids::{AgentId, DocumentId},
    studies::{Study, StudyQuery, StudyStatus},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Documents, newest first.
pub async fn list(scope: &Scope, db: &Db, query: &StudyQuery) -> Result<Page<Study>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = documents::row::Entity::find().filter(documents::row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(documents::row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(search) = &query.search {
        found = found.filter(concepts::holds([documents::row::Column::Name], search));
    }
    let (rows, total) = page(db, found.order_by_desc(documents::row::Column::Id), paging).await?;
    Ok(paging.of(studies(db, rows).await?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: DocumentId) -> Result<Study, DbError> {
    let row = documents::row::Entity::find_by_id(id.0)
        .filter(documents::row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .one(db.read())
        .await?;
    let mut found = studies(db, row.into_iter().collect()).await?;
    found.pop().ok_or(DbError::NotFound("document"))
}

async fn studies(db: &Db, rows: Vec<documents::row::Model>) -> Result<Vec<Study>, DbError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let concepts = concepts::counts(db.read(), &ids).await?;
    let states: HashMap<Uuid, row::Model> = row::Entity::find()
        .filter(row::Column::DocumentId.is_in(ids.iter().copied()))
        .all(db.read())
        .await?
        .into_iter()
        .map(|state| (state.document_id, state))
        .collect();
    let runs = states.iter().filter_map(|(id, state)| Some((*id, state.run_id?)));
    let diagrams = diagrams::progress(db.read(), &ids, &runs.collect()).await?;
    let agents: Vec<(Uuid, String)> = crate::agents::row::Entity::find()
        .select_only()
        .columns([crate::agents::row::Column::Id, crate::agents::row::Column::Name])
        .filter(crate::agents::row::Column::Id.is_in(rows.iter().map(|row| row.agent_id)))
        .into_tuple()
        .all(db.read())
        .await?;
    let agents: HashMap<Uuid, String> = agents.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let state = states.get(&row.id);
            let error = state.and_then(|state| state.error.as_deref());
            Ok(Study {
                document_id: DocumentId(row.id),
                agent_id: AgentId(row.agent_id),
                agent_name: agents.get(&row.agent_id).cloned().unwrap_or_default(),
                status: convert::parse_name("document status", &row.status)?,
                concepts: concepts.get(&row.id).copied().unwrap_or_default(),
                concepts_status: match state {
                    Some(state) => convert::parse_name("study status", &state.status)?,
                    None => StudyStatus::New,
                },
                error: error
                    .map(|error| convert::parse_json("study error", error))
                    .transpose()?,
                diagrams: diagrams.get(&row.id).copied().unwrap_or_default(),
                name: row.name,
            })
        })
        .collect()
}

/// Notes that a document's concepts are being looked for. `false`: they are already.
///
/// # Errors
/// `DbError::Conflict` for a document without text.
pub async fn begin(write: &mut Write, document_id: DocumentId) -> Result<bool, DbError> {
    documents::lock_agent_of(write, document_id)
        .await?
        .ok_or(DbError::NotFound("document"))?;
    documents::require_text(&write.scope()?, write.connection(), document_id).await?;
    let running = convert::name(&StudyStatus::Running)?;
    let state = row::Entity::find_by_id(document_id.0).one(write.connection()).await?;
    write.audit(Action::Started, Noun::Concept, document_id, &[]);
    if state.is_some_and(|state| state.status == running) {
        return Ok(false);
    }
    put(write, document_id, StudyStatus::Running, None).await?;
    Ok(true)
}

/// Notes that the search has ended. Of a document that is gone nothing is noted.
pub async fn end(write: &mut Write, document_id: DocumentId, error: Option<&DiagramError>) -> Result<(), DbError> {
    if documents::lock_agent_of(write, document_id).await?.is_none() {
        return Ok(());
    }
    let status = if error.is_some() {
        StudyStatus::Failed
    } else {
        StudyStatus::Done
    };
    put(write, document_id, status, error).await
}

async fn put(
    write: &mut Write,
    document_id: DocumentId,
    status: StudyStatus,
    error: Option<&DiagramError>,
) -> Result<(), DbError> {
    let error = error.map(|error| convert::json("study error", error)).transpose()?;
    let state = row::ActiveModel {
        document_id: Set(document_id.0),
        workspace_id: Set(write.workspace_id()?.0),
        status: Set(convert::name(&status)?),
        error: Set(error),
        run_id: Set(None),
    };
    let replace = OnConflict::column(row::Column::DocumentId)
        .update_columns([row::Column::Status, row::Column::Error])
        .to_owned();
    row::Entity::insert(state)
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::ConceptsChanged, document_id, None);
    Ok(())
}

/// The order for diagrams whose progress is told from now on.
pub(crate) async fn begin_run(write: &mut Write, document_id: DocumentId, run_id: Uuid) -> Result<(), DbError> {
    let state = row::ActiveModel {
        document_id: Set(document_id.0),
        workspace_id: Set(write.workspace_id()?.0),
        status: Set(convert::name(&StudyStatus::New)?),
        error: Set(None),
        run_id: Set(Some(run_id)),
    };
    let replace = OnConflict::column(row::Column::DocumentId)
        .update_column(row::Column::RunId)
        .to_owned();
    row::Entity::insert(state)
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::ConceptsChanged, document_id, None);
    Ok(())
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "studies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub document_id: Uuid,
        pub workspace_id: Uuid,
        pub status: String,
        pub error: Option<String>,
        pub run_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
