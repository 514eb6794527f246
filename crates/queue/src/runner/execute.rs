//! One attempt of one task, and its burial.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Runner;
use crate::{
    Burial, Lease, QueueError, TaskError,
    backoff::backoff,
    store::{self, Owned},
};

/// Runs the handler outside any transaction and stores how it ended.
pub async fn run<C: Send + Sync + 'static>(
    runner: &Runner<C>,
    task: Owned,
    cancellation: CancellationToken,
    give_up: CancellationToken,
) {
    let span = tracing::info_span!("task", task.id = %task.key.id, task.name, task.attempt);
    async {
        let lease = Lease::new(task.clone(), runner.timing.lease, cancellation);
        let result = tokio::select! {
            biased;
            result = attempt(runner, &task, lease.clone()) => result,
            () = give_up.cancelled() => Err(TaskError::Interrupted),
        };
        if let Err(error) = settle(runner, task, &lease, result).await {
            tracing::error!(%error, "the end of a task could not be stored; it runs again");
        }
    }
    .instrument(span)
    .await;
}

async fn attempt<C: Send + Sync + 'static>(runner: &Runner<C>, task: &Owned, lease: Lease) -> Result<(), TaskError> {
    // Claims name the registered types only.
    let Some(kind) = runner.kinds.get(task.name.as_str()) else {
        return Err(TaskError::permanent("The type of this task is unknown"));
    };
    let handler = async { (kind.handler)(runner.context.clone(), task.payload.clone(), lease).await };
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            tracing::error!("a task panicked");
            Err(TaskError::retry("The task stopped unexpectedly"))
        }
    }
}

async fn settle<C: Send + Sync + 'static>(
    runner: &Runner<C>,
    task: Owned,
    lease: &Lease,
    result: Result<(), TaskError>,
) -> Result<(), DbErr> {
    let (db, key) = (&runner.db, task.key);
    match result {
        // Changes nothing when the handler has completed the task in its own transaction.
        Ok(()) => store::complete(db, key).await.map(drop),
        Err(TaskError::Retry { message, after }) if !lease.is_last_attempt() => {
            tracing::warn!(reason = message, "a task failed and will be tried again");
            let wait = after.unwrap_or_else(|| backoff(lease.attempt()));
            store::retry(db, key, &message, wait).await?;
            if wait.is_zero() {
                runner.waker.wake();
            }
            Ok(())
        }
        Err(TaskError::Retry { message, .. } | TaskError::Permanent { message }) => {
            give_up(runner, task, message).await
        }
        Err(TaskError::Interrupted) => {
            store::release(db, key).await?;
            runner.waker.wake();
            Ok(())
        }
        Err(TaskError::LostLease) => {
            tracing::warn!("a task was taken over by another worker");
            Ok(())
        }
    }
}

/// From the first statement on nobody runs the task again, even if this process dies before the burial.
async fn give_up<C: Send + Sync + 'static>(runner: &Runner<C>, task: Owned, message: String) -> Result<(), DbErr> {
    tracing::error!(reason = message, "a task failed for good");
    if store::condemn(&runner.db, task.key, &message).await? {
        bury(runner, Burial::new(task, message)).await;
    }
    Ok(())
}

/// Calls the hook of the type, then buries the task if the hook has not. After a failure the reaper tries again when the
/// lease has run out.
pub async fn bury<C: Send + Sync + 'static>(runner: &Runner<C>, burial: Burial) {
    let id = burial.task_id();
    let hook = runner.kinds.get(burial.name()).and_then(|kind| kind.on_dead.as_ref());
    if let Some(hook) = hook {
        let call = async { hook(runner.context.clone(), burial.clone()).await };
        let failure = match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it panicked".to_owned()),
        };
        if let Some(failure) = failure {
            tracing::error!(task.id = %id, failure, "the hook of a dead task failed and will be called again");
            return;
        }
    }
    match burial.bury(&runner.db).await {
        // A lost lease: the hook has buried the task itself.
        Ok(()) | Err(QueueError::LostLease) => {}
        Err(error) => tracing::error!(task.id = %id, %error, "a task could not be buried yet"),
    }
}
