//! Whether an agent takes another document.

use super::row;
use crate::{Db, DbError, Scope, agents, convert};
use cerebros_common::{
    documents::{DocumentKind, MAX_DOCUMENTS_PER_KIND},
    ids::AgentId,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

/// Refuses what [`super::insert`] would refuse before anything is uploaded.
pub async fn check_room(scope: &Scope, db: &Db, agent_id: AgentId, kind: DocumentKind) -> Result<(), DbError> {
    agents::find(scope, db, agent_id).await?;
    require_room(db.read(), agent_id, kind).await
}

pub(crate) async fn require_room(
    connection: &impl ConnectionTrait,
    agent_id: AgentId,
    kind: DocumentKind,
) -> Result<(), DbError> {
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
