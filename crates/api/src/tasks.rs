//! Which background tasks there are, and how many of each queue run at once.

use crate::{
    bases, batches, comparisons, concepts, datasets, deletions, diagrams::draw, documents::extraction, examples,
    invitations, jobs, links, model_exports, state::App, uploads, vllm, webhooks,
};
use cerebros_queue::{Lease, Runner, Task, TaskError, Waker};
use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::task::JoinHandle;

const EVENTS_KEPT_DAYS: i64 = 7;
/// As the wire's types say.
const DELIVERIES_KEPT_DAYS: i64 = 30;
const ANSWERS_KEPT_HOURS: i64 = 24;
/// Longer than any task waits that may ask for one again.
const LLM_ANSWERS_KEPT_DAYS: i64 = 30;
/// Longer than any call with all its attempts.
const LLM_CALLS_LAST_HOURS: i64 = 2;
const DONE_TASKS_KEPT: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

/// No upload rests this long between two pieces.
const UPLOADS_GIVEN_UP_AFTER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Starts the workers of this process.
pub fn start(app: &Arc<App>) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    if app.db.is_sqlite() {
        extraction::clear(app)?;
    }
    let waker = Waker::default();
    let runner = Runner::new(app.db.write_connection().clone(), app.clone(), waker.clone())
        .queue("default", 2)
        .register(examples::duplicates::run)
        .register(vllm::run)
        .cron("47 * * * *", &vllm::Sweep {})
        .queue("training", app.config.training_concurrency)
        .register(jobs::train)
        .on_dead(jobs::bury)
        .register(bases::fetch)
        .on_dead(bases::bury)
        .queue("exports", 1)
        .register(model_exports::run)
        .on_dead(model_exports::bury)
        .queue("comparisons", 1)
        .register(comparisons::run)
        .on_dead(comparisons::bury)
        .queue("documents", 2)
        .register(extraction::run)
        .on_dead(extraction::bury)
        .register(datasets::validation::run)
        .on_dead(datasets::validation::bury)
        .queue("mail", 2)
        .register(links::send)
        .register(invitations::send)
        .queue("webhooks", 4)
        .register(webhooks::run)
        .on_dead(webhooks::bury)
        .queue("generation", 6)
        .register(examples::run)
        .register(comparisons::judge::run)
        .on_dead(comparisons::judge::bury)
        .queue("diagrams", 2)
        .register(concepts::run)
        .on_dead(concepts::bury)
        .register(draw::run)
        .on_dead(draw::bury)
        .register(batches::run)
        .on_dead(batches::bury)
        .register(deletions::run)
        .register(uploads::run)
        .on_dead(uploads::bury)
        .register(tidy)
        .cron("17 * * * *", &Tidy {});
    let shutdown = app.shutdown.clone();
    let run = tokio::spawn(async move { Ok(runner.run(shutdown).await?) });
    Ok(vec![run, tokio::spawn(wake(app.clone(), waker))])
}

/// Every commit may have enqueued something.
async fn wake(app: Arc<App>, waker: Waker) -> anyhow::Result<()> {
    let mut changed = app.db.subscribe();
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return Ok(()),
            result = changed.changed() => {
                result?;
                waker.wake();
            }
        }
    }
}

/// Deletes what has expired.
#[derive(Debug, Serialize, Deserialize)]
struct Tidy {}

impl Task for Tidy {
    const NAME: &'static str = "tidy";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 3;
}

async fn tidy(app: Arc<App>, _: Tidy, _: Lease) -> Result<(), TaskError> {
    let failed = |error: cerebros_db::DbError| TaskError::retry(error.to_string());
    cerebros_db::sessions::expire_unscoped(&app.db, app.config.session_idle())
        .await
        .map_err(failed)?;
    cerebros_db::invitations::expire_unscoped(&app.db)
        .await
        .map_err(failed)?;
    cerebros_db::link_tokens::expire_unscoped(&app.db)
        .await
        .map_err(failed)?;
    cerebros_db::email_changes::expire_unscoped(&app.db)
        .await
        .map_err(failed)?;
    let before = Utc::now() - Duration::days(EVENTS_KEPT_DAYS);
    cerebros_db::events::expire_unscoped(&app.db, before)
        .await
        .map_err(failed)?;
    let before = Utc::now() - Duration::hours(ANSWERS_KEPT_HOURS);
    cerebros_db::idempotency::expire_unscoped(&app.db, before)
        .await
        .map_err(failed)?;
    let now = Utc::now();
    let (answers, calls) = (
        now - Duration::days(LLM_ANSWERS_KEPT_DAYS),
        now - Duration::hours(LLM_CALLS_LAST_HOURS),
    );
    cerebros_db::llm_calls::expire_unscoped(&app.db, answers, calls)
        .await
        .map_err(failed)?;
    let before = now - Duration::days(DELIVERIES_KEPT_DAYS);
    cerebros_db::webhooks::expire_unscoped(&app.db, before)
        .await
        .map_err(failed)?;
    cerebros_db::rates::expire_unscoped(&app.db).await.map_err(failed)?;
    let unfinished = app.storage.remove_unfinished(UPLOADS_GIVEN_UP_AFTER).await;
    unfinished.map_err(|error| TaskError::retry(error.to_string()))?;
    uploads::collect(&app).await?;
    datasets::purge(&app).await?;
    deletions::resume(&app).await?;
    cerebros_queue::prune_done(app.db.write_connection(), DONE_TASKS_KEPT).await?;
    Ok(())
}
