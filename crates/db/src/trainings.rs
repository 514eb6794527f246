//! The training of agents in stages. A stage gets its job once the stage before it has succeeded.
//!
//! Whoever changes a training locks the job that is under way first, then the agent.

use crate::{Db, DbError, Scope, Write, agents, bases, convert, datasets, jobs};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{AgentId, BaseId, DatasetId, JobId, ModelId, TrainingId},
    jobs::{Job, JobStatus, NewJob},
    trainings::{NewTraining, SkipReason, StageKind, StageStatus, Training, TrainingStage, TrainingStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, Statement,
};
use uuid::Uuid;

/// What a stage learns from.
#[derive(Debug, Clone)]
pub struct NewStage {
    pub kind: StageKind,
    /// Without it, the stage is skipped.
    pub dataset_id: Option<DatasetId>,
    pub rows: u64,
    pub left_out_characters: u64,
}

/// What follows on a job that has succeeded.
#[derive(Debug)]
pub enum Next {
    /// Nothing: it is of no training, or its training has reached its end.
    End,
    /// The job of the next stage, queued.
    Job(Box<Job>),
    /// Nothing more: its training was cancelled meanwhile.
    Cancelled,
}

/// The newest training of an agent.
pub async fn find_latest(scope: &Scope, db: &Db, agent_id: AgentId) -> Result<Training, DbError> {
    agents::find(scope, db, agent_id).await?;
    // At one moment: between two reads a stage may end and the next one begin.
    let snapshot = db.snapshot().await?;
    let row = latest(&snapshot, agent_id).await?;
    wire(&snapshot, row.ok_or(DbError::NotFound("training"))?).await
}

/// Refuses a training while another one of the agent is under way, and ends one that has halted. The agent has no other
/// until the transaction ends.
///
/// # Errors
/// `DbError::Conflict` while a stage is queued, running or paused.
pub async fn make_room(write: &mut Write, agent_id: AgentId) -> Result<(), DbError> {
    agents::require(write, agent_id).await?;
    let Some(row) = latest(write.connection(), agent_id).await? else {
        return Ok(());
    };
    if open_job(write.connection(), row.id).await?.is_some() {
        let message = "This assistant is being trained already. Wait for the end, or cancel that training first.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    match wire(write.connection(), row.clone()).await?.status {
        TrainingStatus::Succeeded | TrainingStatus::Cancelled => Ok(()),
        TrainingStatus::Running | TrainingStatus::Halted => set_cancelled(write, row).await,
    }
}

/// Adds a training with its first job, which is queued. The caller has made room for it and has checked the base.
///
/// # Errors
/// `DbError::Conflict` when all that it was to learn from is gone by now.
pub async fn insert(
    write: &mut Write,
    agent_id: AgentId,
    new: &NewTraining,
    stages: &[NewStage],
) -> Result<(Training, Job), DbError> {
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        agent_id: agent_id.0,
        base_id: new.base_id.0,
        parameters: convert::json("job parameters", &new.parameters)?,
        created_at: convert::now(),
        cancelled_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    let nothing = convert::name(&SkipReason::Nothing)?;
    let stages = stages.iter().map(|new| stage::ActiveModel {
        training_id: Set(row.id),
        number: Set(i32::from(new.kind.number())),
        skipped: Set(new.dataset_id.is_none().then(|| nothing.clone())),
        dataset_id: Set(new.dataset_id.map(|id| id.0)),
        row_count: Set(convert::signed(new.rows)),
        left_out: Set(convert::signed(new.left_out_characters)),
        job_id: Set(None),
    });
    stage::Entity::insert_many(stages)
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Created, Noun::Training, row.id, &["base_id", "parameters"]);
    let job = begin_next(write, &row, None).await?.ok_or_else(|| {
        let message = "What this training was to learn from was deleted while it was being prepared. Start it again.";
        DbError::Conflict(message.to_owned())
    })?;
    Ok((wire(write.connection(), row).await?, job))
}

/// Lets the stage after a job that has just succeeded go on from its model.
pub async fn go_on(write: &mut Write, job: JobId, model: ModelId) -> Result<Next, DbError> {
    let stage = stage::Entity::find().filter(stage::Column::JobId.eq(job.0));
    let Some(stage) = stage.one(write.connection()).await? else {
        return Ok(Next::End);
    };
    let row = row::Entity::find_by_id(stage.training_id)
        .one(write.connection())
        .await?;
    let row = row.ok_or(DbError::NotFound("training"))?;
    if row.cancelled_at.is_some() {
        return Ok(Next::Cancelled);
    }
    Ok(match begin_next(write, &row, Some(model)).await? {
        Some(job) => Next::Job(Box::new(job)),
        None => Next::End,
    })
}

