//! Training jobs.

mod checkpoints;
mod history;
mod progress;

pub(crate) use checkpoints::forget_adapters;
pub use checkpoints::{Noted, StoredAdapter, checkpoint_adapter, checkpoints, has_adapter, put_checkpoint};
pub use history::{Happening, Mark, history};
pub use progress::{append_log, forget_samples, log, metrics, put_metric, put_samples, samples};

use crate::{
    Db, DbError, Scope, Way, Write, convert, datasets, models,
    notifications::{self, Audience},
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{AgentId, BaseId, DatasetId, JobId, ModelId},
    jobs::{Job, JobFailure, JobMetadata, JobPlan, JobQuery, JobStatus, NewJob},
    notifications::{NotificationKind, NotificationSubject},
    wire::{Page, Paging},
    workspaces::Role,
};
use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select, Statement,
};
use std::collections::HashMap;
use uuid::Uuid;

/// What OpenAI's wire lets people say about a job.
#[derive(Debug, Clone, Default)]
pub struct JobLabel {
    /// Part of the model's name.
    pub suffix: Option<String>,
    pub metadata: Option<JobMetadata>,
}

/// A job with what OpenAI's wire tells of it.
#[derive(Debug, Clone)]
pub struct LabelledJob {
    pub job: Job,
    pub label: JobLabel,
    /// Size of the table of its metric points, once it has succeeded.
    pub results_bytes: Option<u64>,
}

/// What somebody wants of a job that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Pause,
    Cancel,
}

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
    wire(db.read(), find_row(scope, db, id).await?).await
}

pub async fn find_labelled(scope: &Scope, db: &Db, id: JobId) -> Result<LabelledJob, DbError> {
    labelled(db.read(), find_row(scope, db, id).await?).await
}

/// Jobs beyond the id `after`, by id; only those with results if `results`.
pub async fn list_labelled(
    scope: &Scope,
    db: &Db,
    way: Way,
    after: Option<JobId>,
    results: bool,
    limit: u32,
) -> Result<Vec<LabelledJob>, DbError> {
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(after) = after {
        found = found.filter(way.beyond(row::Column::Id, after.0));
    }
    if results {
        found = found.filter(row::Column::ResultsBytes.is_not_null());
    }
    let rows = found
        .order_by(row::Column::Id, way.order())
        .limit(u64::from(limit))
        .all(db.read())
        .await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(labelled(db.read(), row).await?);
    }
    Ok(items)
}

/// How the running job is to stop; `None` when it is not, or is gone.
pub async fn wanted_stop(scope: &Scope, db: &Db, id: JobId) -> Result<Option<Stop>, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    Ok(row.and_then(|row| stop(&row)))
}

fn stop(row: &row::Model) -> Option<Stop> {
    match (row.cancel_requested, row.pause_requested) {
        (true, _) => Some(Stop::Cancel),
        (false, true) => Some(Stop::Pause),
        (false, false) => None,
    }
}

/// Adds a queued job. The caller has checked that dataset, base and agent belong to the workspace.
///
/// # Errors
/// `DbError::Conflict` when a dataset has lost its content or was deleted, as [`models::require_servable`] for the model to
/// go on from.
pub async fn insert(write: &mut Write, new: &NewJob, label: &JobLabel) -> Result<LabelledJob, DbError> {
    require_content(write, new.dataset_id, new.validation_dataset_id).await?;
    if new.validation_dataset_id.is_none() {
        datasets::splits::freeze(write, new.dataset_id).await?;
    }
    let parent = match new.initial_model_id {
        Some(id) => Some(models::require_servable(write, id).await?.0),
        None => None,
    };
    let now = convert::now();
    let metadata = label.metadata.as_ref();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.map(|id| id.0),
        dataset_id: new.dataset_id.0,
        validation_dataset_id: new.validation_dataset_id.map(|id| id.0),
        base_id: new.base_id.0,
        parent_id: parent,
        parameters: convert::json("job parameters", &new.parameters)?,
        status: convert::name(&JobStatus::Queued)?,
        cancel_requested: false,
        pause_requested: false,
        turn: 0,
        plan: None,
        step: 0,
        train_loss: None,
        validation_loss: None,
        failure: None,
        suffix: label.suffix.clone(),
        metadata: metadata
            .map(|metadata| convert::json("job metadata", metadata))
            .transpose()?,
        results_bytes: None,
        samples: None,
        created_at: now,
        queued_at: Some(now),
        started_at: None,
        finished_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::JobChanged, row.id, new.agent_id);
    let fields = [
        Some("agent_id"),
        Some("dataset_id"),
        row.validation_dataset_id.map(|_| "validation_dataset_id"),
        Some("base_id"),
        row.parent_id.map(|_| "initial_model_id"),
        Some("parameters"),
        row.suffix.as_ref().map(|_| "suffix"),
        row.metadata.as_ref().map(|_| "metadata"),
    ];
    write.audit(Action::Created, Noun::Job, row.id, &convert::present(fields));
    labelled(write.connection(), row).await
}

