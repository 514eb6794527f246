//! Judging many examples at once, who judged which, and how far the review is.

use super::{condition, holds, revisions, row};
use crate::{Db, DbError, Scope, Write, agents, convert, users};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    examples::{
        ExampleFilter, ExampleReview, ExampleReviewResult, ExampleReviewer, ExampleStatus, ExampleSummary, Grounding,
        ScoreBand,
    },
    ids::{AgentId, UserId},
};
use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement, Value,
    sea_query::{Expr, ExprTrait},
};
use std::collections::HashMap;
use uuid::Uuid;

/// Examples per statement.
const AT_ONCE: usize = 500;
const REVIEWERS_SHOWN: usize = 50;
const BANDS: [(u8, u8); 4] = [(0, 49), (50, 69), (70, 89), (90, 100)];

/// Sets the status of many examples of an agent; leaves those alone that somebody else holds.
pub async fn review(write: &mut Write, review: &ExampleReview) -> Result<ExampleReviewResult, DbError> {
    agents::require(write, review.agent_id).await?;
    let scope = write.scope()?;
    let status = convert::name(&review.status)?;
    let ids: Vec<Uuid> = meant(&scope, review)?
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(write.connection())
        .await?;
    let held = holds::held_by_others(write.connection(), &scope, review.agent_id).await?;
    let (held, ids): (Vec<Uuid>, Vec<Uuid>) = ids.into_iter().partition(|id| held.contains(id));
    for some in ids.chunks(AT_ONCE) {
        revisions::note_status(write, some).await?;
        row::Entity::update_many()
            .col_expr(row::Column::Status, Expr::value(status.clone()))
            .col_expr(row::Column::UpdatedAt, Expr::value(convert::now()))
            .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
            .filter(row::Column::Id.is_in(some.iter().copied()))
            .exec(write.connection())
            .await?;
        note(write, some, &status).await?;
        holds::let_go(write, some).await?;
    }
    match ids.as_slice() {
        [] => {}
        [one] => write.event(EventKind::ExamplesChanged, *one, Some(review.agent_id)),
        _ => write.event(EventKind::ExamplesChanged, review.agent_id.0, Some(review.agent_id)),
    }
    write.audit(Action::Reviewed, Noun::Agent, review.agent_id, &["status"]);
    Ok(ExampleReviewResult {
        changed: ids.len() as u64,
        held: held.len() as u64,
    })
}

/// What [`review`] would do.
pub async fn preview(scope: &Scope, db: &Db, review: &ExampleReview) -> Result<ExampleReviewResult, DbError> {
    agents::find(scope, db, review.agent_id).await?;
    let ids: Vec<Uuid> = meant(scope, review)?.into_tuple().all(db.read()).await?;
    let others = holds::held_by_others(db.read(), scope, review.agent_id).await?;
    let held = ids.iter().filter(|id| others.contains(id)).count();
    Ok(ExampleReviewResult {
        changed: (ids.len() - held) as u64,
        held: held as u64,
    })
}

/// Ids of the examples whose status a review changes.
fn meant(scope: &Scope, review: &ExampleReview) -> Result<Select<row::Entity>, DbError> {
    let pending = || ExampleFilter {
        status: Some(ExampleStatus::Pending),
        ..ExampleFilter::default()
    };
    let filter = match (&review.filter, &review.ids) {
        (Some(filter), _) => filter.clone(),
        (None, Some(_)) => ExampleFilter::default(),
        (None, None) => pending(),
    };
    let mut found = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(condition(scope, Some(review.agent_id), &filter)?)
        .filter(row::Column::Status.ne(convert::name(&review.status)?));
    if let Some(ids) = &review.ids {
        found = found.filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)));
    }
    Ok(found)
}

