//! Datasets that go, or lose their content.

use super::{changed, findings, lock};
use crate::{DbError, Write, convert, notifications, uploads};
use cerebros_common::{
    audit::{Action, Noun},
    datasets::DatasetStatus,
    events::EventKind,
    ids::{AgentId, DatasetId, JobId, UploadId},
    jobs::JobStatus,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel, Statement};

/// Deletes a dataset that nothing was trained on. The caller removes the file of the returned key.
pub async fn delete(write: &mut Write, id: DatasetId) -> Result<String, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("dataset"))?;
    let statement = Statement::from_sql_and_values(
        write.connection().get_database_backend(),
        "select 1 as used from jobs where dataset_id = $1 or validation_dataset_id = $1 limit 1",
        [id.0.into()],
    );
    if write.connection().query_one_raw(statement).await?.is_some() {
        let message = "Jobs were run on this dataset, so it stays as part of their lineage.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    super::row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    uploads::forget(write, UploadId(id.0)).await?;
    notifications::forget(write, [row.id]).await?;
    write.event(EventKind::DatasetDeleted, row.id, row.agent_id.map(AgentId));
    write.audit(Action::Deleted, Noun::Dataset, id, &[]);
    Ok(row.blob_key)
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
    let sql = "select id, status from jobs where dataset_id = $1 or validation_dataset_id = $1";
    let statement = Statement::from_sql_and_values(write.connection().get_database_backend(), sql, [id.0.into()]);
    let mut jobs = Vec::new();
    for found in write.connection().query_all_raw(statement).await? {
        let status: JobStatus = convert::parse_name("job status", &found.try_get::<String>("", "status")?)?;
        if !status.is_over() {
            let message = "A job works with this file, or waits to. Cancel the job first.";
            return Err(DbError::Conflict(message.to_owned()));
        }
        jobs.push(JobId(found.try_get("", "id")?));
    }
    if jobs.is_empty() {
        let blob_key = delete(write, id).await?;
        return Ok(Discarded { blob_key, jobs });
    }
    findings::forget(write, id).await?;
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
