//! Calls as people see them.

use super::{attempt, call_error, row, tokens};
use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    ids::{DocumentId, LlmCallId},
    llm_calls::{LlmAttempt, LlmCall, LlmCallQuery, LlmUsage},
    wire::CursorPage,
};
use chrono::{Days, NaiveDate};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement};
use std::collections::HashMap;
use uuid::Uuid;

/// The calls of a workspace, newest first, each with its attempts.
pub async fn list(
    scope: &Scope,
    db: &Db,
    query: &LlmCallQuery,
    before: Option<LlmCallId>,
    limit: u32,
) -> Result<CursorPage<LlmCall>, DbError> {
    let mut found = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .order_by_desc(row::Column::Id)
        .limit(u64::from(limit) + 1);
    if let Some(purpose) = query.purpose {
        found = found.filter(row::Column::Purpose.eq(convert::name(&purpose)?));
    }
    if let Some(outcome) = query.outcome {
        found = found.filter(row::Column::Outcome.eq(convert::name(&outcome)?));
    }
    if let Some(before) = before {
        found = found.filter(row::Column::Id.lt(before.0));
    }
    let mut rows = found.all(db.read()).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let mut attempts: HashMap<Uuid, Vec<LlmAttempt>> = HashMap::new();
    let found = attempt::Entity::find()
        .filter(attempt::Column::CallId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(attempt::Column::Number);
    for row in found.all(db.read()).await? {
        attempts.entry(row.call_id).or_default().push(wire_attempt(row)?);
    }
    let items: Vec<LlmCall> = rows
        .into_iter()
        .map(|row| {
            let attempts = attempts.remove(&row.id).unwrap_or_default();
            wire(row, attempts)
        })
        .collect::<Result<_, _>>()?;
    Ok(CursorPage {
        next_cursor: items.last().filter(|_| more).map(|last| last.id.to_string()),
        items,
    })
}

/// What each model did on each of the days, the newest first.
pub async fn usage(scope: &Scope, db: &Db, from: NaiveDate, to: NaiveDate) -> Result<Vec<LlmUsage>, DbError> {
    let backend = db.read().get_database_backend();
    let day = match backend {
        DbBackend::Sqlite => "substr(created_at, 1, 10)",
        _ => "to_char(created_at at time zone 'utc', 'YYYY-MM-DD')",
    };
    let sql = format!(
        "with days as (select {day} as day, provider, model, outcome, maybe_paid_twice, prompt_tokens, \
           completion_tokens, cost_micros, latency_ms, \
           row_number() over (partition by {day}, provider, model, outcome order by latency_ms) as place, \
           count(*) over (partition by {day}, provider, model, outcome) as places \
           from llm_calls where workspace_id = $1 and created_at >= $2 and created_at < $3) \
         select day, provider, model, count(*) as calls, \
           cast(sum(case when outcome = 'failed' then 1 else 0 end) as bigint) as failed, \
           cast(sum(case when maybe_paid_twice then 1 else 0 end) as bigint) as maybe_paid_twice, \
           cast(sum(prompt_tokens) as bigint) as prompt_tokens, \
           cast(sum(completion_tokens) as bigint) as completion_tokens, \
           cast(coalesce(sum(cost_micros), 0) as bigint) as cost_micros, \
           cast(sum(case when cost_micros is null then 1 else 0 end) as bigint) as unpriced, \
           max(case when outcome = 'answered' and place = (places + 1) / 2 then latency_ms end) as p50 \
         from days group by day, provider, model order by day desc, provider, model"
    );
    let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let end = to.checked_add_days(Days::new(1)).unwrap_or(to);
    let values = [scope.workspace_id.0.into(), midnight(from).into(), midnight(end).into()];
    let rows = Sums::find_by_statement(Statement::from_sql_and_values(backend, sql, values))
        .all(db.read())
        .await?;
    rows.into_iter().map(wire_usage).collect()
}

#[derive(FromQueryResult)]
struct Sums {
    day: String,
    provider: String,
    model: String,
    calls: i64,
    failed: i64,
    maybe_paid_twice: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost_micros: i64,
    unpriced: i64,
    p50: Option<i64>,
}

fn wire_usage(sums: Sums) -> Result<LlmUsage, DbError> {
    Ok(LlmUsage {
        day: sums
            .day
            .parse()
            .map_err(|_| DbError::Corrupt("day", sums.day.clone()))?,
        provider: convert::parse_name("provider", &sums.provider)?,
        model: sums.model,
        calls: convert::unsigned(sums.calls),
        failed: convert::unsigned(sums.failed),
        maybe_paid_twice: convert::unsigned(sums.maybe_paid_twice),
        usage: tokens(sums.prompt_tokens, sums.completion_tokens),
        cost_micros: sums.cost_micros,
        unpriced: convert::unsigned(sums.unpriced),
        p50_latency_ms: sums.p50.map(convert::unsigned),
    })
}

fn wire_attempt(row: attempt::Model) -> Result<LlmAttempt, DbError> {
    Ok(LlmAttempt {
        at: row.at,
        outcome: convert::parse_name("outcome", &row.outcome)?,
        status: row.status.and_then(|status| u16::try_from(status).ok()),
        error: call_error(
            row.error_category.as_deref(),
            row.error_severity.as_deref(),
            row.error_message,
        )?,
        usage: tokens(row.prompt_tokens, row.completion_tokens),
        latency_ms: row.latency_ms.map(convert::unsigned),
    })
}

fn wire(row: row::Model, attempts: Vec<LlmAttempt>) -> Result<LlmCall, DbError> {
    Ok(LlmCall {
        id: LlmCallId(row.id),
        purpose: convert::parse_name("purpose", &row.purpose)?,
        subject_id: row.subject_id,
        document_id: row.document_id.map(DocumentId),
        provider: convert::parse_name("provider", &row.provider)?,
        model: row.model,
        outcome: convert::parse_name("outcome", &row.outcome)?,
        error: call_error(
            row.error_category.as_deref(),
            row.error_severity.as_deref(),
            row.error_message,
        )?,
        usage: tokens(row.prompt_tokens, row.completion_tokens),
        cost_micros: row.cost_micros,
        latency_ms: row.latency_ms.map(convert::unsigned),
        maybe_paid_twice: row.maybe_paid_twice,
        attempts,
        created_at: row.created_at,
    })
}