/// The job of the first stage that has neither job nor reason to be skipped. Stages whose rows are gone are skipped.
async fn begin_next(write: &mut Write, training: &row::Model, from: Option<ModelId>) -> Result<Option<Job>, DbError> {
    let parameters = convert::parse_json("job parameters", &training.parameters)?;
    let mut new = NewTraining {
        base_id: BaseId(training.base_id),
        parameters,
    };
    let waiting = stages_of(write.connection(), training.id).await?.into_iter();
    for stage in waiting.filter(|stage| stage.job_id.is_none() && stage.skipped.is_none()) {
        let content = match stage.dataset_id {
            Some(id) => datasets::require_content(write, DatasetId(id)).await.map(|()| Some(id)),
            None => Ok(None),
        };
        let dataset_id = match content {
            Err(DbError::Conflict(_)) => None,
            other => other?,
        };
        let mut row = stage.clone().into_active_model();
        let Some(dataset_id) = dataset_id else {
            row.skipped = Set(Some(convert::name(&SkipReason::Deleted)?));
            row.update(write.connection()).await?;
            continue;
        };
        if stage.row_count < 2 {
            // No row is left to be measured on.
            new.parameters.early_stopping_patience = None;
        }
        let order = NewJob {
            dataset_id: DatasetId(dataset_id),
            validation_dataset_id: None,
            base_id: new.base_id,
            initial_model_id: from,
            agent_id: Some(AgentId(training.agent_id)),
            parameters: new.parameters,
        };
        let job = jobs::insert(write, &order, &jobs::JobLabel::default()).await?.job;
        row.job_id = Set(Some(job.id.0));
        row.update(write.connection()).await?;
        return jobs::read(write.connection(), job.id).await.map(Some);
    }
    Ok(None)
}

/// Cancels what is left of an agent's newest training; gives it with the job that was asked to stop, if one was under way.
///
/// # Errors
/// `DbError::Conflict` once it is over.
pub async fn cancel(write: &mut Write, agent_id: AgentId) -> Result<(Training, Option<Job>), DbError> {
    let scope = write.scope()?;
    let found = latest(write.connection(), agent_id).await?;
    let row = found.filter(|row| row.workspace_id == scope.workspace_id.0);
    let row = row.ok_or(DbError::NotFound("training"))?;
    let stopped = loop {
        let Some(open) = open_job(write.connection(), row.id).await? else {
            break None;
        };
        match jobs::request_cancel(write, open).await {
            // It has ended this very moment: another one may be queued by now.
            Err(DbError::Conflict(_)) => {}
            other => break Some(other?),
        }
    };
    agents::require(write, agent_id).await?;
    let over = match wire(write.connection(), row.clone()).await?.status {
        TrainingStatus::Succeeded => Some("This training is over already."),
        TrainingStatus::Cancelled => Some("This training was cancelled already."),
        TrainingStatus::Running | TrainingStatus::Halted => None,
    };
    if let Some(over) = over {
        return Err(DbError::Conflict(over.to_owned()));
    }
    set_cancelled(write, row.clone()).await?;
    let training = latest(write.connection(), agent_id).await?;
    let training = wire(write.connection(), training.unwrap_or(row)).await?;
    Ok((training, stopped))
}

/// The job of a training that is queued, running or paused. In one statement, so that none is missed between two.
async fn open_job(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<JobId>, DbError> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "select j.id from training_stages s join jobs j on j.id = s.job_id where s.training_id = $1 \
         and j.status in ('queued', 'running', 'paused')",
        [id.into()],
    );
    let found = connection.query_one_raw(statement).await?;
    Ok(found.map(|row| row.try_get("", "id").map(JobId)).transpose()?)
}

async fn set_cancelled(write: &mut Write, row: row::Model) -> Result<(), DbError> {
    let (id, agent_id) = (row.id, row.agent_id);
    let mut row = row.into_active_model();
    row.cancelled_at = Set(Some(convert::now()));
    row.update(write.connection()).await?;
    write.audit(Action::Cancelled, Noun::Training, id, &[]);
    write.event(EventKind::AgentChanged, agent_id, Some(AgentId(agent_id)));
    Ok(())
}

async fn latest(connection: &impl ConnectionTrait, agent_id: AgentId) -> Result<Option<row::Model>, DbError> {
    let found = row::Entity::find().filter(row::Column::AgentId.eq(agent_id.0));
    Ok(found.order_by_desc(row::Column::Id).one(connection).await?)
}

async fn stages_of(connection: &impl ConnectionTrait, id: Uuid) -> Result<Vec<stage::Model>, DbError> {
    let found = stage::Entity::find().filter(stage::Column::TrainingId.eq(id));
    Ok(found.order_by_asc(stage::Column::Number).all(connection).await?)
}