async fn require_content(write: &Write, dataset: DatasetId, validation: Option<DatasetId>) -> Result<(), DbError> {
    for id in [Some(dataset), validation].into_iter().flatten() {
        datasets::require_content(write, id).await?;
    }
    Ok(())
}

/// What a task finds when it begins to train.
#[derive(Debug)]
pub enum Start {
    Run(Job),
    /// Somebody wanted it to stop while no trainer was there to ask.
    Stop(Job, Stop),
    /// It is over, paused, or another task's.
    Nothing,
}

/// Whether the job still waits in this turn of the queue, or was at work in it.
pub async fn is_due(scope: &Scope, db: &Db, id: JobId, turn: i64) -> Result<bool, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    Ok(match row {
        Some(row) => row.turn == turn && is_under_way(&row)?,
        None => false,
    })
}

fn is_under_way(row: &row::Model) -> Result<bool, DbError> {
    let status = convert::parse_name("job status", &row.status)?;
    Ok(matches!(status, JobStatus::Queued | JobStatus::Running))
}

/// The number of the job's present turn in the queue, for the task that is to do it.
pub async fn turn(write: &Write, id: JobId) -> Result<i64, DbError> {
    Ok(lock(write, id).await?.turn)
}

/// Marks a job running, if it still waits for the task of this turn.
pub async fn start(write: &mut Write, id: JobId, turn: i64) -> Result<Start, DbError> {
    let current = lock(write, id).await?;
    if current.turn != turn || !is_under_way(&current)? {
        return Ok(Start::Nothing);
    }
    if let Some(stop) = stop(&current) {
        return Ok(Start::Stop(wire(write.connection(), current).await?, stop));
    }
    let started_at = current.started_at.unwrap_or_else(Utc::now);
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.status = Set(convert::name(&JobStatus::Running)?);
    row.started_at = Set(Some(started_at));
    let row = row.update(write.connection()).await?;
    write.audit(Action::Started, Noun::Job, id, &[]);
    write.event(EventKind::JobChanged, id.0, agent_id);
    Ok(Start::Run(wire(write.connection(), row).await?))
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

/// Notes how large the table of the job's metric points is, now that no more of them come; `None` once nobody wants it.
pub async fn set_results(write: &mut Write, id: JobId, bytes: Option<u64>) -> Result<(), DbError> {
    let mut row = lock(write, id).await?.into_active_model();
    row.results_bytes = Set(bytes.map(convert::signed));
    row.update(write.connection()).await?;
    write.audit(Action::Updated, Noun::Job, id, &["results_bytes"]);
    Ok(())
}

/// The suffixes of some jobs' models.
pub async fn suffixes(scope: &Scope, db: &Db, ids: &[JobId]) -> Result<HashMap<JobId, String>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .all(db.read())
        .await?;
    let suffixes = rows.into_iter().filter_map(|row| Some((JobId(row.id), row.suffix?)));
    Ok(suffixes.collect())
}

