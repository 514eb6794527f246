//! A job may be ordered while its datasets are still being validated. Its task waits here until they are.

use super::Run;
use cerebros_common::{datasets::DatasetStatus, ids::DatasetId, jobs::JobFailure};
use cerebros_db as db;
use cerebros_queue::TaskError;

/// What came of waiting.
pub enum Files {
    Ready,
    Useless(JobFailure),
    /// The job waits no more: it was cancelled, paused or is gone.
    NotWanted,
}

enum Look {
    Wait,
    Done(Files),
}

pub async fn wait(run: &Run) -> Result<Files, TaskError> {
    let mut changes = run.app.db.subscribe();
    loop {
        changes.mark_unchanged();
        if let Look::Done(files) = look(run).await? {
            return Ok(files);
        }
        tokio::select! {
            () = run.lease.cancellation().cancelled() => return Err(TaskError::Interrupted),
            changed = changes.changed() => changed.map_err(|_| TaskError::Interrupted)?,
        }
    }
}

async fn look(run: &Run) -> Result<Look, TaskError> {
    let (scope, database) = (&run.scope, &run.app.db);
    let due = db::jobs::is_due(scope, database, run.id, run.turn).await;
    if !due.map_err(super::database)? {
        return Ok(Look::Done(Files::NotWanted));
    }
    let job = db::jobs::find(scope, database, run.id).await.map_err(super::database)?;
    for (what, id) in [
        ("training", Some(job.dataset_id)),
        ("validation", job.validation_dataset_id),
    ] {
        let Some(id) = id else { continue };
        match status(run, id).await? {
            (DatasetStatus::Ready, _) => {}
            (DatasetStatus::Uploading | DatasetStatus::Validating, _) => return Ok(Look::Wait),
            (DatasetStatus::Error | DatasetStatus::Erased, reason) => {
                return Ok(Look::Done(Files::Useless(useless(what, reason))));
            }
        }
    }
    Ok(Look::Done(Files::Ready))
}

/// Also why it cannot be used, where it cannot.
async fn status(run: &Run, id: DatasetId) -> Result<(DatasetStatus, Option<String>), TaskError> {
    let dataset = db::datasets::find(&run.scope, &run.app.db, id).await;
    let dataset = dataset.map_err(super::database)?;
    Ok((dataset.status, dataset.error))
}

fn useless(what: &str, reason: Option<String>) -> JobFailure {
    JobFailure {
        code: format!("invalid_{what}_file"),
        message: format!(
            "The {what} dataset cannot be used. {}",
            reason.unwrap_or_else(|| "Its content is gone.".to_owned())
        ),
        remedy: "Mend the rows, add them as another dataset, and train on that.".to_owned(),
    }
}