async fn wire(connection: &impl ConnectionTrait, row: row::Model) -> Result<Training, DbError> {
    let cancelled = row.cancelled_at.is_some();
    let mut stages: Vec<TrainingStage> = Vec::new();
    // The stage that the later ones wait for.
    let mut under_way = None;
    for stage in stages_of(connection, row.id).await? {
        let kind = u8::try_from(stage.number).ok().and_then(StageKind::of_number);
        let kind = kind.ok_or_else(|| DbError::Corrupt("stage", stage.number.to_string()))?;
        let skipped = stage.skipped.as_ref();
        let skipped = skipped.map(|skipped| convert::parse_name("skip reason", skipped));
        let job = match stage.job_id {
            Some(id) => Some(jobs::read(connection, JobId(id)).await?),
            None => None,
        };
        let (status, reason) = match (skipped.transpose()?, &job) {
            (Some(skipped), _) => (StageStatus::Skipped, Some(why_skipped(kind, skipped).to_owned())),
            (None, Some(job)) => {
                under_way = Some((kind, job.status));
                (of_job(job.status), None)
            }
            (None, None) if cancelled => {
                let reason = "The training was cancelled before this stage.".to_owned();
                (StageStatus::Cancelled, Some(reason))
            }
            (None, None) => (StageStatus::Waiting, Some(why_waiting(under_way))),
        };
        stages.push(TrainingStage {
            kind,
            status,
            reason,
            dataset_id: stage.dataset_id.map(DatasetId),
            rows: convert::unsigned(stage.row_count),
            left_out_characters: convert::unsigned(stage.left_out),
            job,
            cost_micros: None,
        });
    }
    Ok(Training {
        id: TrainingId(row.id),
        agent_id: AgentId(row.agent_id),
        base_id: BaseId(row.base_id),
        base_name: bases::name(connection, BaseId(row.base_id)).await?,
        parameters: convert::parse_json("job parameters", &row.parameters)?,
        status: status_of(cancelled, &stages),
        stages,
        created_at: row.created_at,
    })
}

fn status_of(cancelled: bool, stages: &[TrainingStage]) -> TrainingStatus {
    let mut left = stages
        .iter()
        .filter(|stage| !matches!(stage.status, StageStatus::Skipped | StageStatus::Succeeded));
    match left.next().map(|stage| stage.status) {
        _ if cancelled => TrainingStatus::Cancelled,
        None => TrainingStatus::Succeeded,
        Some(StageStatus::Queued | StageStatus::Running) => TrainingStatus::Running,
        Some(_) => TrainingStatus::Halted,
    }
}

fn of_job(status: JobStatus) -> StageStatus {
    match status {
        JobStatus::Queued => StageStatus::Queued,
        JobStatus::Running => StageStatus::Running,
        JobStatus::Paused => StageStatus::Paused,
        JobStatus::Succeeded => StageStatus::Succeeded,
        JobStatus::Failed => StageStatus::Failed,
        JobStatus::Cancelled => StageStatus::Cancelled,
    }
}

fn why_skipped(kind: StageKind, reason: SkipReason) -> &'static str {
    match (reason, kind) {
        (SkipReason::Deleted, _) => "What this stage was to learn from was deleted.",
        (_, StageKind::Foundation) => "The assistant had no document with text.",
        (_, StageKind::Communications) => "The assistant had no communication with text.",
        (_, StageKind::WorkProducts) => "The assistant had no work product with text.",
        (_, StageKind::Instructions) => "There were no instructions to learn from.",
        (_, StageKind::Personalization) => "None of the assistant's examples was approved.",
    }
}

fn why_waiting(under_way: Option<(StageKind, JobStatus)>) -> String {
    let Some((kind, status)) = under_way else {
        return "Waits for the stages before it.".to_owned();
    };
    let before = format!("stage {}", kind.numeral());
    match status {
        JobStatus::Queued | JobStatus::Running => format!("Starts once {before} has ended."),
        JobStatus::Paused => format!("Waits: {before} is paused. Resume that, and this goes on by itself."),
        JobStatus::Failed => format!("Waits: {before} has failed. Try that again, and this goes on by itself."),
        JobStatus::Cancelled => format!("Waits: {before} was cancelled. Resume that, and this goes on by itself."),
        JobStatus::Succeeded => {
            format!(
                "Waits: what {before} learned from was deleted, so nothing goes on from it. Start another training."
            )
        }
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "trainings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Uuid,
        pub base_id: Uuid,
        pub parameters: String,
        pub created_at: DateTimeUtc,
        pub cancelled_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod stage {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "training_stages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub training_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub skipped: Option<String>,
        pub dataset_id: Option<Uuid>,
        pub row_count: i64,
        pub left_out: i64,
        /// Once the stage before it has succeeded.
        pub job_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
