//! Models: adapters with the job that made them.

use crate::{Db, DbError, Scope, Write, convert, datasets, jobs, llm_calls, model_exports, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{AgentId, BaseId, DatasetId, JobId, ModelId},
    models::{Model, ModelQuery, Quality},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Select, Statement, sea_query::OnConflict,
};

/// Of models before or after one that are told.
const MAX_RELATED: i64 = 100;

/// A model with the key of its archive.
#[derive(Debug, Clone)]
pub struct StoredModel {
    pub model: Model,
    pub blob_key: String,
}

/// What a finished job knows about its adapter.
#[derive(Debug, Clone)]
pub struct NewModel {
    pub id: ModelId,
    pub job_id: JobId,
    pub agent_id: Option<AgentId>,
    pub dataset_id: DatasetId,
    pub base_id: BaseId,
    pub name: String,
    pub blob_key: String,
    pub seed: u64,
    pub steps: u64,
    pub train_loss: f64,
    pub initial_validation_loss: Option<f64>,
    pub validation_loss: Option<f64>,
    pub token_accuracy: Option<f64>,
    /// What its answers have in common with held-out ones, 0 to 1.
    pub generation_overlap: Option<f64>,
    pub size_bytes: u64,
    pub sha256: String,
}

pub async fn list(scope: &Scope, db: &Db, query: &ModelQuery) -> Result<Page<Model>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(wire(db.read(), row).await?.model);
    }
    Ok(paging.of(items, total))
}

pub async fn find(scope: &Scope, db: &Db, id: ModelId) -> Result<StoredModel, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("model"))?;
    wire(db.read(), row).await
}

/// The agents that answer with a model.
pub async fn served_by(scope: &Scope, db: &Db, id: ModelId) -> Result<Vec<AgentId>, DbError> {
    let statement = Statement::from_sql_and_values(
        db.read().get_database_backend(),
        "select id from agents where workspace_id = $1 and model_id = $2 order by id",
        [scope.workspace_id.0.into(), id.0.into()],
    );
    let rows = db.read().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(AgentId(row.try_get("", "id")?))).collect()
}

/// The models that a model went on from, nearest first; a deleted one ends them.
pub async fn earlier(scope: &Scope, db: &Db, job_id: JobId) -> Result<Vec<Model>, DbError> {
    let sql = "with recursive line (id, parent_id, depth) as (select id, parent_id, 0 from jobs where id = $2 union all \
               select j.id, j.parent_id, line.depth + 1 from jobs j join line on j.id = line.parent_id \
               where exists (select 1 from models m where m.job_id = j.id) and line.depth < $3) \
               select m.* from models m join line on m.job_id = line.id \
               where m.workspace_id = $1 and line.depth > 0 order by line.depth";
    related(scope, db, sql, job_id).await
}

/// The models that went on from a job's model directly, oldest first.
pub async fn later(scope: &Scope, db: &Db, job_id: JobId) -> Result<Vec<Model>, DbError> {
    let sql = "select m.* from models m join jobs j on j.id = m.job_id \
               where m.workspace_id = $1 and j.parent_id = $2 order by m.id limit $3";
    related(scope, db, sql, job_id).await
}

async fn related(scope: &Scope, db: &Db, sql: &str, job_id: JobId) -> Result<Vec<Model>, DbError> {
    let values = [scope.workspace_id.0.into(), job_id.0.into(), MAX_RELATED.into()];
    let statement = Statement::from_sql_and_values(db.read().get_database_backend(), sql, values);
    let rows = row::Entity::find().from_raw_sql(statement).all(db.read()).await?;
    let mut models = Vec::with_capacity(rows.len());
    for row in rows {
        models.push(wire(db.read(), row).await?.model);
    }
    Ok(models)
}

/// Refuses a model that may not be used, inside a transaction that is about to use it; gives the job that made it.
///
/// # Errors
/// `DbError::NotFound` for another workspace's, `DbError::SourceDeleted` when what it learned from was deleted.
pub async fn require_servable(write: &Write, id: ModelId) -> Result<JobId, DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let found = found.ok_or(DbError::NotFound("model"))?;
    match found.source_deleted_at {
        Some(_) => Err(DbError::SourceDeleted),
        None => Ok(JobId(found.job_id)),
    }
}

/// Refuses to go on from a model that is gone.
///
/// # Errors
/// `DbError::Conflict` once it is deleted, `DbError::SourceDeleted` when what it learned from was.
pub async fn require_made(write: &Write, job_id: JobId) -> Result<(), DbError> {
    let found = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::JobId.eq(job_id.0))
        .one(write.connection())
        .await?;
    match found {
        None => Err(DbError::Conflict(
            "The model that this job goes on from was deleted. Start another job.".to_owned(),
        )),
        Some(row) if row.source_deleted_at.is_some() => Err(DbError::SourceDeleted),
        Some(_) => Ok(()),
    }
}

