//! The housekeeping of a runner: it extends leases, reaps expired ones and fires schedules.

use std::{sync::Arc, time::Instant};

use sea_orm::DbErr;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Runner, execute, held::Held};
use crate::{
    Burial,
    store::{self, Owned},
};

/// Keeps the leases of this process and takes those of dead ones, until everything has left.
pub async fn leases<C: Send + Sync + 'static>(runner: Arc<Runner<C>>, held: Held, drained: CancellationToken) {
    let mut ticks = interval(runner.timing.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut extended = Instant::now();
    let mut burials = JoinSet::new();
    loop {
        tokio::select! {
            () = drained.cancelled() => break,
            _ = ticks.tick() => {}
        }
        match tend(&runner, &held).await {
            Ok(exhausted) => {
                extended = Instant::now();
                for task in exhausted {
                    let message = task.last_error.clone();
                    let message = message.unwrap_or_else(|| store::OWNER_STOPPED.to_owned());
                    let runner = runner.clone();
                    burials.spawn(async move { execute::bury(&runner, Burial::new(task, message)).await });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "leases could not be extended");
                if extended.elapsed() >= runner.timing.lease {
                    held.cancel(|_| true);
                }
            }
        }
        while burials.try_join_next().is_some() {}
    }
    let left = async { while burials.join_next().await.is_some() {} };
    if tokio::time::timeout(runner.timing.grace, left).await.is_err() {
        tracing::warn!("burial hooks were cut off by the shutdown; they run again");
    }
}

/// Extends before it reaps, in one transaction: a process that waited long for the write connection must not reap itself.
async fn tend<C: Send + Sync + 'static>(runner: &Runner<C>, held: &Held) -> Result<Vec<Owned>, DbErr> {
    let names = runner.names();
    let lease = runner.timing.lease;
    let tx = store::begin(&runner.db).await?;
    let keys = held.keys();
    let mut kept = None;
    if !keys.is_empty() {
        store::extend(&tx, &keys, lease).await?;
        kept = Some(store::kept(&tx, &keys).await?);
    }
    let mut requeued = 0;
    let mut exhausted = Vec::new();
    if !names.is_empty() {
        requeued = store::requeue_expired(&tx, &names).await?;
        exhausted = store::adopt_exhausted(&tx, &names, lease).await?;
    }
    tx.commit().await?;
    if let Some(kept) = kept {
        held.cancel(|key| keys.contains(key) && !kept.contains(key));
    }
    if requeued > 0 {
        tracing::warn!(tasks = requeued, "tasks of a dead owner were queued again");
        runner.waker.wake();
    }
    Ok(exhausted)
}

/// Fires the schedules until the shutdown.
pub async fn schedules<C: Send + Sync + 'static>(runner: Arc<Runner<C>>, shutdown: CancellationToken) {
    let mut ticks = interval(runner.timing.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fired = vec![None; runner.schedules.len()];
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for (schedule, fired) in runner.schedules.iter().zip(&mut fired) {
            let slot = schedule.latest_slot(chrono::Utc::now());
            let Some(slot) = slot.filter(|slot| *fired != Some(*slot)) else {
                continue;
            };
            match schedule.fire(&runner.db, slot).await {
                Ok(first) => {
                    *fired = Some(slot);
                    if first {
                        runner.waker.wake();
                    }
                }
                Err(error) => {
                    tracing::warn!(task.name = schedule.name(), %error, "a schedule could not be fired");
                }
            }
        }
    }
}
