//! Agents. Their status on the wire is a projection, so filtering by status compares the columns behind it.

use crate::{Db, DbError, Scope, Write, batches, convert, documents, paging::page};
use cerebros_common::{
    agents::{
        Agent, AgentDocuments, AgentExamples, AgentPatch, AgentQuery, AgentSort, AgentStatus, Host, NewAgent,
        ServingState, TrainingState,
    },
    audit::{Action, Noun},
    events::EventKind,
    ids::{AgentId, JobId, ModelId},
    jobs::Job,
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select, Statement,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};
use std::collections::HashMap;
use uuid::Uuid;

/// Of training on approved examples alone.
const LAST_STAGE: i32 = 5;

pub async fn list(scope: &Scope, db: &Db, query: &AgentQuery) -> Result<Page<Agent>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(search) = &query.search {
        let pattern = format!("%{}%", convert::escape_like(&search.to_lowercase()));
        found = found
            .filter(Expr::expr(Func::lower(Expr::col(row::Column::Name))).like(LikeExpr::new(pattern).escape('\\')));
    }
    if let Some(status) = query.status {
        found = found.filter(has_status(status)?);
    }
    let (rows, total) = page(db, sorted(found, query.sort.unwrap_or_default()), paging).await?;
    let items = wire_all(db.read(), rows).await?;
    Ok(paging.of(items, total))
}

pub async fn find(scope: &Scope, db: &Db, id: AgentId) -> Result<Agent, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("agent"))?;
    wire_one(db.read(), row).await
}

/// The models that agents of any workspace answer with on a host.
pub async fn hosted_unscoped(db: &Db, host: Host) -> Result<Vec<ModelId>, DbError> {
    let models: Vec<Option<Uuid>> = row::Entity::find()
        .select_only()
        .column(row::Column::ModelId)
        .filter(row::Column::Host.eq(convert::name(&host)?))
        .filter(row::Column::ModelId.is_not_null())
        .distinct()
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(models.into_iter().flatten().map(ModelId).collect())
}

/// Refuses an id of another workspace, inside a transaction that is about to refer to it.
pub async fn require(write: &Write, id: AgentId) -> Result<(), DbError> {
    lock(write, id).await.map(|_| ())
}

pub async fn insert(write: &mut Write, new: &NewAgent) -> Result<Agent, DbError> {
    let now = convert::now();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        name: new.name.trim().to_owned(),
        description: new.description.clone(),
        wizard_step: 0,
        training: convert::name(&TrainingState::Idle)?,
        model_id: None,
        host: convert::name(&Host::default())?,
        stage: LAST_STAGE,
        job_id: None,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::AgentChanged, row.id, Some(AgentId(row.id)));
    write.audit(Action::Created, Noun::Agent, row.id, &["name", "description"]);
    wire_one(write.connection(), row).await
}

/// Changes an agent at `version`; `None` changes whatever version there is. The caller has checked that the model exists.
pub async fn update(
    write: &mut Write,
    id: AgentId,
    version: Option<i64>,
    patch: &AgentPatch,
) -> Result<Agent, DbError> {
    let current = lock(write, id).await?;
    check_version(version, current.version)?;
    let mut row = current.clone().into_active_model();
    if let Some(name) = &patch.name {
        row.name = Set(name.trim().to_owned());
    }
    if let Some(description) = &patch.description {
        row.description = Set(description.clone());
    }
    if let Some(step) = patch.wizard_step {
        row.wizard_step = Set(i32::from(step));
    }
    if let Some(model_id) = patch.model_id {
        row.model_id = Set(model_id.map(|id| id.0));
    }
    if let Some(host) = patch.host {
        row.host = Set(convert::name(&host)?);
    }
    row.updated_at = Set(convert::now());
    row.version = Set(current.version + 1);
    let row = row.update(write.connection()).await?;
    write.event(EventKind::AgentChanged, row.id, Some(id));
    let fields = [
        patch.name.is_some().then_some("name"),
        patch.description.is_some().then_some("description"),
        patch.wizard_step.is_some().then_some("wizard_step"),
        patch.model_id.is_some().then_some("model_id"),
        patch.host.is_some().then_some("host"),
    ];
    write.audit(Action::Updated, Noun::Agent, id, &convert::present(fields));
    wire_one(write.connection(), row).await
}

