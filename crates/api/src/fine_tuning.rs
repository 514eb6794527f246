//! Jobs as OpenAI's wire has them.

mod order;
mod shapes;

pub use order::read;
pub use shapes::{checkpoint, event, parse_checkpoint, parse_mark};

use crate::{
    error::{AppError, AppResult},
    files, models,
    state::App,
};
use cerebros_common::{
    datasets::DatasetStatus,
    errors::ErrorCode,
    fine_tuning::{FineTuningError, FineTuningJob, FineTuningStatus},
    ids::{DatasetId, JobId},
    jobs::{Job, JobFailure, JobMetadata, JobStatus},
};
use cerebros_db::{self as db, DbError, Scope, Way, jobs::LabelledJob};
use std::fmt::Display;

const PREFIX: &str = "ftjob-";
const JOBS_AT_ONCE: u32 = 100;

pub fn name(id: impl Display) -> String {
    format!("{PREFIX}{id}")
}

pub fn missing(id: &str, param: &str) -> AppError {
    AppError::new(
        ErrorCode::NotFound,
        format!("There is no fine-tuning job `{id}` in this workspace."),
    )
    .about(param, "fine_tuning_job_not_found")
}

/// The id of a job from its name; `param` held it.
pub fn parse(id: &str, param: &str) -> AppResult<JobId> {
    let uuid = id.strip_prefix(PREFIX).and_then(|id| id.parse().ok());
    uuid.ok_or_else(|| missing(id, param))
}

/// What is not found is the job of this name.
pub fn not_found(id: &str) -> impl Fn(DbError) -> AppError + '_ {
    move |error| match error {
        DbError::NotFound("job") => missing(id, "fine_tuning_job_id"),
        other => other.into(),
    }
}

/// Puts jobs in OpenAI's shape for one workspace.
pub struct Teller<'a> {
    app: &'a App,
    scope: &'a Scope,
    workspace: String,
}

impl<'a> Teller<'a> {
    pub async fn new(app: &'a App, scope: &'a Scope) -> AppResult<Self> {
        let workspace = db::workspaces::find(scope, &app.db).await?.name;
        Ok(Self { app, scope, workspace })
    }

    pub async fn find(&self, id: &str) -> AppResult<FineTuningJob> {
        let job_id = parse(id, "fine_tuning_job_id")?;
        let job = db::jobs::find_labelled(self.scope, &self.app.db, job_id).await;
        self.tell(&job.map_err(not_found(id))?).await
    }

    pub async fn tell(&self, labelled: &LabelledJob) -> AppResult<FineTuningJob> {
        let validating = self.waits_for_files(&labelled.job).await?;
        Ok(self.shape(labelled, validating))
    }

    /// Newest first, below the job `after`, those alone that have all of `metadata`; also whether there are more.
    pub async fn list(
        &self,
        after: Option<JobId>,
        metadata: &JobMetadata,
        limit: usize,
    ) -> AppResult<(Vec<FineTuningJob>, bool)> {
        let mut after = after;
        let mut found = Vec::new();
        loop {
            let some = db::jobs::list_labelled(self.scope, &self.app.db, Way::Down, after, false, JOBS_AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = Some(last.job.id);
            found.extend(some.into_iter().filter(|job| has_all(job, metadata)));
            if found.len() > limit {
                break;
            }
        }
        let has_more = found.len() > limit;
        let mut told = Vec::with_capacity(limit);
        for job in found.iter().take(limit) {
            told.push(self.tell(job).await?);
        }
        Ok((told, has_more))
    }

    /// The name of the model that a job makes.
    pub fn model_name(&self, labelled: &LabelledJob) -> String {
        let label = labelled.label.suffix.as_deref().unwrap_or(&self.workspace);
        models::name(&labelled.job.base_name, label, labelled.job.id)
    }

    async fn waits_for_files(&self, job: &Job) -> AppResult<bool> {
        if job.status != JobStatus::Queued {
            return Ok(false);
        }
        for id in [Some(job.dataset_id), job.validation_dataset_id].into_iter().flatten() {
            if is_validating(self.app, self.scope, id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn shape(&self, labelled: &LabelledJob, validating: bool) -> FineTuningJob {
        let job = &labelled.job;
        let hyperparameters = order::hyperparameters(&job.parameters);
        let status = match job.status {
            JobStatus::Queued if validating => FineTuningStatus::ValidatingFiles,
            JobStatus::Queued | JobStatus::Paused => FineTuningStatus::Queued,
            JobStatus::Running => FineTuningStatus::Running,
            JobStatus::Succeeded => FineTuningStatus::Succeeded,
            JobStatus::Failed => FineTuningStatus::Failed,
            JobStatus::Cancelled => FineTuningStatus::Cancelled,
        };
        let plan = job.plan.as_ref().filter(|_| job.status == JobStatus::Succeeded);
        FineTuningJob {
            id: name(job.id),
            object: "fine_tuning.job".to_owned(),
            model: match job.initial_model_id {
                Some(id) => models::name(&job.base_name, &self.workspace, id),
                None => models::base_name(job.base_id),
            },
            created_at: job.created_at.timestamp(),
            finished_at: job.finished_at.map(|at| at.timestamp()),
            estimated_finish: None,
            fine_tuned_model: job.model_id.map(|_| self.model_name(labelled)),
            organization_id: self.scope.workspace_id.to_string(),
            result_files: labelled
                .results_bytes
                .map(|_| files::name(job.id))
                .into_iter()
                .collect(),
            status,
            training_file: files::name(job.dataset_id),
            validation_file: job.validation_dataset_id.map(files::name),
            hyperparameters,
            method: order::method(job),
            seed: job.parameters.seed,
            trained_tokens: plan.map(|plan| plan.train_tokens * u64::from(job.parameters.epochs)),
            error: job.failure.as_ref().map(error),
            integrations: Vec::new(),
            metadata: labelled.label.metadata.clone(),
        }
    }
}

fn has_all(job: &LabelledJob, metadata: &JobMetadata) -> bool {
    metadata.iter().all(|(key, value)| {
        let own = job.label.metadata.as_ref().and_then(|own| own.get(key));
        own == Some(value)
    })
}

async fn is_validating(app: &App, scope: &Scope, id: DatasetId) -> AppResult<bool> {
    let status = db::datasets::find(scope, &app.db, id).await?.status;
    Ok(matches!(status, DatasetStatus::Uploading | DatasetStatus::Validating))
}

fn error(failure: &JobFailure) -> FineTuningError {
    let param = match failure.code.as_str() {
        "invalid_training_file" | "invalid_dataset" => Some("training_file".to_owned()),
        "invalid_validation_file" => Some("validation_file".to_owned()),
        _ => None,
    };
    FineTuningError {
        code: failure.code.clone(),
        message: format!("{} {}", failure.message, failure.remedy),
        param,
    }
}
