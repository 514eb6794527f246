//! What examples are made of: ready documents and their chunks.

use super::{chunk, row, wire_all, wire_chunk};
use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    documents::{Chunk, Document, DocumentKind, DocumentStatus},
    ids::{AgentId, ChunkId, DocumentId},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

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

/// The chunks of documents of the workspace, in order, each with its length in characters.
pub async fn chunk_lengths(
    scope: &Scope,
    db: &Db,
    ids: &[DocumentId],
) -> Result<Vec<(DocumentId, ChunkId, u64)>, DbError> {
    let found: Vec<(Uuid, Uuid, i64, i64)> = chunk::Entity::find()
        .filter(chunk::Column::DocumentId.in_subquery(super::ids_in(scope, ids)))
        .order_by_asc(chunk::Column::DocumentId)
        .order_by_asc(chunk::Column::Idx)
        .select_only()
        .columns([
            chunk::Column::DocumentId,
            chunk::Column::Id,
            chunk::Column::StartAt,
            chunk::Column::EndAt,
        ])
        .into_tuple()
        .all(db.read())
        .await?;
    let length = |(document, id, start, end)| (DocumentId(document), ChunkId(id), convert::unsigned(end - start));
    Ok(found.into_iter().map(length).collect())
}

/// A chunk of a document of the workspace.
pub async fn find_chunk(scope: &Scope, db: &Db, id: ChunkId) -> Result<Chunk, DbError> {
    let missing = || DbError::NotFound("chunk");
    let found = chunk::Entity::find().filter(chunk::Column::Id.eq(id.0)).one(db.read());
    let found = found.await?.ok_or_else(missing)?;
    let own = super::scoped(scope, DocumentId(found.document_id)).one(db.read());
    own.await?.ok_or_else(missing)?;
    wire_chunk(found)
}
