//! Datasets that go, or lose their content.

use super::{changed, findings, lock, row, wire};
use crate::{Db, DbError, Write, convert, jobs as all_jobs, notifications, uploads};
use cerebros_common::{
    audit::{Action, Noun},
    datasets::{DELETED_KEPT_DAYS, Dataset, DatasetStatus},
    events::EventKind,
    ids::{AgentId, DatasetId, JobId, UploadId, WorkspaceId},
    jobs::JobStatus,
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use uuid::Uuid;

/// Puts a dataset aside: it leaves the lists and nothing is made of it until it is restored.
///
/// # Errors
/// `DbError::Conflict` while a job works with it or waits to, and once it was deleted.
pub async fn delete(write: &mut Write, id: DatasetId) -> Result<(), DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("dataset"))?;
    if row.deleted_at.is_some() {
        return Err(DbError::Conflict("This dataset is deleted already.".to_owned()));
    }
    jobs_on(write, id, "dataset").await?;
    let mut row = row.into_active_model();
    row.deleted_at = Set(Some(convert::now()));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    uploads::forget(write, UploadId(id.0)).await?;
    notifications::forget(write, [row.id]).await?;
    write.event(EventKind::DatasetDeleted, row.id, row.agent_id.map(AgentId));
    write.audit(Action::Deleted, Noun::Dataset, id, &[]);
    Ok(())
}

/// Takes a dataset back.
///
/// # Errors
/// `DbError::Conflict` for one that was not deleted.
pub async fn restore(write: &mut Write, id: DatasetId) -> Result<Dataset, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("dataset"))?;
    if row.deleted_at.is_none() {
        return Err(DbError::Conflict("This dataset is not deleted.".to_owned()));
    }
    let mut row = row.into_active_model();
    row.deleted_at = Set(None);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Restored, Noun::Dataset, id, &[]);
    wire(row)
}

/// Some that were deleted so long ago that they go for good.
pub async fn expired_unscoped(db: &Db, limit: u64) -> Result<Vec<(WorkspaceId, DatasetId)>, DbError> {
    let found: Vec<(Uuid, Uuid)> = row::Entity::find()
        .filter(row::Column::DeletedAt.lt(last_kept()))
        .filter(row::Column::Status.ne(convert::name(&DatasetStatus::Erased)?))
        .order_by_asc(row::Column::Id)
        .limit(limit)
        .select_only()
        .columns([row::Column::WorkspaceId, row::Column::Id])
        .into_tuple()
        .all(db.read())
        .await?;
    let found = found.into_iter();
    Ok(found
        .map(|(workspace, id)| (WorkspaceId(workspace), DatasetId(id)))
        .collect())
}

/// [`discard`]s one that was deleted so long ago; `None` if it was restored meanwhile, or is gone.
pub async fn purge(write: &mut Write, id: DatasetId) -> Result<Option<Discarded>, DbError> {
    let row = lock(write, id).await?;
    match row.and_then(|row| row.deleted_at) {
        Some(deleted_at) if deleted_at < last_kept() => discard(write, id).await.map(Some),
        _ => Ok(None),
    }
}

fn last_kept() -> DateTime<Utc> {
    convert::now() - Duration::days(DELETED_KEPT_DAYS)
}

/// What became of a dataset that was to go.
#[derive(Debug)]
pub struct Discarded {
    pub blob_key: String,
    /// Jobs that were run on it, which may hold copies of its rows.
    pub jobs: Vec<JobId>,
}

/// Deletes a dataset, or its content alone where jobs were run on it: the row stays as part of their lineage, and their
/// models answer on.
///
/// # Errors
/// `DbError::Conflict` while a job works with it or waits to.
pub async fn discard(write: &mut Write, id: DatasetId) -> Result<Discarded, DbError> {
    let erased = convert::name(&DatasetStatus::Erased)?;
    let row = lock(write, id).await?.filter(|row| row.status != erased);
    let row = row.ok_or(DbError::NotFound("file"))?;
    let jobs = jobs_on(write, id, "file").await?;
    if jobs.is_empty() {
        let blob_key = remove(write, row).await?;
        return Ok(Discarded { blob_key, jobs });
    }
    findings::forget(write, id).await?;
    all_jobs::forget_samples(write, id).await?;
    let blob_key = row.blob_key.clone();
    let mut row = row.into_active_model();
    row.status = Set(erased);
    row.error = Set(None);
    row.report = Set(None);
    row.sha256 = Set(None);
    row.size_bytes = Set(0);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Erased, Noun::Dataset, id, &[]);
    Ok(Discarded { blob_key, jobs })
}

/// Removes a dataset that nothing was trained on.
async fn remove(write: &mut Write, row: row::Model) -> Result<String, DbError> {
    row::Entity::delete_by_id(row.id).exec(write.connection()).await?;
    uploads::forget(write, UploadId(row.id)).await?;
    notifications::forget(write, [row.id]).await?;
    write.event(EventKind::DatasetDeleted, row.id, row.agent_id.map(AgentId));
    write.audit(Action::Deleted, Noun::Dataset, row.id, &[]);
    Ok(row.blob_key)
}

/// The jobs that were run on a dataset.
async fn jobs_on(write: &Write, id: DatasetId, what: &str) -> Result<Vec<JobId>, DbError> {
    let sql = "select id, status from jobs where dataset_id = $1 or validation_dataset_id = $1";
    let statement = Statement::from_sql_and_values(write.connection().get_database_backend(), sql, [id.0.into()]);
    let mut jobs = Vec::new();
    for found in write.connection().query_all_raw(statement).await? {
        let status: JobStatus = convert::parse_name("job status", &found.try_get::<String>("", "status")?)?;
        if !status.is_over() {
            let message = format!("A job works with this {what}, or waits to. Cancel the job first.");
            return Err(DbError::Conflict(message));
        }
        jobs.push(JobId(found.try_get("", "id")?));
    }
    Ok(jobs)
}