/// Ends a job, or a part of it when it was paused, and says how. One that is over already keeps its end: `None`.
pub async fn finish(
    write: &mut Write,
    id: JobId,
    status: JobStatus,
    failure: Option<&JobFailure>,
) -> Result<Option<JobStatus>, DbError> {
    let current = lock(write, id).await?;
    if convert::parse_name::<JobStatus>("job status", &current.status)?.is_over() {
        return Ok(None);
    }
    // It may have been cancelled while it wrote the checkpoint to be paused at.
    let status = match status {
        JobStatus::Paused if current.cancel_requested => JobStatus::Cancelled,
        other => other,
    };
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    row.status = Set(convert::name(&status)?);
    row.pause_requested = Set(false);
    row.failure = Set(failure
        .map(|failure| convert::json("job failure", failure))
        .transpose()?);
    row.finished_at = Set(status.is_over().then(convert::now));
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    let action = match status {
        JobStatus::Succeeded => Action::Finished,
        JobStatus::Cancelled => Action::Cancelled,
        JobStatus::Paused => Action::Paused,
        _ => Action::Failed,
    };
    write.audit(action, Noun::Job, id, &[]);
    let (kind, end) = match status {
        JobStatus::Succeeded => (NotificationKind::JobSucceeded, "has finished"),
        JobStatus::Failed => (NotificationKind::JobFailed, "has failed"),
        // Somebody wanted it so.
        _ => return Ok(Some(status)),
    };
    let dataset = wire(write.connection(), row).await?.dataset_name;
    let title = format!("Training on “{dataset}” {end}.");
    let (audience, subject) = (Audience::AtLeast(Role::Editor), NotificationSubject::Job);
    notifications::notify(write, kind, audience, &title, subject, id).await?;
    Ok(Some(status))
}

/// Asks a job to stop for good; one that no trainer works on ends at once.
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
    if status != JobStatus::Running {
        row.status = Set(convert::name(&JobStatus::Cancelled)?);
        row.finished_at = Set(Some(convert::now()));
    }
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    wire(write.connection(), row).await
}

/// Asks a job to stop for a while; a queued one leaves the queue at once.
pub async fn request_pause(write: &mut Write, id: JobId) -> Result<Job, DbError> {
    let current = lock(write, id).await?;
    let status: JobStatus = convert::parse_name("job status", &current.status)?;
    let refused = match status {
        JobStatus::Paused => Some("This job is paused already."),
        JobStatus::Running if current.cancel_requested => Some("This job is being cancelled."),
        JobStatus::Running if current.pause_requested => Some("This job is being paused already."),
        status if status.is_over() => Some("This job is over already, so there is nothing to pause."),
        _ => None,
    };
    if let Some(refused) = refused {
        return Err(DbError::Conflict(refused.to_owned()));
    }
    let agent_id = current.agent_id.map(AgentId);
    let mut row = current.into_active_model();
    write.audit(Action::Paused, Noun::Job, id, &[]);
    if status == JobStatus::Queued {
        row.status = Set(convert::name(&JobStatus::Paused)?);
    } else {
        row.pause_requested = Set(true);
    }
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    wire(write.connection(), row).await
}

/// Puts a paused, failed or cancelled job at the end of the queue; it goes on from its last checkpoint.
pub async fn resume(write: &mut Write, id: JobId) -> Result<LabelledJob, DbError> {
    let from = [JobStatus::Paused, JobStatus::Failed, JobStatus::Cancelled];
    let otherwise = "Only a paused, failed or cancelled job can be resumed.";
    requeue(write, id, &from, Action::Resumed, otherwise).await
}

/// Puts a failed job at the end of the queue; it goes on from its last checkpoint.
pub async fn retry(write: &mut Write, id: JobId) -> Result<LabelledJob, DbError> {
    let otherwise = "Only a failed job can be tried again.";
    requeue(write, id, &[JobStatus::Failed], Action::Retried, otherwise).await
}

