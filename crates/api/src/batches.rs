//! Making examples of many chunks: what a batch takes, and the task that works on one item.

mod extractive;

use crate::{
    documents::extraction::scope_of,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    batches::{BatchEstimate, BatchItemError, BatchPause, ItemErrorKind, MAX_ITEMS, NewBatch},
    documents::Document,
    ids::{BatchId, BatchItemId},
    templates::TemplateKind,
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    batches::{Done, ItemWork, Look, Source},
};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, QueueError, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

#[derive(Debug, Serialize, Deserialize)]
pub struct RunBatchItem {
    pub batch_id: BatchId,
    pub item_id: BatchItemId,
}

impl Task for RunBatchItem {
    const NAME: &'static str = "run_batch_item";
    const QUEUE: &'static str = "generation";
    const MAX_ATTEMPTS: u32 = 6;
}

/// Asks for items to be worked on, in the transaction that marks them so.
pub async fn enqueue_items(write: &Write, batch_id: BatchId, items: &[BatchItemId]) -> Result<(), QueueError> {
    let workspace_id = write.workspace_id().ok().map(|id| id.0);
    for item_id in items {
        let task = RunBatchItem {
            batch_id,
            item_id: *item_id,
        };
        let options = Enqueue {
            workspace_id,
            ..Enqueue::default()
        };
        enqueue(write.connection(), &task, options).await?;
    }
    Ok(())
}

/// What a batch would be made of, in the order in which it is worked on.
#[derive(Debug)]
pub struct Plan {
    pub documents: Vec<Document>,
    pub sources: Vec<Source>,
}

/// # Errors
/// 409 when there is nothing to make examples of, or too much at once.
pub async fn plan(app: &App, scope: &Scope, new: &NewBatch) -> AppResult<Plan> {
    let documents = db::batches::documents_of(scope, &app.db, new).await?;
    if documents.is_empty() {
        let detail = "This assistant has no work product that is ready. Upload one, or name other documents.";
        return Err(AppError::conflict(detail));
    }
    let mut templates = HashMap::new();
    for document in &documents {
        let kind = TemplateKind::of(document.format, document.kind);
        let version = db::templates::find(scope, &app.db, kind).await?.version;
        templates.insert(document.id, (kind, version));
    }
    let ids: Vec<_> = documents.iter().map(|document| document.id).collect();
    let chunks = db::chunks::lengths(scope, &app.db, &ids).await?;
    let sources = chunks.into_iter().filter_map(|(document_id, chunk_id, characters)| {
        let (template, template_version) = *templates.get(&document_id)?;
        Some(Source {
            document_id,
            chunk_id,
            template,
            template_version,
            characters,
        })
    });
    let mut sources: Vec<Source> = sources.collect();
    if sources.is_empty() {
        return Err(AppError::conflict("There is no text in these documents."));
    }
    if sources.len() > MAX_ITEMS {
        let detail = format!(
            "These documents have {} chunks; a batch takes at most {MAX_ITEMS}. Choose fewer documents.",
            sources.len()
        );
        return Err(AppError::conflict(detail));
    }
    if new.target_count.is_some() {
        sources = spread(sources);
    }
    Ok(Plan { documents, sources })
}

/// In an order whose every beginning is taken from all over the list: by the fractions of the multiples of the golden ratio.
fn spread<T>(list: Vec<T>) -> Vec<T> {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let keyed = (0_u64..).map(|at| at.wrapping_mul(GOLDEN)).zip(list);
    let mut keyed: Vec<(u64, T)> = keyed.collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// What a plan would take. Without a language model it costs nothing.
pub fn estimate(new: &NewBatch, plan: &Plan) -> BatchEstimate {
    let chunks = plan.sources.len() as u64;
    let per_chunk = new.per_chunk(chunks);
    let most = chunks * u64::from(per_chunk);
    BatchEstimate {
        documents: plan.documents.len() as u64,
        chunks,
        per_chunk,
        examples: new.target_count.map_or(most, |target| target.min(most)),
        model: None,
        calls_min: 0,
        calls_max: 0,
        tokens_min: 0,
        tokens_max: 0,
        cost_micros_min: None,
        cost_micros_max: None,
    }
}

/// How the work on an item ended.
enum Outcome {
    Settled(Result<Done, BatchItemError>),
    /// The batch cannot go on.
    Stop(BatchPause),
}

impl Outcome {
    fn failed(kind: ItemErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Settled(Err(BatchItemError { kind, message }))
    }
}

/// Makes and stores the examples of one chunk. Nothing is done for an item that is gone or settled, or whose batch rests.
pub async fn run(app: Arc<App>, task: RunBatchItem, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let outcome = match db::batches::look(&scope, &app.db, task.batch_id, task.item_id).await {
        Ok(Look::Nothing) => None,
        Ok(Look::Work(work)) => Some(make(&app, &scope, *work).await?),
        Err(DbError::NotFound(_)) => Some(Outcome::failed(ItemErrorKind::Permanent, "Its chunk is gone.")),
        Err(error) => return Err(AppError::from(error).into()),
    };
    if lease.cancellation().is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    let (batch, item) = (task.batch_id, task.item_id);
    let next = match outcome {
        None => db::batches::put_back(&mut write, batch, item).await,
        Some(Outcome::Settled(settled)) => db::batches::finish_item(&mut write, batch, item, settled).await,
        Some(Outcome::Stop(pause)) => {
            let stopped = db::batches::stop(&mut write, batch, item, &pause).await;
            stopped.map(|()| Vec::new())
        }
    };
    enqueue_items(&write, batch, &next.map_err(AppError::from)?).await?;
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// Says on the item that the server gave up, and goes on with the others.
pub async fn bury(app: Arc<App>, task: RunBatchItem, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(workspace_id.into())).await?;
    let error = BatchItemError {
        kind: ItemErrorKind::Interrupted,
        message: "The server failed each time it worked on this part. Retry it; if it stays, tell the operator."
            .to_owned(),
    };
    let next = db::batches::finish_item(&mut write, task.batch_id, task.item_id, Err(error)).await?;
    enqueue_items(&write, task.batch_id, &next).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

async fn make(app: &App, scope: &Scope, work: ItemWork) -> Result<Outcome, TaskError> {
    let pages = db::document_texts::pages(scope, &app.db, &[work.document_id])
        .await
        .map_err(AppError::from)?;
    let pages = pages.into_values().next().unwrap_or_default();
    let examples = tokio::task::spawn_blocking(move || extractive::make(&work, &pages))
        .await
        .map_err(|_| TaskError::retry("Making examples failed"))?;
    Ok(Outcome::Settled(Ok(Done {
        examples,
        ..Done::default()
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_a_spread_list_comes_from_all_over_it() {
        let spread = spread((0..1000).collect::<Vec<_>>());
        for length in [8, 20, 100] {
            let mut first = spread[..length].to_vec();
            first.extend([0, 1000]);
            first.sort_unstable();
            let gap = first.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(gap < Some(3 * 1000 / length), "{length}: {gap:?}");
        }
        let mut all = spread;
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }
}
