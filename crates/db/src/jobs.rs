//! Training jobs, their metric points and log lines.

use crate::{
    Db, DbError, Scope, Write, convert, datasets,
    notifications::{self, Audience},
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{AgentId, BaseId, DatasetId, JobId, ModelId},
    jobs::{Job, JobFailure, JobLogLine, JobPlan, JobQuery, JobStatus, MetricPoint, NewJob},
    notifications::{NotificationKind, NotificationSubject},
    wire::{CursorPage, Page, Paging},
    workspaces::Role,
};
use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select, Statement, sea_query::OnConflict,
};
use uuid::Uuid;

pub async fn list(scope: &Scope, db: &Db, query: &JobQuery) -> Result<Page<Job>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(wire(db.read(), row).await?);
    }
    Ok(paging.of(items, total))
}

pub async fn find(scope: &Scope, db: &Db, id: JobId) -> Result<Job, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("job"))?;
    wire(db.read(), row).await
}

/// Whether somebody wants the job to stop; false for one that is gone.
pub async fn cancel_requested(scope: &Scope, db: &Db, id: JobId) -> Result<bool, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    Ok(row.is_some_and(|row| row.cancel_requested))
}

/// Adds a queued job. The caller has checked that dataset, base and agent belong to the workspace.
///
/// # Errors
/// `DbError::Conflict` when the dataset has lost its content.
pub async fn insert(write: &mut Write, new: &NewJob) -> Result<Job, DbError> {
    if datasets::is_erased(write, new.dataset_id).await? {
        return Err(DbError::Conflict(datasets::ERASED.to_owned()));
    }
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.map(|id| id.0),
        dataset_id: new.dataset_id.0,
        base_id: new.base_id.0,
        parameters: convert::json("job parameters", &new.parameters)?,
        status: convert::name(&JobStatus::Queued)?,
        cancel_requested: false,
        plan: None,
        step: 0,
        train_loss: None,
        validation_loss: None,
        failure: None,
        created_at: convert::now(),
        started_at: None,
        finished_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::JobChanged, row.id, new.agent_id);
    let fields = ["agent_id", "dataset_id", "base_id", "parameters"];
    write.audit(Action::Created, Noun::Job, row.id, &fields);
    wire(write.connection(), row).await
}

/// Marks a job running, unless it is over. Gives the job as it is then.
pub async fn start(write: &mut Write, id: JobId) -> Result<Job, DbError> {
    let current = lock(write, id).await?;
    let status: JobStatus = convert::parse_name("job status", &current.status)?;
    if status.is_over() || current.cancel_requested {
        return wire(write.connection(), current).await;
    }
    let started_at = current.started_at.unwrap_or_else(Utc::now);
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.status = Set(convert::name(&JobStatus::Running)?);
    row.started_at = Set(Some(started_at));
    let row = row.update(write.connection()).await?;
    write.audit(Action::Started, Noun::Job, id, &[]);
    write.event(EventKind::JobChanged, id.0, agent_id);
    wire(write.connection(), row).await
}