async fn requeue(
    write: &mut Write,
    id: JobId,
    from: &[JobStatus],
    action: Action,
    otherwise: &str,
) -> Result<LabelledJob, DbError> {
    let current = lock(write, id).await?;
    if !from.contains(&convert::parse_name("job status", &current.status)?) {
        return Err(DbError::Conflict(otherwise.to_owned()));
    }
    let validation = current.validation_dataset_id.map(DatasetId);
    require_content(write, DatasetId(current.dataset_id), validation).await?;
    if let Some(parent) = current.parent_id {
        models::require_made(write, JobId(parent)).await?;
    }
    let agent_id = current.agent_id.map(AgentId);
    let turn = current.turn + 1;
    let mut row = current.into_active_model();
    write.audit(action, Noun::Job, id, &[]);
    row.status = Set(convert::name(&JobStatus::Queued)?);
    row.cancel_requested = Set(false);
    row.pause_requested = Set(false);
    row.turn = Set(turn);
    row.queued_at = Set(Some(convert::now()));
    row.failure = Set(None);
    row.finished_at = Set(None);
    let row = row.update(write.connection()).await?;
    write.event(EventKind::JobChanged, id.0, agent_id);
    labelled(write.connection(), row).await
}

/// For whoever has found the job in its scope.
pub(crate) async fn read(connection: &impl ConnectionTrait, id: JobId) -> Result<Job, DbError> {
    let row = row::Entity::find_by_id(id.0).one(connection).await?;
    wire(connection, row.ok_or(DbError::NotFound("job"))?).await
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
    stage: Option<i32>,
    model_id: Option<Uuid>,
    initial_model_id: Option<Uuid>,
    ahead: i64,
}

async fn labelled(connection: &impl ConnectionTrait, row: row::Model) -> Result<LabelledJob, DbError> {
    let metadata = row.metadata.as_ref();
    Ok(LabelledJob {
        label: JobLabel {
            suffix: row.suffix.clone(),
            metadata: metadata
                .map(|text| convert::parse_json("job metadata", text))
                .transpose()?,
        },
        results_bytes: row.results_bytes.map(convert::unsigned),
        job: wire(connection, row).await?,
    })
}

async fn wire(connection: &impl ConnectionTrait, row: row::Model) -> Result<Job, DbError> {
    let status: JobStatus = convert::parse_name("job status", &row.status)?;
    let sql = "select d.name as dataset_name, b.name as base_name, \
               (select s.number from training_stages s where s.job_id = $1) as stage, \
               (select m.id from models m where m.job_id = $1) as model_id, \
               (select m.id from models m, jobs me where me.id = $1 and m.job_id = me.parent_id) as initial_model_id, \
               (select count(*) from jobs j, jobs me where me.id = $1 and (j.status = 'running' or j.status = 'queued' \
               and (j.queued_at < me.queued_at or j.queued_at = me.queued_at and j.id < me.id))) as ahead \
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
        stage: around.stage.and_then(|stage| u8::try_from(stage).ok()),
        dataset_id: DatasetId(row.dataset_id),
        dataset_name: around.dataset_name,
        validation_dataset_id: row.validation_dataset_id.map(DatasetId),
        base_id: BaseId(row.base_id),
        base_name: around.base_name,
        initial_model_id: around.initial_model_id.map(ModelId),
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
        pub validation_dataset_id: Option<Uuid>,
        pub base_id: Uuid,
        /// The job whose model it goes on from.
        pub parent_id: Option<Uuid>,
        pub parameters: String,
        pub status: String,
        pub cancel_requested: bool,
        pub pause_requested: bool,
        pub turn: i64,
        pub plan: Option<String>,
        pub step: i64,
        pub train_loss: Option<f64>,
        pub validation_loss: Option<f64>,
        pub failure: Option<String>,
        pub suffix: Option<String>,
        pub metadata: Option<String>,
        pub results_bytes: Option<i64>,
        pub samples: Option<String>,
        pub created_at: DateTimeUtc,
        pub queued_at: Option<DateTimeUtc>,
        pub started_at: Option<DateTimeUtc>,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
