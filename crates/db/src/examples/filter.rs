//! Which examples a query means, in which order, and where it goes on.

use super::row;
use crate::{DbError, Scope, convert};
use cerebros_common::{
    examples::{ExampleFilter, ExampleSort},
    ids::AgentId,
};
use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QueryOrder, Select,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The last example of a stretch, as its cursor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// In lists that go by score.
    pub score: Option<i32>,
    pub id: Uuid,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.score {
            Some(score) => write!(f, "{score}.{}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

impl FromStr for After {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scored = text.split_once('.');
        let (score, id) = match scored.and_then(|(score, id)| Some((score.parse().ok()?, id))) {
            Some((score, id)) => (Some(score), id),
            None => (None, text),
        };
        let id = Uuid::parse_str(id)?;
        Ok(Self { score, id })
    }
}

impl After {
    /// Whether it is the cursor of a list in this order.
    pub fn fits(self, sort: ExampleSort) -> bool {
        (sort == ExampleSort::Newest) == self.score.is_none()
    }

    pub(super) fn of(sort: ExampleSort, score: i32, id: Uuid) -> Self {
        let score = (sort != ExampleSort::Newest).then_some(score);
        Self { score, id }
    }
}

pub(super) fn condition(
    scope: &Scope,
    agent_id: Option<AgentId>,
    filter: &ExampleFilter,
) -> Result<Condition, DbError> {
    use row::Column as C;
    let mut all = vec![C::WorkspaceId.eq(scope.workspace_id.0)];
    let mut also = |one| all.extend(one);
    also(agent_id.map(|id| C::AgentId.eq(id.0)));
    also(filter.document_id.map(|id| C::DocumentId.eq(id.0)));
    also(filter.batch_id.map(|id| C::BatchId.eq(id.0)));
    also(filter.duplicate_of.map(|id| C::DuplicateOf.eq(id.0)));
    also(filter.min_score.map(|score| C::Score.gte(i32::from(score))));
    also(filter.max_score.map(|score| C::Score.lte(i32::from(score))));
    if let Some(status) = filter.status {
        also(Some(C::Status.eq(convert::name(&status)?)));
    }
    if let Some(grounding) = filter.grounding {
        also(Some(C::Grounding.eq(convert::name(&grounding)?)));
    }
    if let Some(origin) = filter.origin {
        also(Some(C::Origin.eq(convert::name(&origin)?)));
    }
    also(filter.duplicates.map(|duplicates| {
        if duplicates {
            C::DuplicateOf.is_not_null()
        } else {
            C::DuplicateOf
                .is_null()
                .or(Expr::col(C::DuplicateOf).eq(Expr::col(C::Id)))
        }
    }));
    if let Some(search) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let pattern = format!("%{}%", convert::escape_like(&search.to_lowercase()));
        let says = |column| {
            let like = LikeExpr::new(pattern.clone()).escape('\\');
            Expr::expr(Func::lower(Expr::col(column))).like(like)
        };
        also(Some(says(C::Prompt).or(says(C::Reasoning)).or(says(C::Response))));
    }
    Ok(all.into_iter().fold(Condition::all(), Condition::add))
}

/// In order, after `after`. Examples of one score go by falling id, too.
pub(super) fn ordered(found: Select<row::Entity>, sort: ExampleSort, after: Option<After>) -> Select<row::Entity> {
    use row::Column as C;
    let past = after.map(|After { score, id }| {
        let later = C::Id.lt(id);
        let score = score.unwrap_or_default();
        match sort {
            ExampleSort::Newest => later,
            ExampleSort::ScoreUp => C::Score.gt(score).or(C::Score.eq(score).and(later)),
            ExampleSort::ScoreDown => C::Score.lt(score).or(C::Score.eq(score).and(later)),
        }
    });
    let found = match past {
        Some(past) => found.filter(past),
        None => found,
    };
    match sort {
        ExampleSort::Newest => found,
        ExampleSort::ScoreUp => found.order_by_asc(C::Score),
        ExampleSort::ScoreDown => found.order_by_desc(C::Score),
    }
    .order_by_desc(C::Id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let id = Uuid::nil();
        for after in [After { score: Some(87), id }, After { score: None, id }] {
            assert_eq!(after.to_string().parse::<After>().unwrap(), after);
        }
        assert!("87.".parse::<After>().is_err());
        assert!("x.00000000-0000-0000-0000-000000000000".parse::<After>().is_err());
    }
}