/// Notes on a job's agent, if it has one, how training stands. `model_id` goes live if given. An agent that is gone by now
/// is no error.
pub async fn set_training(
    write: &mut Write,
    job: &Job,
    training: TrainingState,
    model_id: Option<ModelId>,
) -> Result<(), DbError> {
    let Some(id) = job.agent_id else { return Ok(()) };
    let current = match lock(write, id).await {
        Ok(row) => row,
        Err(DbError::NotFound(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let version = current.version + 1;
    let mut row = current.into_active_model();
    row.training = Set(convert::name(&training)?);
    row.stage = Set(job.stage.map_or(LAST_STAGE, i32::from));
    row.job_id = Set(Some(job.id.0));
    if let Some(model_id) = model_id {
        row.model_id = Set(Some(model_id.0));
    }
    row.updated_at = Set(convert::now());
    row.version = Set(version);
    row.update(write.connection()).await?;
    write.event(EventKind::AgentChanged, id.0, Some(id));
    let fields = [Some("training"), model_id.map(|_| "model_id")];
    write.audit(Action::Updated, Noun::Agent, id, &convert::present(fields));
    Ok(())
}

/// Takes away a model that may answer no more from whoever answers with it.
pub(crate) async fn take_offline(write: &mut Write, model_id: ModelId) -> Result<(), DbError> {
    let serving = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::ModelId.eq(model_id.0))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .all(write.connection())
        .await?;
    for current in serving {
        let (id, version) = (AgentId(current.id), current.version + 1);
        let mut row = current.into_active_model();
        row.model_id = Set(None);
        row.updated_at = Set(convert::now());
        row.version = Set(version);
        row.update(write.connection()).await?;
        write.event(EventKind::AgentChanged, id, Some(id));
        write.audit(Action::Updated, Noun::Agent, id, &["model_id"]);
    }
    Ok(())
}

/// Deletes an agent with its documents and examples; datasets, jobs and models stay.
pub async fn delete(write: &mut Write, id: AgentId, version: Option<i64>) -> Result<(), DbError> {
    let current = lock(write, id).await?;
    check_version(version, current.version)?;
    documents::forget_of_agent(write, id).await?;
    batches::forget_of_agent(write, id).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.event(EventKind::AgentDeleted, id.0, Some(id));
    write.audit(Action::Deleted, Noun::Agent, id, &[]);
    Ok(())
}

async fn lock(write: &Write, id: AgentId) -> Result<row::Model, DbError> {
    scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("agent"))
}

fn check_version(wanted: Option<i64>, current: i64) -> Result<(), DbError> {
    match wanted {
        Some(version) if version != current => Err(DbError::Stale { noun: "agent", current }),
        _ => Ok(()),
    }
}

fn scoped(scope: &Scope, id: AgentId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn sorted(found: Select<row::Entity>, sort: AgentSort) -> Select<row::Entity> {
    match sort {
        AgentSort::Newest => found.order_by_desc(row::Column::Id),
        AgentSort::Oldest => found.order_by_asc(row::Column::Id),
        AgentSort::Name => found
            .order_by_asc(Func::lower(Expr::col(row::Column::Name)))
            .order_by_asc(row::Column::Id),
    }
}

/// The inverse of [`AgentStatus::project`], as a condition on the columns that it projects.
fn has_status(status: AgentStatus) -> Result<Condition, DbError> {
    let mut any = Condition::any();
    for training in [
        TrainingState::Idle,
        TrainingState::Queued,
        TrainingState::Running,
        TrainingState::Failed,
    ] {
        for serving in [ServingState::Offline, ServingState::Live] {
            for (step, stage) in (0..=5u8).flat_map(|step| (1..=5u8).map(move |stage| (step, stage))) {
                if AgentStatus::project(step, training, stage, serving) == status {
                    let live = match serving {
                        ServingState::Live => row::Column::ModelId.is_not_null(),
                        ServingState::Offline => row::Column::ModelId.is_null(),
                    };
                    any = any.add(
                        Condition::all()
                            .add(row::Column::WizardStep.eq(i32::from(step)))
                            .add(row::Column::Training.eq(convert::name(&training)?))
                            .add(row::Column::Stage.eq(i32::from(stage)))
                            .add(live),
                    );
                }
            }
        }
    }
    // A status that nothing projects to matches nothing: an empty condition would match everything.
    Ok(if any.is_empty() {
        any.add(Expr::value(1).eq(0))
    } else {
        any
    })
}

async fn wire_one(connection: &impl ConnectionTrait, row: row::Model) -> Result<Agent, DbError> {
    let id = row.id;
    let mut agents = wire_all(connection, vec![row]).await?;
    agents.pop().ok_or_else(|| DbError::Corrupt("agent", id.to_string()))
}

async fn wire_all(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Agent>, DbError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let documents = counts(connection, "documents", "kind", &ids).await?;
    let examples = counts(connection, "examples", "status", &ids).await?;
    rows.into_iter()
        .map(|row| {
            let of = |counts: &HashMap<(Uuid, String), u64>, name: &str| {
                counts.get(&(row.id, name.to_owned())).copied().unwrap_or(0)
            };
            let wizard_step =
                u8::try_from(row.wizard_step).map_err(|error| DbError::Corrupt("wizard step", error.to_string()))?;
            let training = convert::parse_name("training state", &row.training)?;
            let stage = u8::try_from(row.stage).map_err(|error| DbError::Corrupt("stage", error.to_string()))?;
            let serving = if row.model_id.is_some() {
                ServingState::Live
            } else {
                ServingState::Offline
            };
            Ok(Agent {
                id: AgentId(row.id),
                status: AgentStatus::project(wizard_step, training, stage, serving),
                wizard_step,
                training,
                serving,
                model_id: row.model_id.map(ModelId),
                host: convert::parse_name("host", &row.host)?,
                job_id: row.job_id.map(JobId),
                documents: AgentDocuments {
                    work_products: of(&documents, "work_product"),
                    communications: of(&documents, "communication"),
                    references: of(&documents, "reference"),
                },
                examples: AgentExamples {
                    pending: of(&examples, "pending"),
                    approved: of(&examples, "approved"),
                    rejected: of(&examples, "rejected"),
                },
                name: row.name,
                description: row.description,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
            })
        })
        .collect()
}

/// Rows of `table` per agent and value of `column`.
async fn counts(
    connection: &impl ConnectionTrait,
    table: &str,
    column: &str,
    agents: &[Uuid],
) -> Result<HashMap<(Uuid, String), u64>, DbError> {
    if agents.is_empty() {
        return Ok(HashMap::new());
    }
    let marks: Vec<String> = (1..=agents.len()).map(|index| format!("${index}")).collect();
    let sql = format!(
        "select agent_id, {column} as name, count(*) as total from {table} where agent_id in ({}) \
         group by agent_id, {column}",
        marks.join(", ")
    );
    let values = agents.iter().map(|id| (*id).into());
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let mut counts = HashMap::new();
    for row in connection.query_all_raw(statement).await? {
        let total: i64 = row.try_get("", "total")?;
        counts.insert(
            (row.try_get("", "agent_id")?, row.try_get("", "name")?),
            convert::unsigned(total),
        );
    }
    Ok(counts)
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "agents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub name: String,
        pub description: String,
        pub wizard_step: i32,
        pub training: String,
        pub stage: i32,
        pub model_id: Option<Uuid>,
        pub host: String,
        pub job_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