/// Stores what the trainer counted before its first step.
pub async fn set_plan(write: &mut Write, id: JobId, plan: &JobPlan) -> Result<(), DbError> {
    let current = lock(write, id).await?;
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.plan = Set(Some(convert::json("job plan", plan)?));
    row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    Ok(())
}

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
        validation_loss: Set(point.validation_loss),
        validation_token_accuracy: Set(point.validation_token_accuracy),
    };
    let replace = OnConflict::columns([metric::Column::JobId, metric::Column::Step])
        .update_columns([
            metric::Column::Epoch,
            metric::Column::Loss,
            metric::Column::LearningRate,
            metric::Column::GradNorm,
            metric::Column::TokensPerSecond,
            metric::Column::MemoryBytes,
            metric::Column::ValidationLoss,
            metric::Column::ValidationTokenAccuracy,
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

/// Ends a job. One that is over already keeps its end.
pub async fn finish(
    write: &mut Write,
    id: JobId,
    status: JobStatus,
    failure: Option<&JobFailure>,
) -> Result<(), DbError> {
    let current = lock(write, id).await?;
    if convert::parse_name::<JobStatus>("job status", &current.status)?.is_over() {
        return Ok(());
    }
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.status = Set(convert::name(&status)?);
    row.failure = Set(failure
        .map(|failure| convert::json("job failure", failure))
        .transpose()?);
    row.finished_at = Set(Some(convert::now()));
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    let action = match status {
        JobStatus::Succeeded => Action::Finished,
        JobStatus::Cancelled => Action::Cancelled,
        _ => Action::Failed,
    };
    write.audit(action, Noun::Job, id, &[]);
    let (kind, end) = match status {
        JobStatus::Succeeded => (NotificationKind::JobSucceeded, "has finished"),
        JobStatus::Failed => (NotificationKind::JobFailed, "has failed"),
        // Somebody wanted it so.
        _ => return Ok(()),
    };
    let dataset = wire(write.connection(), row).await?.dataset_name;
    let title = format!("Training on “{dataset}” {end}.");
    let (audience, subject) = (Audience::AtLeast(Role::Editor), NotificationSubject::Job);
    notifications::notify(write, kind, audience, &title, subject, id).await
}

/// Asks a queued or running job to stop; a queued one ends at once.
pub async fn request_cancel(write: &mut Write, id: JobId) -> Result<Job, DbError> {
    let current = lock(write, id).await?;
    let status: JobStatus = convert::parse_name("job status", &current.status)?;
    if status.is_over() {
        return Err(DbError::Conflict("This job is over already.".to_owned()));
    }
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    write.audit(Action::Cancelled, Noun::Job, id, &[]);
    row.cancel_requested = Set(true);
    if status == JobStatus::Queued {
        row.status = Set(convert::name(&JobStatus::Cancelled)?);
        row.finished_at = Set(Some(convert::now()));
    }
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    wire(write.connection(), row).await
}

/// Queues a failed or cancelled job again; it goes on from its last checkpoint.
pub async fn requeue(write: &mut Write, id: JobId) -> Result<Job, DbError> {
    let current = lock(write, id).await?;
    let status: JobStatus = convert::parse_name("job status", &current.status)?;
    if !matches!(status, JobStatus::Failed | JobStatus::Cancelled) {
        return Err(DbError::Conflict(
            "Only a failed or cancelled job can be resumed.".to_owned(),
        ));
    }
    if datasets::is_erased(write, DatasetId(current.dataset_id)).await? {
        return Err(DbError::Conflict(datasets::ERASED.to_owned()));
    }
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    write.audit(Action::Resumed, Noun::Job, id, &[]);
    row.status = Set(convert::name(&JobStatus::Queued)?);
    row.cancel_requested = Set(false);
    row.failure = Set(None);
    row.finished_at = Set(None);
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    wire(write.connection(), row).await
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
fn cut<T: Clone>(rows: &mut Vec<T>, limit: u32) -> Option<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().cloned()
}

async fn find_row(scope: &Scope, db: &Db, id: JobId) -> Result<row::Model, DbError> {
    scoped(scope, id).one(db.read()).await?.ok_or(DbError::NotFound("job"))
}

async fn lock(write: &Write, id: JobId) -> Result<row::Model, DbError> {
    scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("job"))
}

fn scoped(scope: &Scope, id: JobId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

/// What stands in other tables.
#[derive(FromQueryResult)]
struct Around {
    dataset_name: String,
    base_name: String,
    model_id: Option<Uuid>,
    ahead: i64,
}

async fn wire(connection: &impl ConnectionTrait, row: row::Model) -> Result<Job, DbError> {
    let status: JobStatus = convert::parse_name("job status", &row.status)?;
    let sql = "select d.name as dataset_name, b.name as base_name, \
               (select m.id from models m where m.job_id = $1) as model_id, \
               (select count(*) from jobs j where j.status in ('queued', 'running') and j.id < $1) as ahead \
               from datasets d, bases b where d.id = $2 and b.id = $3";
    let values = [row.id.into(), row.dataset_id.into(), row.base_id.into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let around = Around::find_by_statement(statement)
        .one(connection)
        .await?
        .ok_or_else(|| DbError::Corrupt("job", row.id.to_string()))?;
    Ok(Job {
        id: JobId(row.id),
        agent_id: row.agent_id.map(AgentId),
        dataset_id: DatasetId(row.dataset_id),
        dataset_name: around.dataset_name,
        base_id: BaseId(row.base_id),
        base_name: around.base_name,
        parameters: convert::parse_json("job parameters", &row.parameters)?,
        status,
        queue_position: (status == JobStatus::Queued).then_some(convert::unsigned(around.ahead)),
        plan: row
            .plan
            .map(|text| convert::parse_json("job plan", &text))
            .transpose()?,
        step: convert::unsigned(row.step),
        train_loss: row.train_loss,
        validation_loss: row.validation_loss,
        failure: row
            .failure
            .map(|text| convert::parse_json("job failure", &text))
            .transpose()?,
        model_id: around.model_id.map(ModelId),
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    })
}

fn metric_wire(row: metric::Model) -> MetricPoint {
    MetricPoint {
        step: convert::unsigned(row.step),
        epoch: row.epoch,
        loss: row.loss,
        learning_rate: row.learning_rate,
        grad_norm: row.grad_norm,
        tokens_per_second: row.tokens_per_second,
        memory_bytes: row.memory_bytes.map(convert::unsigned),
        validation_loss: row.validation_loss,
        validation_token_accuracy: row.validation_token_accuracy,
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "jobs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub dataset_id: Uuid,
        pub base_id: Uuid,
        pub parameters: String,
        pub status: String,
        pub cancel_requested: bool,
        pub plan: Option<String>,
        pub step: i64,
        pub train_loss: Option<f64>,
        pub validation_loss: Option<f64>,
        pub failure: Option<String>,
        pub created_at: DateTimeUtc,
        pub started_at: Option<DateTimeUtc>,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod metric {
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
        pub validation_loss: Option<f64>,
        pub validation_token_accuracy: Option<f64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod log {
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
