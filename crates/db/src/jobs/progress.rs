//! What a job reports on its way: metric points, samples, log lines.

use super::{find_row, lock};
use crate::{Db, DbError, Scope, Write, convert};
use cerebros_common::{
    events::EventKind,
    ids::{AgentId, DatasetId, JobId},
    jobs::{JobLogLine, JobSamples, MetricPoint},
    wire::CursorPage,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement, sea_query::OnConflict,
};

/// Stores a metric point, in place of an older one of the same step.
pub async fn put_metric(write: &mut Write, id: JobId, point: &MetricPoint) -> Result<(), DbError> {
    let current = lock(write, id).await?;
    let agent_id = current.agent_id.map(AgentId);
    let step = convert::signed(point.step);
    let mut row = current.into_active_model();
    row.step = Set(step);
    if point.loss.is_some() {
        row.train_loss = Set(point.loss);
    }
    if point.validation_loss.is_some() {
        row.validation_loss = Set(point.validation_loss);
    }
    row.update(write.connection()).await?;
    let metric = metric::ActiveModel {
        job_id: Set(id.0),
        step: Set(step),
        epoch: Set(point.epoch),
        loss: Set(point.loss),
        learning_rate: Set(point.learning_rate),
        grad_norm: Set(point.grad_norm),
        tokens_per_second: Set(point.tokens_per_second),
        memory_bytes: Set(point.memory_bytes.map(convert::signed)),
        token_accuracy: Set(point.token_accuracy),
        validation_loss: Set(point.validation_loss),
        validation_token_accuracy: Set(point.validation_token_accuracy),
        reward_margin: Set(point.reward_margin),
        reward_accuracy: Set(point.reward_accuracy),
        validation_reward_margin: Set(point.validation_reward_margin),
        validation_reward_accuracy: Set(point.validation_reward_accuracy),
        at: Set(Some(convert::now())),
    };
    let replace = OnConflict::columns([metric::Column::JobId, metric::Column::Step])
        .update_columns([
            metric::Column::Epoch,
            metric::Column::Loss,
            metric::Column::LearningRate,
            metric::Column::GradNorm,
            metric::Column::TokensPerSecond,
            metric::Column::MemoryBytes,
            metric::Column::TokenAccuracy,
            metric::Column::ValidationLoss,
            metric::Column::ValidationTokenAccuracy,
            metric::Column::RewardMargin,
            metric::Column::RewardAccuracy,
            metric::Column::ValidationRewardMargin,
            metric::Column::ValidationRewardAccuracy,
        ])
        .to_owned();
    metric::Entity::insert(metric)
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    write.metric_event(id.0, agent_id, point.clone());
    Ok(())
}

pub async fn append_log(write: &mut Write, id: JobId, level: &str, message: &str) -> Result<(), DbError> {
    lock(write, id).await?;
    let line = log::ActiveModel {
        job_id: Set(id.0),
        at: Set(convert::now()),
        level: Set(level.to_owned()),
        message: Set(message.to_owned()),
        ..Default::default()
    };
    log::Entity::insert(line)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// Stores the best and worst validation rows of the newest evaluation that counts. They hold text of the dataset: a job that
/// is being cancelled, perhaps because that text is deleted, gets none.
pub async fn put_samples(write: &mut Write, id: JobId, samples: &JobSamples) -> Result<(), DbError> {
    let current = lock(write, id).await?;
    if current.cancel_requested {
        return Ok(());
    }
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.samples = Set(Some(convert::json("job samples", samples)?));
    row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    Ok(())
}

/// Forgets the rows that jobs on a dataset told.
pub async fn forget_samples(write: &Write, dataset: DatasetId) -> Result<(), DbError> {
    let statement = Statement::from_sql_and_values(
        write.connection().get_database_backend(),
        "update jobs set samples = null where dataset_id = $1 or validation_dataset_id = $1",
        [dataset.0.into()],
    );
    write.connection().execute_raw(statement).await?;
    Ok(())
}

pub async fn samples(scope: &Scope, db: &Db, id: JobId) -> Result<JobSamples, DbError> {
    match find_row(scope, db, id).await?.samples {
        Some(text) => convert::parse_json("job samples", &text),
        None => Ok(JobSamples::default()),
    }
}

/// Metric points after step `after`, in order.
pub async fn metrics(
    scope: &Scope,
    db: &Db,
    id: JobId,
    after: Option<i64>,
    limit: u32,
) -> Result<CursorPage<MetricPoint>, DbError> {
    find_row(scope, db, id).await?;
    let mut rows = metric::Entity::find()
        .filter(metric::Column::JobId.eq(id.0))
        .filter(metric::Column::Step.gt(after.unwrap_or(-1)))
        .order_by_asc(metric::Column::Step)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let next_cursor = cut(&mut rows, limit).map(|row| row.step.to_string());
    Ok(CursorPage {
        items: rows.into_iter().map(metric_wire).collect(),
        next_cursor,
    })
}

/// Log lines after number `after`, oldest first.
pub async fn log(
    scope: &Scope,
    db: &Db,
    id: JobId,
    after: Option<i64>,
    limit: u32,
) -> Result<CursorPage<JobLogLine>, DbError> {
    find_row(scope, db, id).await?;
    let mut rows = log::Entity::find()
        .filter(log::Column::JobId.eq(id.0))
        .filter(log::Column::Seq.gt(after.unwrap_or(0)))
        .order_by_asc(log::Column::Seq)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let next_cursor = cut(&mut rows, limit).map(|row| row.seq.to_string());
    let items = rows.into_iter().map(|row| JobLogLine {
        at: row.at,
        level: row.level,
        message: row.message,
    });
    Ok(CursorPage {
        items: items.collect(),
        next_cursor,
    })
}

/// Drops what was read beyond `limit`; gives the last row kept if there was more.
pub(super) fn cut<T: Clone>(rows: &mut Vec<T>, limit: u32) -> Option<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().cloned()
}

pub(super) fn metric_wire(row: metric::Model) -> MetricPoint {
    MetricPoint {
        step: convert::unsigned(row.step),
        epoch: row.epoch,
        loss: row.loss,
        learning_rate: row.learning_rate,
        grad_norm: row.grad_norm,
        tokens_per_second: row.tokens_per_second,
        memory_bytes: row.memory_bytes.map(convert::unsigned),
        token_accuracy: row.token_accuracy,
        validation_loss: row.validation_loss,
        validation_token_accuracy: row.validation_token_accuracy,
        reward_margin: row.reward_margin,
        reward_accuracy: row.reward_accuracy,
        validation_reward_margin: row.validation_reward_margin,
        validation_reward_accuracy: row.validation_reward_accuracy,
    }
}

pub(super) mod metric {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "metric_points")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub step: i64,
        pub epoch: f64,
        pub loss: Option<f64>,
        pub learning_rate: Option<f64>,
        pub grad_norm: Option<f64>,
        pub tokens_per_second: Option<f64>,
        pub memory_bytes: Option<i64>,
        pub token_accuracy: Option<f64>,
        pub validation_loss: Option<f64>,
        pub validation_token_accuracy: Option<f64>,
        pub reward_margin: Option<f64>,
        pub reward_accuracy: Option<f64>,
        pub validation_reward_margin: Option<f64>,
        pub validation_reward_accuracy: Option<f64>,
        pub at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod log {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_log")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub job_id: Uuid,
        pub at: DateTimeUtc,
        pub level: String,
        pub message: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
