//! Reading one page of a selection.

use crate::{Db, DbError};
use cerebros_common::wire::Paging;
use sea_orm::{EntityTrait, FromQueryResult, PaginatorTrait, QuerySelect, Select};

/// The rows of one page of an ordered selection, and how many rows there are on all pages.
pub async fn page<E>(db: &Db, ordered: Select<E>, paging: Paging) -> Result<(Vec<E::Model>, u64), DbError>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    let total = ordered.clone().count(db.read()).await?;
    let page = ordered.offset(paging.offset()).limit(u64::from(paging.limit));
    Ok((page.all(db.read()).await?, total))
}
