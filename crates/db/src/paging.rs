//! Reading one page of a selection, or a stretch beyond a key.

use crate::{Db, DbError};
use cerebros_common::wire::Paging;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, Order, PaginatorTrait, QuerySelect, Select, Value, sea_query::SimpleExpr,
};

/// Which way a list goes on from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Up,
    /// From the newest.
    Down,
}

impl Way {
    pub(crate) fn order(self) -> Order {
        match self {
            Self::Up => Order::Asc,
            Self::Down => Order::Desc,
        }
    }

    pub(crate) fn beyond(self, column: impl ColumnTrait, after: impl Into<Value>) -> SimpleExpr {
        match self {
            Self::Up => column.gt(after),
            Self::Down => column.lt(after),
        }
    }
}

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
