//! Versions of a dataset: each is one of its own, with its place in a line.

use super::{DELETED, find, row, scoped, wire};
use crate::{Db, DbError, Scope, Write, paging::page};
use cerebros_common::{
    datasets::Dataset,
    ids::DatasetId,
    wire::{Page, PageQuery, Paging},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};
use uuid::Uuid;

/// Where a version is in its line.
pub(super) struct Place {
    pub(super) line_id: Uuid,
    pub(super) number: i32,
}

impl Place {
    pub(super) fn first(id: DatasetId) -> Self {
        Self {
            line_id: id.0,
            number: 1,
        }
    }
}

/// That no later version is there.
pub(super) fn newest() -> SimpleExpr {
    Expr::cust(
        "not exists (select 1 from datasets as newer where newer.line_id = datasets.line_id \
         and newer.number > datasets.number and newer.deleted_at is null)",
    )
}

/// All versions of what a dataset is one of, the newest first; without those that were deleted.
pub async fn list(scope: &Scope, db: &Db, id: DatasetId, query: &PageQuery) -> Result<Page<Dataset>, DbError> {
    let paging = Paging::of_query(query);
    let line_id = find(scope, db, id).await?.line_id;
    let versions = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::LineId.eq(line_id.0))
        .filter(row::Column::DeletedAt.is_null())
        .order_by_desc(row::Column::Number);
    let (rows, total) = page(db, versions, paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

/// The line of a dataset of the workspace that was not deleted.
pub(crate) async fn require(write: &Write, id: DatasetId) -> Result<Uuid, DbError> {
    let row = scoped(&write.scope()?, id).one(write.connection()).await?;
    let row = row.ok_or(DbError::NotFound("dataset"))?;
    match row.deleted_at {
        Some(_) => Err(DbError::Conflict(DELETED.to_owned())),
        None => Ok(row.line_id),
    }
}

/// The place after the newest version. No other version is added until the transaction ends.
///
/// # Errors
/// `DbError::Conflict` where one has the same bytes.
pub(super) async fn next(write: &Write, parent: DatasetId, sha256: &str) -> Result<Place, DbError> {
    let line_id = require(write, parent).await?;
    let versions = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::LineId.eq(line_id))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .all(write.connection())
        .await?;
    if let Some(same) = versions
        .iter()
        .find(|version| version.sha256.as_deref() == Some(sha256))
    {
        let message = format!("Version {} of this dataset has exactly these rows.", same.number);
        return Err(DbError::Conflict(message));
    }
    let newest = versions.iter().map(|version| version.number).max();
    Ok(Place {
        line_id,
        number: newest.unwrap_or_default() + 1,
    })
}