/// Adds a model; one that is there already stays as it is. Tells whether it may answer.
pub async fn insert(write: &mut Write, new: &NewModel) -> Result<bool, DbError> {
    let erased = learned_from_erased(write, new).await?;
    let row = row::ActiveModel {
        id: Set(new.id.0),
        workspace_id: Set(write.workspace_id()?.0),
        agent_id: Set(new.agent_id.map(|id| id.0)),
        job_id: Set(new.job_id.0),
        dataset_id: Set(new.dataset_id.0),
        base_id: Set(new.base_id.0),
        name: Set(new.name.clone()),
        blob_key: Set(new.blob_key.clone()),
        seed: Set(convert::signed(new.seed)),
        steps: Set(convert::signed(new.steps)),
        train_loss: Set(new.train_loss),
        initial_validation_loss: Set(new.initial_validation_loss),
        validation_loss: Set(new.validation_loss),
        token_accuracy: Set(new.token_accuracy),
        generation_overlap: Set(new.generation_overlap),
        size_bytes: Set(convert::signed(new.size_bytes)),
        sha256: Set(new.sha256.clone()),
        created_at: Set(convert::now()),
        source_deleted_at: Set(erased.then(convert::now)),
    };
    let keep = OnConflict::column(row::Column::Id).do_nothing().to_owned();
    row::Entity::insert(row)
        .on_conflict(keep)
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::ModelChanged, new.id.0, new.agent_id);
    write.audit(Action::Created, Noun::Model, new.id, &["name", "job_id"]);
    Ok(!erased)
}

/// Whether its dataset was emptied, or one that an adapter before it learned from.
async fn learned_from_erased(write: &Write, new: &NewModel) -> Result<bool, DbError> {
    let statement = Statement::from_sql_and_values(
        write.connection().get_database_backend(),
        "with recursive line (id) as (select id from jobs where id = $1 union \
         select j.parent_id from jobs j join line on j.id = line.id where j.parent_id is not null) \
         select distinct dataset_id from jobs where id in (select id from line)",
        [new.job_id.0.into()],
    );
    for row in write.connection().query_all_raw(statement).await? {
        if datasets::is_erased(write, DatasetId(row.try_get("", "dataset_id")?)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a model that no agent serves, its exports, and the adapters of its job's checkpoints; gives the keys of their files.
pub async fn delete(write: &mut Write, id: ModelId) -> Result<Vec<String>, DbError> {
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("model"))?;
    if is_served(write.connection(), &row).await? {
        return Err(DbError::Conflict(
            "An assistant answers with this model. Take it offline first.".to_owned(),
        ));
    }
    if is_awaited(write.connection(), &row).await? {
        return Err(DbError::Conflict(
            "A job that is not over goes on from this model. Wait for its end, or cancel it first.".to_owned(),
        ));
    }
    let mut keys = model_exports::keys_of(write.connection(), id.0).await?;
    keys.extend(jobs::forget_adapters(write, row.job_id).await?);
    keys.push(row.blob_key);
    llm_calls::forget(write, id.0).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.event(EventKind::ModelDeleted, id.0, row.agent_id.map(AgentId));
    write.audit(Action::Deleted, Noun::Model, id, &[]);
    Ok(keys)
}

async fn is_served(connection: &impl ConnectionTrait, row: &row::Model) -> Result<bool, DbError> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "select 1 as served from agents where workspace_id = $1 and model_id = $2 limit 1",
        [row.workspace_id.into(), row.id.into()],
    );
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// Whether a job is to go on from it.
async fn is_awaited(connection: &impl ConnectionTrait, row: &row::Model) -> Result<bool, DbError> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "select 1 as awaited from jobs where parent_id = $1 and status in ('queued', 'running', 'paused') limit 1",
        [row.job_id.into()],
    );
    Ok(connection.query_one_raw(statement).await?.is_some())
}

fn scoped(scope: &Scope, id: ModelId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

/// What stands in other tables.
#[derive(FromQueryResult)]
struct Around {
    dataset_name: String,
    base_name: String,
}

async fn wire(connection: &impl ConnectionTrait, row: row::Model) -> Result<StoredModel, DbError> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "select d.name as dataset_name, b.name as base_name from datasets d, bases b where d.id = $1 and b.id = $2",
        [row.dataset_id.into(), row.base_id.into()],
    );
    let around = Around::find_by_statement(statement)
        .one(connection)
        .await?
        .ok_or_else(|| DbError::Corrupt("model", row.id.to_string()))?;
    let serving = is_served(connection, &row).await?;
    let model = Model {
        id: ModelId(row.id),
        name: row.name,
        agent_id: row.agent_id.map(AgentId),
        job_id: JobId(row.job_id),
        dataset_id: DatasetId(row.dataset_id),
        dataset_name: around.dataset_name,
        base_id: BaseId(row.base_id),
        base_name: around.base_name,
        seed: convert::unsigned(row.seed),
        steps: convert::unsigned(row.steps),
        train_loss: row.train_loss,
        initial_validation_loss: row.initial_validation_loss,
        validation_loss: row.validation_loss,
        quality: Quality::of(
            row.initial_validation_loss.zip(row.validation_loss),
            row.token_accuracy,
            row.generation_overlap,
        ),
        size_bytes: convert::unsigned(row.size_bytes),
        sha256: row.sha256,
        source_deleted_at: row.source_deleted_at,
        serving,
        created_at: row.created_at,
    };
    Ok(StoredModel {
        model,
        blob_key: row.blob_key,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "models")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub job_id: Uuid,
        pub dataset_id: Uuid,
        pub base_id: Uuid,
        pub name: String,
        pub blob_key: String,
        pub seed: i64,
        pub steps: i64,
        pub train_loss: f64,
        pub initial_validation_loss: Option<f64>,
        pub validation_loss: Option<f64>,
        pub token_accuracy: Option<f64>,
        pub generation_overlap: Option<f64>,
        pub size_bytes: i64,
        pub sha256: String,
        pub created_at: DateTimeUtc,
        pub source_deleted_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
