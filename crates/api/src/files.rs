//! Files of OpenAI's wire: datasets, and the metric points of jobs that have succeeded.

use crate::{
    datasets,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    jobs,
    state::App,
    upload::Upload,
};
use cerebros_common::{
    datasets::{Dataset, DatasetStatus, DatasetUpload},
    errors::ErrorCode,
    files::{FileObject, FileOrder, FilePurpose, FileQuery, FileStatus, WireList},
    ids::{DatasetId, JobId},
};
use cerebros_db::{self as db, DbError, Scope, Way, datasets::LocatedDataset, jobs::LabelledJob};
use std::{fmt::Display, sync::Arc};
use uuid::Uuid;

const PREFIX: &str = "file-";
const MAX_FILES_AT_ONCE: u32 = 100;

pub enum File {
    Rows(Box<LocatedDataset>),
    Results(Box<LabelledJob>),
}

pub fn name(id: impl Display) -> String {
    format!("{PREFIX}{id}")
}

/// The UUID in the id of a file.
pub fn parse(id: &str) -> Option<Uuid> {
    id.strip_prefix(PREFIX)?.parse().ok()
}

pub fn missing(id: &str, param: &str) -> AppError {
    AppError::new(
        ErrorCode::NotFound,
        format!("There is no file `{id}` in this workspace."),
    )
    .about(param, "file_not_found")
}

/// The dataset that a file stands for; `param` named it.
pub async fn find_rows(app: &App, scope: &Scope, id: &str, param: &str) -> AppResult<LocatedDataset> {
    let missing = || missing(id, param);
    let uuid = parse(id).ok_or_else(missing)?;
    match db::datasets::find_located(scope, &app.db, DatasetId(uuid)).await {
        Ok(found) if found.dataset.status == DatasetStatus::Erased => Err(missing()),
        Ok(found) if found.dataset.kept_until.is_some() => Err(missing()),
        Ok(found) => Ok(found),
        Err(DbError::NotFound(_)) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

pub async fn find(app: &App, scope: &Scope, id: &str) -> AppResult<File> {
    let missing = || missing(id, "file_id");
    let uuid = parse(id).ok_or_else(missing)?;
    match db::jobs::find_labelled(scope, &app.db, JobId(uuid)).await {
        Ok(job) if job.results_bytes.is_some() => return Ok(File::Results(Box::new(job))),
        Ok(_) => return Err(missing()),
        Err(DbError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(File::Rows(Box::new(find_rows(app, scope, id, "file_id").await?)))
}

impl File {
    pub fn object(&self) -> FileObject {
        match self {
            Self::Rows(located) => rows(&located.dataset),
            Self::Results(job) => results(job),
        }
    }
}

fn rows(dataset: &Dataset) -> FileObject {
    FileObject {
        id: name(dataset.id),
        object: "file".to_owned(),
        bytes: dataset.size_bytes,
        created_at: dataset.created_at.timestamp(),
        filename: dataset.name.clone(),
        purpose: FilePurpose::FineTune,
        status: match dataset.status {
            DatasetStatus::Uploading | DatasetStatus::Validating => FileStatus::Uploaded,
            DatasetStatus::Ready => FileStatus::Processed,
            DatasetStatus::Error | DatasetStatus::Erased => FileStatus::Error,
        },
        status_details: dataset.error.clone(),
    }
}

fn results(labelled: &LabelledJob) -> FileObject {
    let job = &labelled.job;
    FileObject {
        id: name(job.id),
        object: "file".to_owned(),
        bytes: labelled.results_bytes.unwrap_or_default(),
        created_at: job.finished_at.unwrap_or(job.created_at).timestamp(),
        filename: jobs::results::FILE_NAME.to_owned(),
        purpose: FilePurpose::FineTuneResults,
        status: FileStatus::Processed,
        status_details: None,
    }
}

/// Both kinds in the order of their ids, which is that of their datasets and jobs.
pub async fn list(app: &App, scope: &Scope, query: &FileQuery) -> AppResult<WireList<FileObject>> {
    let after = match &query.after {
        Some(id) => Some(parse(id).ok_or_else(|| missing(id, "after"))?),
        None => None,
    };
    let way = match query.order.unwrap_or_default() {
        FileOrder::Asc => Way::Up,
        FileOrder::Desc => Way::Down,
    };
    let limit = query.limit.unwrap_or(MAX_FILES_AT_ONCE).min(MAX_FILES_AT_ONCE);
    let wanted = |purpose: &str| query.purpose.as_deref().is_none_or(|wanted| wanted == purpose);
    let mut found: Vec<(Uuid, FileObject)> = Vec::new();
    if wanted("fine-tune") {
        let after = after.map(DatasetId);
        let datasets = db::datasets::list_beyond(scope, &app.db, way, after, limit + 1).await?;
        found.extend(datasets.iter().map(|dataset| (dataset.id.0, rows(dataset))));
    }
    if wanted("fine-tune-results") {
        let after = after.map(JobId);
        let jobs = db::jobs::list_labelled(scope, &app.db, way, after, true, limit + 1).await?;
        found.extend(jobs.iter().map(|job| (job.job.id.0, results(job))));
    }
    found.sort_by_key(|(id, _)| *id);
    if way == Way::Down {
        found.reverse();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    let data = found.into_iter().take(limit).map(|(_, file)| file).collect();
    Ok(WireList::new(data, has_more, |file| &file.id))
}

/// Keeps an uploaded file as a dataset.
pub async fn create(app: Arc<App>, turn: Turn, scope: Scope, upload: Upload) -> AppResult {
    datasets::take_in(app, turn, scope, DatasetUpload::default(), upload, |dataset| {
        Answer::plain(rows(&dataset))
    })
    .await
}

/// Deletes a file. Models that learned from it answer on.
pub async fn delete(app: &App, scope: &Scope, id: &str) -> AppResult<()> {
    let dataset = match find(app, scope, id).await? {
        File::Rows(located) => located.dataset,
        File::Results(job) => {
            let mut write = app.db.write(scope).await?;
            db::jobs::set_results(&mut write, job.job.id, None).await?;
            return Ok(write.commit().await?);
        }
    };
    let mut write = app.db.write(scope).await?;
    let gone = db::datasets::discard(&mut write, dataset.id).await?;
    write.commit().await?;
    datasets::remove_discarded(app, gone).await;
    Ok(())
}
