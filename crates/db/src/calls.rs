//! Chat completions and embeddings that were asked for, and the dashboard's figures over them.

use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    dashboard::Figure,
    ids::{AgentId, ModelId},
};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, Statement};
use std::time::Duration;
use uuid::Uuid;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Answered,
    Failed,
    /// The client went away.
    Cancelled,
}

#[derive(Debug, Clone)]
pub struct NewCall {
    pub agent_id: Option<AgentId>,
    pub model_id: Option<ModelId>,
    pub outcome: Outcome,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub duration: Duration,
}

/// Figures of a stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub agents: u64,
    pub calls: u64,
    pub average_response_ms: Option<f64>,
    /// Calls that the client gave up on count neither way.
    pub success_rate: Option<f64>,
}

/// Records a call.
pub async fn insert(scope: &Scope, db: &Db, call: &NewCall) -> Result<(), DbError> {
    let row = row::ActiveModel {
        id: Set(Uuid::now_v7()),
        workspace_id: Set(scope.workspace_id.0),
        agent_id: Set(call.agent_id.map(|id| id.0)),
        model_id: Set(call.model_id.map(|id| id.0)),
        outcome: Set(convert::name(&call.outcome)?),
        prompt_tokens: Set(convert::signed(call.prompt_tokens)),
        completion_tokens: Set(convert::signed(call.completion_tokens)),
        duration_ms: Set(i64::try_from(call.duration.as_millis()).unwrap_or(i64::MAX)),
        at: Set(convert::now()),
    };
    // The server keeps this record; the person only asked a question.
    let write = db.write(&Scope::system(scope.workspace_id)).await?;
    row::Entity::insert(row)
        .exec_without_returning(write.connection())
        .await?;
    write.commit().await
}

/// Sums up the calls with `from <= at < to`, and the agents that were there by `to`.
pub async fn summary(scope: &Scope, db: &Db, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Summary, DbError> {
    use crate::agents::row as agents;
    let agents = agents::Entity::find()
        .filter(agents::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(agents::Column::CreatedAt.lt(to))
        .count(db.read())
        .await?;
    let sql = "select count(*) as calls, \
               cast(coalesce(sum(case when outcome = 'answered' then 1 else 0 end), 0) as bigint) as answered, \
               cast(coalesce(sum(case when outcome = 'failed' then 1 else 0 end), 0) as bigint) as failed, \
               cast(avg(case when outcome = 'answered' then duration_ms end) as double precision) as average \
               from calls where workspace_id = $1 and at >= $2 and at < $3";
    let values = [scope.workspace_id.0.into(), from.into(), to.into()];
    let statement = Statement::from_sql_and_values(db.read().get_database_backend(), sql, values);
    let sums = Sums::find_by_statement(statement)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("call"))?;
    let judged = sums.answered + sums.failed;
    Ok(Summary {
        agents,
        calls: convert::unsigned(sums.calls),
        average_response_ms: sums.average,
        success_rate: (judged > 0).then(|| sums.answered as f64 / judged as f64),
    })
}

impl Summary {
    /// Each figure beside that of the stretch before.
    pub fn beside(&self, previous: &Summary) -> [Figure; 4] {
        let figure = |value, previous| Figure { value, previous };
        [
            figure(Some(self.agents as f64), Some(previous.agents as f64)),
            figure(Some(self.calls as f64), Some(previous.calls as f64)),
            figure(self.average_response_ms, previous.average_response_ms),
            figure(self.success_rate, previous.success_rate),
        ]
    }
}

#[derive(FromQueryResult)]
struct Sums {
    calls: i64,
    answered: i64,
    failed: i64,
    average: Option<f64>,
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "calls")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub model_id: Option<Uuid>,
        pub outcome: String,
        pub prompt_tokens: i64,
        pub completion_tokens: i64,
        pub duration_ms: i64,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