/// Notes who judged examples, and when; pending ones are judged by nobody.
pub(super) async fn note(write: &Write, ids: &[Uuid], status: &str) -> Result<(), DbError> {
    let tx = write.connection();
    let (sql, mut values): (String, Vec<Value>) = match write.scope()?.actor.user_id() {
        Some(user_id) if status != convert::name(&ExampleStatus::Pending)? => {
            let these = super::marks(3, ids.len());
            let sql = format!(
                "insert into example_reviews (example_id, user_id, reviewed_at) \
                 select id, $1, $2 from examples where id in ({these}) \
                 on conflict (example_id) do update set user_id = excluded.user_id, reviewed_at = excluded.reviewed_at"
            );
            (sql, vec![user_id.0.into(), convert::now().into()])
        }
        _ => {
            let these = super::marks(1, ids.len());
            (
                format!("delete from example_reviews where example_id in ({these})"),
                Vec::new(),
            )
        }
    };
    values.extend(ids.iter().map(|id| Value::from(*id)));
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Group {
    status: String,
    grounding: String,
    band: i32,
    copy: i32,
    total: i64,
}

#[derive(FromQueryResult)]
struct Reviewed {
    user_id: Uuid,
    total: i64,
    last_hour: i64,
}

pub async fn summary(scope: &Scope, db: &Db, agent_id: AgentId) -> Result<ExampleSummary, DbError> {
    agents::find(scope, db, agent_id).await?;
    let groups = groups(scope, db, agent_id).await?;
    let sum = |is: &dyn Fn(&Group) -> bool| -> u64 {
        let meant = groups.iter().filter(|group| is(group));
        meant.map(|group| convert::unsigned(group.total)).sum()
    };
    let name = |status| convert::name::<ExampleStatus>(&status);
    let (pending, approved, rejected) = (
        name(ExampleStatus::Pending)?,
        name(ExampleStatus::Approved)?,
        name(ExampleStatus::Rejected)?,
    );
    let (grounded, ungrounded, unquoted) = (
        convert::name(&Grounding::Grounded)?,
        convert::name(&Grounding::Ungrounded)?,
        convert::name(&Grounding::None)?,
    );
    let scores = (0..).zip(BANDS).map(|(band, (min, max))| ScoreBand {
        min,
        max,
        examples: sum(&|group| group.band == band && group.status == pending),
    });
    let reviewers = reviewers(scope, db, agent_id).await?;
    Ok(ExampleSummary {
        total: sum(&|_| true),
        pending: sum(&|group| group.status == pending),
        approved: sum(&|group| group.status == approved),
        rejected: sum(&|group| group.status == rejected),
        grounded: sum(&|group| group.grounding == grounded),
        ungrounded: sum(&|group| group.grounding == ungrounded),
        unquoted: sum(&|group| group.grounding == unquoted),
        duplicates: sum(&|group| group.copy == 1),
        scores: scores.collect(),
        reviewed_last_hour: reviewers.iter().map(|one| one.reviewed_last_hour).sum(),
        reviewers: reviewers.into_iter().take(REVIEWERS_SHOWN).collect(),
    })
}

async fn groups(scope: &Scope, db: &Db, agent_id: AgentId) -> Result<Vec<Group>, DbError> {
    let sql = "select status, grounding, band, copy, count(*) as total from (select status, grounding, \
               case when score < 50 then 0 when score < 70 then 1 when score < 90 then 2 else 3 end as band, \
               case when duplicate_of is not null and duplicate_of <> id then 1 else 0 end as copy \
               from examples where workspace_id = $1 and agent_id = $2) as banded \
               group by status, grounding, band, copy";
    let values = [scope.workspace_id.0.into(), agent_id.0.into()];
    let statement = Statement::from_sql_and_values(db.read().get_database_backend(), sql, values);
    Ok(Group::find_by_statement(statement).all(db.read()).await?)
}

async fn reviewers(scope: &Scope, db: &Db, agent_id: AgentId) -> Result<Vec<ExampleReviewer>, DbError> {
    let sql = "select r.user_id, count(*) as total, \
               coalesce(sum(case when r.reviewed_at > $3 then 1 else 0 end), 0) as last_hour \
               from example_reviews r join examples e on e.id = r.example_id \
               where e.workspace_id = $1 and e.agent_id = $2 group by r.user_id";
    let since = convert::now() - TimeDelta::hours(1);
    let values = [scope.workspace_id.0.into(), agent_id.0.into(), since.into()];
    let statement = Statement::from_sql_and_values(db.read().get_database_backend(), sql, values);
    let reviewed = Reviewed::find_by_statement(statement).all(db.read()).await?;
    let mut held = holds::held_counts(db, scope, agent_id).await?;
    let reviewed: HashMap<Uuid, Reviewed> = reviewed.into_iter().map(|one| (one.user_id, one)).collect();
    let mut people: Vec<Uuid> = reviewed.keys().chain(held.keys()).copied().collect();
    people.sort_unstable();
    people.dedup();
    let names = users::names(db.read(), &people).await?;
    let mut reviewers: Vec<ExampleReviewer> = people
        .into_iter()
        .map(|id| ExampleReviewer {
            user_id: UserId(id),
            name: names.get(&id).cloned().unwrap_or_default(),
            reviewed: reviewed.get(&id).map_or(0, |one| convert::unsigned(one.total)),
            reviewed_last_hour: reviewed.get(&id).map_or(0, |one| convert::unsigned(one.last_hour)),
            held: held.remove(&id).unwrap_or_default(),
        })
        .collect();
    reviewers.sort_by(|a, b| {
        b.reviewed_last_hour
            .cmp(&a.reviewed_last_hour)
            .then(a.name.cmp(&b.name))
    });
    Ok(reviewers)
}
