//! Log lines and metric points of a job as one history, newest first.

use super::{
    find_row,
    progress::{log, metric, metric_wire},
};
use crate::{Db, DbError, Scope};
use cerebros_common::{
    ids::JobId,
    jobs::{JobLogLine, MetricPoint},
};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// What tells something of a job's history from all else in it. Points count as later than lines of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Line(i64),
    /// By its step.
    Point(i64),
}

#[derive(Debug, Clone)]
pub enum Happening {
    Line(JobLogLine),
    Point(MetricPoint),
}

/// What happened before `after`, at most `limit` of it, newest first, with its mark and time.
///
/// # Errors
/// `DbError::NotFound` for a mark that the job's history lacks.
pub async fn history(
    scope: &Scope,
    db: &Db,
    id: JobId,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<(Mark, DateTime<Utc>, Happening)>, DbError> {
    find_row(scope, db, id).await?;
    let (mut older_lines, mut older_points) = (Condition::all(), Condition::all());
    if let Some(mark) = after {
        let at = time_of(db, id, mark).await?;
        let lines_then = match mark {
            Mark::Line(seq) => log::Column::Seq.lt(seq),
            Mark::Point(_) => log::Column::JobId.eq(id.0),
        };
        let points_then = match mark {
            Mark::Line(_) => metric::Column::JobId.ne(id.0),
            Mark::Point(step) => metric::Column::Step.lt(step),
        };
        let at_once = |equal, then| Condition::all().add(equal).add(then);
        older_lines = Condition::any()
            .add(log::Column::At.lt(at))
            .add(at_once(log::Column::At.eq(at), lines_then));
        older_points = Condition::any()
            .add(metric::Column::At.lt(at))
            .add(at_once(metric::Column::At.eq(at), points_then));
    }
    let lines = log::Entity::find()
        .filter(log::Column::JobId.eq(id.0))
        .filter(older_lines)
        .order_by_desc(log::Column::At)
        .order_by_desc(log::Column::Seq)
        .limit(u64::from(limit))
        .all(db.read())
        .await?;
    let points = metric::Entity::find()
        .filter(metric::Column::JobId.eq(id.0))
        .filter(metric::Column::Loss.is_not_null())
        .filter(older_points)
        .order_by_desc(metric::Column::At)
        .order_by_desc(metric::Column::Step)
        .limit(u64::from(limit))
        .all(db.read())
        .await?;
    let lines = lines.into_iter().map(|row| {
        let line = JobLogLine {
            at: row.at,
            level: row.level,
            message: row.message,
        };
        (Mark::Line(row.seq), row.at, Happening::Line(line))
    });
    // Points of before times were noted have none.
    let points = points
        .into_iter()
        .filter_map(|row| Some((Mark::Point(row.step), row.at?, Happening::Point(metric_wire(row)))));
    let mut all: Vec<_> = lines.chain(points).collect();
    all.sort_by_key(|(mark, at, _)| std::cmp::Reverse((*at, *mark)));
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}

async fn time_of(db: &Db, id: JobId, mark: Mark) -> Result<DateTime<Utc>, DbError> {
    let found = match mark {
        Mark::Line(seq) => {
            let row = log::Entity::find_by_id(seq).filter(log::Column::JobId.eq(id.0));
            row.one(db.read()).await?.map(|row| row.at)
        }
        Mark::Point(step) => {
            let row = metric::Entity::find_by_id((id.0, step)).one(db.read()).await?;
            row.and_then(|row| row.at)
        }
    };
    found.ok_or(DbError::NotFound("event"))
}
