//! What examples are made of.

use super::{row, wire_all};
use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    documents::{Document, DocumentKind, DocumentStatus},
    ids::AgentId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

/// The ready documents of a kind, oldest first.
pub async fn list_ready(
    scope: &Scope,
    db: &Db,
    agent_id: AgentId,
    kind: DocumentKind,
) -> Result<Vec<Document>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::AgentId.eq(agent_id.0))
        .filter(row::Column::Kind.eq(convert::name(&kind)?))
        .filter(row::Column::Status.eq(convert::name(&DocumentStatus::Ready)?))
        .order_by_asc(row::Column::Id)
        .all(db.read())
        .await?;
    wire_all(db.read(), rows).await
}
