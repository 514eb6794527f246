//! Finding the concepts of a document in the background.

mod ask;

use crate::{
    diagrams::ask::task_error,
    documents::extraction::scope_of,
    error::{AppError, AppResult},
    examples::page_at,
    state::App,
};
use cerebros_common::{
    concepts::{ConceptOrigin, ConceptSource, Level},
    diagrams::{DiagramError, Severity},
    examples::Grounding,
    ids::{DocumentId, WorkspaceId},
};
use cerebros_db::{self as db, DbError, Scope, Write, concepts::FoundConcept, documents::WholeDocument};
use cerebros_ingest::{Depth, verify_span};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct FindConcepts {
    pub document_id: DocumentId,
}

impl Task for FindConcepts {
    const NAME: &'static str = "find_concepts";
    const QUEUE: &'static str = "diagrams";
    const MAX_ATTEMPTS: u32 = 5;
}

/// Notes that a document's concepts are looked for, and sees that they are. Asked while that goes on, it changes nothing.
pub async fn order(write: &mut Write, scope: &Scope, document_id: DocumentId) -> AppResult<()> {
    if db::studies::begin(write, document_id).await? {
        let options = Enqueue {
            workspace_id: Some(scope.workspace_id.0),
            ..Enqueue::default()
        };
        enqueue(write.connection(), &FindConcepts { document_id }, options).await?;
    }
    Ok(())
}

/// The task. A document that is gone stays gone.
pub async fn run(app: Arc<App>, task: FindConcepts, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let (found, failure) = match db::documents::find_whole(&scope, &app.db, task.document_id).await {
        Ok(whole) => find(&app, &scope, &lease, whole).await?,
        Err(DbError::NotFound(_)) => (Vec::new(), None),
        Err(error) => return Err(AppError::from(error).into()),
    };
    if lease.cancellation().is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    db::concepts::store_found(&mut write, task.document_id, found)
        .await
        .map_err(AppError::from)?;
    db::studies::end(&mut write, task.document_id, failure.as_ref())
        .await
        .map_err(AppError::from)?;
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// By the workspace's language model, or without one from the text itself.
async fn find(
    app: &Arc<App>,
    scope: &Scope,
    lease: &Lease,
    whole: WholeDocument,
) -> Result<(Vec<FoundConcept>, Option<DiagramError>), TaskError> {
    let by_model = ask::find(app, scope, lease.cancellation(), lease.task_id(), &whole).await;
    if let Some(found) = by_model.map_err(task_error)? {
        return Ok(found);
    }
    let found = tokio::task::spawn_blocking(move || extracted(&whole)).await;
    Ok((found.map_err(|_| TaskError::retry("Finding concepts failed"))?, None))
}

/// Says at the document that the server gave up.
pub async fn bury(app: Arc<App>, task: FindConcepts, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(WorkspaceId(workspace_id))).await?;
    let error = DiagramError {
        severity: Severity::High,
        message: "The server failed each time it looked for concepts. Try again; if it stays, tell the operator."
            .to_owned(),
    };
    db::studies::end(&mut write, task.document_id, Some(&error)).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

/// From the text itself; each with the passage that speaks of it.
fn extracted(whole: &WholeDocument) -> Vec<FoundConcept> {
    cerebros_ingest::concepts(&whole.text)
        .into_iter()
        .filter(|draft| verify_span(&whole.text, draft.start, draft.end, &draft.quote))
        .map(|draft| FoundConcept {
            name: draft.name,
            description: draft.description,
            category: draft.category,
            level: match draft.depth {
                Depth::First => Level::Beginner,
                Depth::Second => Level::Intermediate,
                Depth::Further => Level::Advanced,
            },
            importance: draft.importance,
            origin: ConceptOrigin::Extractive,
            source: Some(ConceptSource {
                page: page_at(&whole.pages, draft.start as u64),
                quote: draft.quote,
                start: Some(draft.start as u64),
                end: Some(draft.end as u64),
            }),
            grounding: Grounding::Grounded,
            model: None,
        })
        .collect()
}
