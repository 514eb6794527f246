//! Training as a background task: prepares the job's directory, runs the trainer as a child, stores what it reports.
//!
//! The directory `jobs/<id>` below the data directory belongs to the trainer alone. Whatever is killed, running the task
//! again goes on from the trainer's last checkpoint and ends with the same model.

pub mod checkpoints;
mod child;
mod estimate;
mod files;
mod finish;
mod lengths;
mod method;
mod prepare;
pub mod results;

pub use estimate::estimate;
pub use lengths::lengths;
pub use method::{Misfit, method};

use crate::{error::AppResult, state::App, webhooks};
use cerebros_common::{
    agents::TrainingState,
    ids::{JobId, WorkspaceId},
    jobs::{Job, JobFailure, JobPlan, JobSamples, JobStatus, MetricPoint, Precision, RowSample, TrainingMethod},
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    jobs::{Noted, Start, Stop, StoredAdapter},
    trainings::Next,
};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use cerebros_trainer::protocol::{self, Event, LogLevel};
use files::Files;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

/// Between two writes of metric points: often enough to look live, seldom enough not to load the database.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// A lost child is started again at once; repeated losses wait longer.
const RESTART_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainJob {
    workspace_id: WorkspaceId,
    job_id: JobId,
    /// Which time in the queue it is.
    turn: i64,
}

impl Task for TrainJob {
    const NAME: &'static str = "train_job";
    const QUEUE: &'static str = "training";
    const MAX_ATTEMPTS: u32 = 10;
}

/// Queues the training of a job as part of the transaction that created or resumed it.
async fn enqueue_training(write: &Write, job: &Job) -> AppResult<()> {
    let workspace_id = write.workspace_id()?;
    let task = TrainJob {
        workspace_id,
        job_id: job.id,
        turn: db::jobs::turn(write, job.id).await?,
    };
    let options = Enqueue {
        workspace_id: Some(workspace_id.0),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &task, options).await?;
    Ok(())
}

/// Puts a new or resumed job in the queue, and says so on its agent.
pub async fn queue(write: &mut Write, job: &Job) -> AppResult<()> {
    db::agents::set_training(write, job, TrainingState::Queued, None).await?;
    enqueue_training(write, job).await
}

/// Asks a job to stop, for a while or for good.
pub async fn stop(app: &App, scope: &Scope, id: JobId, stop: Stop) -> AppResult<Job> {
    let mut write = app.db.write(scope).await?;
    let job = match stop {
        Stop::Pause => db::jobs::request_pause(&mut write, id).await?,
        Stop::Cancel => db::jobs::request_cancel(&mut write, id).await?,
    };
    note_stop(&mut write, &job).await?;
    write.commit().await?;
    Ok(job)
}

/// Says on a job's agent, and to whoever wants to know, that somebody has asked it to stop.
pub async fn note_stop(write: &mut Write, job: &Job) -> AppResult<()> {
    if job.status != JobStatus::Running {
        db::agents::set_training(write, job, TrainingState::Idle, None).await?;
    }
    let told = webhooks::note_end(write, job.id, job.status).await?;
    webhooks::enqueue_all(write, write.workspace_id()?, &told).await?;
    Ok(())
}

/// The directory that a job's trainer works in.
pub fn directory(app: &App, id: JobId) -> PathBuf {
    app.config.data_dir.join("jobs").join(id.to_string())
}

/// Removes a job's directory.
pub async fn forget(app: &App, id: JobId) {
    let removed = tokio::fs::remove_dir_all(directory(app, id)).await;
    if let Err(error) = removed.or_else(absent) {
        tracing::warn!(job.id = %id, error = %error, "a job's directory could not be removed");
    }
}

/// What is not there needs no removing.
fn absent(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

pub async fn train(app: Arc<App>, task: TrainJob, lease: Lease) -> Result<(), TaskError> {
    let run = Run {
        scope: Scope::system(task.workspace_id),
        app,
        id: task.job_id,
        turn: task.turn,
        lease,
    };
    match files::wait(&run).await? {
        Files::Ready => {}
        Files::NotWanted => return Ok(()),
        Files::Useless(failure) => {
            let job = db::jobs::find(&run.scope, &run.app.db, run.id).await;
            return run.end(&job.map_err(database)?, End::Failed(failure)).await;
        }
    }
    let job = match run.begin().await? {
        Start::Run(job) => job,
        Start::Stop(job, stop) => return run.end(&job, End::Stopped(stop)).await,
        Start::Nothing => return Ok(()),
    };
    if let Err(failure) = prepare::directory(&run.app, &run.scope, &job).await? {
        return run.end(&job, End::Failed(failure)).await;
    }
    let end = run.follow(&job).await?;
    run.end(&job, end).await
}

/// A task that cannot go on leaves its job failed, resumable.
pub async fn bury(app: Arc<App>, task: TrainJob, burial: Burial) -> Result<(), HookError> {
    let scope = Scope::system(task.workspace_id);
    let due = db::jobs::is_due(&scope, &app.db, task.job_id, task.turn).await?;
    let failure = JobFailure {
        code: "interrupted".to_owned(),
        message: format!(
            "Training was interrupted again and again: {}.",
            burial.message().trim_end_matches('.')
        ),
        remedy: "Resume the job: it goes on from its last checkpoint. If it stops again, look at the server's memory \
                 and log."
            .to_owned(),
    };
    let mut write = app.db.write(&scope).await?;
    if due {
        db::jobs::finish(&mut write, task.job_id, JobStatus::Failed, Some(&failure)).await?;
        let told = webhooks::note_end(&mut write, task.job_id, JobStatus::Failed).await?;
        webhooks::enqueue_all(&write, task.workspace_id, &told).await?;
    }
    burial.bury(write.connection()).await?;
    write.commit().await?;
    if !due {
        return Ok(());
    }
    let job = db::jobs::find(&scope, &app.db, task.job_id).await?;
    let mut write = app.db.write(&scope).await?;
    db::agents::set_training(&mut write, &job, TrainingState::Failed, None).await?;
    write.commit().await?;
    Ok(())
}

/// How a run of the trainer ended.
enum End {
    Done(finish::Adapter),
    Failed(JobFailure),
    Stopped(Stop),
}

struct Run {
    app: Arc<App>,
    scope: Scope,
    id: JobId,
    turn: i64,
    lease: Lease,
}

impl Run {
    /// Marks the job running, if it is still to run.
    async fn begin(&self) -> Result<Start, TaskError> {
        let mut write = self.write().await?;
        let started = match db::jobs::start(&mut write, self.id, self.turn).await {
            Ok(started) => started,
            Err(DbError::NotFound(_)) => return Ok(Start::Nothing),
            Err(error) => return Err(database(error)),
        };
        let Start::Run(job) = &started else { return Ok(started) };
        db::agents::set_training(&mut write, job, TrainingState::Running, None)
            .await
            .map_err(database)?;
        write.commit().await.map_err(database)?;
        Ok(started)
    }

    /// Runs the trainer to its end and stores what it says on the way.
    async fn follow(&self, job: &Job) -> Result<End, TaskError> {
        let mut child = child::Trainer::start(&self.app, self.id).map_err(|error| {
            tracing::error!(job.id = %self.id, error = ?error, "the trainer cannot be started");
            TaskError::retry("The trainer could not be started")
        })?;
        let mut changes = self.app.db.subscribe();
        // Somebody may have wanted it to stop before this process watched.
        changes.mark_changed();
        let mut pending: Vec<Event> = Vec::new();
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        let mut last = None;
        let mut stop = None;
        loop {
            tokio::select! {
                () = self.lease.cancellation().cancelled() => {
                    child.leave().await;
                    self.store(&mut pending).await?;
                    return Err(TaskError::Interrupted);
                }
                event = child.next() => match event {
                    Some(event @ (Event::Done { .. } | Event::Failed { .. })) => last = Some(event),
                    Some(event) => pending.push(event),
                    None => break,
                },
                _ = flush.tick() => self.store(&mut pending).await?,
                _ = changes.changed(), if stop.is_none() => {
                    stop = db::jobs::wanted_stop(&self.scope, &self.app.db, self.id).await.map_err(database)?;
                    if stop.is_some() {
                        child.ask_to_leave();
                    }
                }
            }
        }
        let exit = child.wait().await;
        self.store(&mut pending).await?;
        match last {
            Some(Event::Done {
                train_loss,
                initial_validation_loss,
                validation_loss,
                validation_token_accuracy,
                generation,
                steps,
                files,
                ..
            }) => {
                let sha256 = files.iter().find(|file| file.name == "adapter_model.safetensors");
                Ok(End::Done(finish::Adapter {
                    train_loss,
                    initial_validation_loss,
                    validation_loss,
                    token_accuracy: validation_token_accuracy,
                    generation_overlap: generation.map(|check| check.overlap),
                    steps,
                    sha256: sha256.map(|file| file.sha256.clone()).unwrap_or_default(),
                    seed: job.parameters.seed,
                }))
            }
            Some(Event::Failed { code, .. }) if is_locked(code) => Err(TaskError::Retry {
                message: "An earlier trainer is still leaving".to_owned(),
                after: Some(RESTART_AFTER),
            }),
            Some(Event::Failed { code, message, remedy }) => {
                let code = serde_json::to_value(code)
                    .ok()
                    .and_then(|code| code.as_str().map(str::to_owned));
                Ok(End::Failed(JobFailure {
                    code: code.unwrap_or_default(),
                    message,
                    remedy,
                }))
            }
            _ => {
                if let Some(stop) = stop {
                    return Ok(End::Stopped(stop));
                }
                tracing::warn!(job.id = %self.id, exit = %exit, "the trainer went away");
                let after = RESTART_AFTER * self.lease.attempt();
                Err(TaskError::Retry {
                    message: format!("The trainer went away ({exit})"),
                    after: Some(after),
                })
            }
        }
    }

    /// Stores events in one transaction that the lease guards.
    async fn store(&self, events: &mut Vec<Event>) -> Result<(), TaskError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut adapters = HashMap::new();
        for event in events.iter() {
            if let Event::Checkpoint { step }
            | Event::Started {
                resumed_from_step: step,
                ..
            } = event
                && *step > 0
                && let Some(adapter) = checkpoints::store(&self.app, &self.scope, self.id, *step).await
            {
                adapters.insert(*step, adapter);
            }
        }
        let mut write = self.write().await?;
        let mut came_further = false;
        let mut gone = Vec::new();
        for event in events.drain(..) {
            if let Some(noted) = self
                .store_one(&mut write, event, &mut adapters)
                .await
                .map_err(database)?
            {
                came_further |= noted.is_new;
                gone.extend(noted.gone);
            }
        }
        if came_further {
            self.lease.progress(write.connection()).await?;
        }
        write.commit().await.map_err(database)?;
        checkpoints::remove(&self.app, &gone).await;
        Ok(())
    }

    /// Gives what came of a checkpoint to go on from.
    async fn store_one(
        &self,
        write: &mut Write,
        event: Event,
        adapters: &mut HashMap<u64, StoredAdapter>,
    ) -> Result<Option<Noted>, DbError> {
        match event {
            Event::Started {
                method: found_method,
                total_steps,
                train_rows,
                validation_rows,
                train_tokens,
                trainable_tokens,
                truncated_rows,
                dropped_rows,
                trainable_parameters,
                precision: found,
                device,
                resumed_from_step,
                ..
            } => {
                let plan = JobPlan {
                    method: wire_method(found_method),
                    total_steps,
                    train_rows,
                    validation_rows,
                    train_tokens,
                    trainable_tokens,
                    truncated_rows,
                    dropped_rows,
                    trainable_parameters,
                    precision: precision(found),
                    device,
                };
                db::jobs::set_plan(write, self.id, &plan).await?;
                let message = match resumed_from_step {
                    0 => format!("Training starts: {total_steps} steps over {train_rows} rows."),
                    step => format!("Training goes on from the checkpoint at step {step} of {total_steps}."),
                };
                db::jobs::append_log(write, self.id, "info", &message).await?;
                // It may have been written while nobody listened.
                match resumed_from_step {
                    0 => Ok(None),
                    step => db::jobs::put_checkpoint(write, self.id, step, adapters.remove(&step))
                        .await
                        .map(Some),
                }
            }
            Event::Metric {
                step,
                epoch,
                loss,
                learning_rate,
                grad_norm,
                tokens_per_second,
                memory_bytes,
                token_accuracy,
                validation_loss,
                validation_token_accuracy,
                rewards,
                validation_rewards,
            } => {
                let trained = step > 0;
                let point = MetricPoint {
                    step,
                    epoch,
                    loss: trained.then_some(loss),
                    learning_rate: trained.then_some(learning_rate),
                    grad_norm: trained.then_some(grad_norm),
                    tokens_per_second: trained.then_some(tokens_per_second),
                    memory_bytes: Some(memory_bytes),
                    token_accuracy,
                    validation_loss,
                    validation_token_accuracy,
                    reward_margin: rewards.map(|rewards| rewards.margin),
                    reward_accuracy: rewards.map(|rewards| rewards.accuracy),
                    validation_reward_margin: validation_rewards.map(|rewards| rewards.margin),
                    validation_reward_accuracy: validation_rewards.map(|rewards| rewards.accuracy),
                };
                db::jobs::put_metric(write, self.id, &point).await?;
                Ok(None)
            }
            Event::Samples { step, best, worst } => {
                let samples = JobSamples {
                    step: Some(step),
                    best: best.into_iter().map(sample).collect(),
                    worst: worst.into_iter().map(sample).collect(),
                };
                db::jobs::put_samples(write, self.id, &samples).await?;
                Ok(None)
            }
            Event::Checkpoint { step } => {
                let noted = db::jobs::put_checkpoint(write, self.id, step, adapters.remove(&step)).await?;
                if noted.is_new {
                    db::jobs::append_log(write, self.id, "info", &format!("Checkpoint at step {step}.")).await?;
                }
                Ok(Some(noted))
            }
            Event::Log { level, message } => {
                let level = match level {
                    LogLevel::Info => "info",
                    LogLevel::Warning => "warn",
                };
                db::jobs::append_log(write, self.id, level, &message).await?;
                Ok(None)
            }
            Event::Done { .. } | Event::Failed { .. } => Ok(None),
        }
    }

    /// Ends job and task in one transaction.
    async fn end(&self, job: &Job, end: End) -> Result<(), TaskError> {
        let stored = match &end {
            End::Done(adapter) => Some(finish::store(&self.app, &self.scope, job, adapter).await?),
            End::Failed(_) | End::Stopped(_) => None,
        };
        let results = match &end {
            End::Done(_) => Some(results::table(&self.app, &self.scope, self.id).await?.len()),
            End::Failed(_) | End::Stopped(_) => None,
        };
        let mut write = self.write().await?;
        let (status, failure, training) = match &end {
            End::Done(_) => (JobStatus::Succeeded, None, TrainingState::Idle),
            End::Failed(failure) => (JobStatus::Failed, Some(failure), TrainingState::Failed),
            End::Stopped(Stop::Cancel) => (JobStatus::Cancelled, None, TrainingState::Idle),
            End::Stopped(Stop::Pause) => (JobStatus::Paused, None, TrainingState::Idle),
        };
        let servable = match &stored {
            Some(model) => db::models::insert(&mut write, model).await.map_err(database)?,
            None => false,
        };
        let (level, line) = match &end {
            End::Done(_) => ("info", "Training has finished.".to_owned()),
            End::Failed(failure) => ("error", format!("{} {}", failure.message, failure.remedy)),
            End::Stopped(Stop::Pause) => ("info", "Training is paused.".to_owned()),
            End::Stopped(Stop::Cancel) => ("info", "Training was cancelled.".to_owned()),
        };
        db::jobs::append_log(&mut write, self.id, level, &line)
            .await
            .map_err(database)?;
        if let Some(bytes) = results {
            let bytes = u64::try_from(bytes).unwrap_or_default();
            db::jobs::set_results(&mut write, self.id, Some(bytes))
                .await
                .map_err(database)?;
        }
        let ended = db::jobs::finish(&mut write, self.id, status, failure)
            .await
            .map_err(database)?;
        let model_id = stored.as_ref().filter(|_| servable).map(|model| model.id);
        let next = match model_id.filter(|_| ended == Some(JobStatus::Succeeded)) {
            Some(model_id) => db::trainings::go_on(&mut write, self.id, model_id)
                .await
                .map_err(database)?,
            None => Next::End,
        };
        // Of a training, the last stage's model is what the agent answers with.
        let live = model_id.filter(|_| matches!(next, Next::End));
        db::agents::set_training(&mut write, job, training, live)
            .await
            .map_err(database)?;
        if let Some(ended) = ended {
            let told = webhooks::note_end(&mut write, self.id, ended).await.map_err(database)?;
            webhooks::enqueue_all(&write, self.scope.workspace_id, &told).await?;
        }
        if let Next::Job(next) = next {
            queue(&mut write, &next).await?;
        }
        self.lease.complete(write.connection()).await?;
        write.commit().await.map_err(database)?;
        if stored.is_some() {
            forget(&self.app, self.id).await;
        }
        Ok(())
    }

    /// A transaction that fails if somebody else has taken the task over.
    async fn write(&self) -> Result<Write, TaskError> {
        let write = self.app.db.write(&self.scope).await.map_err(database)?;
        self.lease.fence(write.connection()).await?;
        Ok(write)
    }
}

fn is_locked(code: cerebros_trainer::protocol::FailureCode) -> bool {
    code == cerebros_trainer::protocol::FailureCode::Locked
}

/// A database that fails inside a task may answer the next attempt.
pub fn database(error: DbError) -> TaskError {
    tracing::warn!(error = ?error, "the database failed inside a task");
    TaskError::retry("The database could not be used")
}

/// The wire's form of what the trainer multiplies in.
fn precision(found: protocol::Precision) -> Precision {
    match found {
        protocol::Precision::Fp32 => Precision::Fp32,
        protocol::Precision::Bf16 => Precision::Bf16,
    }
}

/// The wire's form of a validation row.
fn sample(found: protocol::RowSample) -> RowSample {
    RowSample {
        row: found.row,
        loss: found.loss,
        margin: found.margin,
        tokens: found.tokens,
        prompt: found.prompt,
        answer: found.answer,
        rejected: found.rejected,
    }
}

/// The wire's form of how the trainer learns.
fn wire_method(found: protocol::Method) -> TrainingMethod {
    match found {
        protocol::Method::Supervised => TrainingMethod::Supervised,
        protocol::Method::Dpo => TrainingMethod::Dpo,
        protocol::Method::Text => TrainingMethod::Text,
    }
}
