//! Datasets: building and taking in rows, validating them, showing and writing them.

pub mod diff;
mod forms;
pub mod preview;
mod stop;
pub mod validation;
pub mod versions;
pub mod written;

pub use forms::{form_of, split_of};

use crate::{
    documents,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    jobs,
    state::App,
    storage::{Storage, Writer},
    upload::Upload,
};
use actix_web::rt;
use cerebros_common::{
    datasets::{Dataset, DatasetSource, DatasetUpload, NewDataset, NewDatasetSplit, RowFilters},
    ids::{AgentId, DatasetId, DocumentId, WorkspaceId},
    uploads as parts,
};
use cerebros_datasets::chat::{ChatRow, Message, Role, write_row};
use cerebros_db::{
    self as db, Scope, Write,
    datasets::{Discarded, StoredDataset},
    examples::ApprovedExample,
};
use cerebros_queue::{Enqueue, enqueue};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;
use validation::ValidateDataset;

const EXAMPLES_AT_ONCE: u64 = 500;
const MAX_NAME_CHARS: usize = 120;
const PURGED_AT_ONCE: u64 = 100;

/// What a dataset is called and where its rows come from.
pub struct Origin {
    pub name: String,
    pub agent_id: Option<AgentId>,
    pub documents: Vec<DocumentId>,
    pub source: DatasetSource,
    pub version_of: Option<DatasetId>,
    pub filters: Option<RowFilters>,
}

/// Writes the examples that are approved now into a dataset; what happens to them later does not change it.
///
/// # Errors
/// 409 when there are none.
pub async fn build(app: Arc<App>, turn: Turn, scope: Scope, new: NewDataset) -> AppResult {
    db::agents::find(&scope, &app.db, new.agent_id).await?;
    if let Some(id) = new.version_of {
        db::datasets::find(&scope, &app.db, id).await?;
    }
    let examples = approved(&app, &scope, new.agent_id).await?;
    if examples.rows == 0 {
        let message = "None of this assistant's examples is approved yet. Approve some, then build the dataset.";
        return Err(AppError::conflict(message));
    }
    let origin = Origin {
        name: new.name.trim().to_owned(),
        agent_id: Some(new.agent_id),
        documents: examples.documents,
        source: DatasetSource::Examples,
        version_of: new.version_of,
        filters: None,
    };
    store(app, turn, scope, origin, examples.writer, native).await
}

/// Rows that are written, and whose text they hold.
pub struct Written {
    pub writer: Writer,
    pub documents: Vec<DocumentId>,
    pub rows: u64,
}

/// The examples of an agent that are approved now, as rows.
pub async fn approved(app: &App, scope: &Scope, agent_id: AgentId) -> AppResult<Written> {
    let mut writer = app.storage.create().await.map_err(AppError::io)?;
    let mut documents = BTreeSet::new();
    let (mut after, mut rows) = (None, 0);
    loop {
        let some = db::examples::approved(scope, &app.db, agent_id, after, EXAMPLES_AT_ONCE).await?;
        let Some((last, _)) = some.last() else { break };
        after = Some(*last);
        let mut lines = Vec::new();
        for (_, example) in some {
            rows += 1;
            documents.extend(example.document_id.map(|id| id.0));
            write_row(&mut lines, &chat_row(example)).map_err(AppError::internal)?;
        }
        writer.write(&lines).await.map_err(AppError::io)?;
    }
    Ok(Written {
        writer,
        documents: documents.into_iter().map(DocumentId).collect(),
        rows,
    })
}

/// How an answer tells of a new dataset.
type Told = fn(Dataset) -> AppResult<Answer>;

pub fn native(dataset: Dataset) -> AppResult<Answer> {
    Answer::created(format!("/api/v1/datasets/{}", dataset.id), dataset)
}

/// Keeps an uploaded file of rows; without a name it gets the file's.
pub async fn take_in(
    app: Arc<App>,
    turn: Turn,
    scope: Scope,
    query: DatasetUpload,
    upload: Upload,
    told: Told,
) -> AppResult {
    let origin = Origin {
        name: short(&query.name.unwrap_or(upload.name)),
        agent_id: None,
        documents: Vec::new(),
        source: DatasetSource::Upload,
        version_of: query.version_of,
        filters: None,
    };
    store(app, turn, scope, origin, upload.writer, told).await
}

fn short(name: &str) -> String {
    name.trim().chars().take(MAX_NAME_CHARS).collect()
}

/// A dataset of a file that was uploaded into the store: its key and checksum.
pub fn uploaded(upload: &parts::Upload, blob_key: String, sha256: String) -> StoredDataset {
    StoredDataset {
        id: DatasetId(upload.id.0),
        agent_id: None,
        documents: Vec::new(),
        name: short(&upload.name),
        source: DatasetSource::Upload,
        version_of: upload.version_of,
        filters: None,
        blob_key,
        size_bytes: upload.size_bytes,
        sha256,
    }
}

/// Puts a dataset aside; its file stays until it can be restored no more.
pub async fn delete(app: &App, scope: &Scope, id: DatasetId) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    db::datasets::delete(&mut write, id).await?;
    Ok(write.commit().await?)
}

pub async fn restore(app: &App, scope: &Scope, id: DatasetId) -> AppResult<Dataset> {
    let mut write = app.db.write(scope).await?;
    let dataset = db::datasets::restore(&mut write, id).await?;
    write.commit().await?;
    Ok(dataset)
}

pub async fn split(app: &App, scope: &Scope, id: DatasetId, split: NewDatasetSplit) -> AppResult<Dataset> {
    let mut write = app.db.write(scope).await?;
    let dataset = db::datasets::splits::choose(&mut write, id, split).await?;
    write.commit().await?;
    Ok(dataset)
}

/// Removes those that can be restored no more, with their files.
pub async fn purge(app: &App) -> AppResult<()> {
    loop {
        let some = db::datasets::expired_unscoped(&app.db, PURGED_AT_ONCE).await?;
        if some.is_empty() {
            return Ok(());
        }
        for (workspace_id, id) in some {
            let mut write = app.db.write(&Scope::system(workspace_id)).await?;
            if let Some(gone) = db::datasets::purge(&mut write, id).await? {
                write.commit().await?;
                remove_discarded(app, gone).await;
            }
        }
    }
}

/// The files of a dataset that is gone, and the copies that jobs had.
pub async fn remove_discarded(app: &App, gone: Discarded) {
    documents::remove_file(app, &gone.blob_key).await;
    for id in gone.jobs {
        jobs::forget(app, id).await;
    }
}

/// Goes on to the end if the client leaves meanwhile.
async fn store(app: Arc<App>, turn: Turn, scope: Scope, origin: Origin, writer: Writer, told: Told) -> AppResult {
    let storing = async move {
        let dataset = keep(scope.workspace_id, origin, writer).await?;
        let blob_key = dataset.blob_key.clone();
        let work = async |write: &mut Write| told(insert(write, dataset).await?);
        let inserted = turn.run(work).await;
        if inserted.is_err() {
            documents::remove_file(&app, &blob_key).await;
        }
        inserted
    };
    rt::spawn(storing).await.map_err(AppError::internal)?
}

/// Puts rows into the store, for a dataset that is still to be added.
pub async fn keep(workspace_id: WorkspaceId, origin: Origin, writer: Writer) -> AppResult<StoredDataset> {
    let id = DatasetId(Uuid::now_v7());
    let blob_key = Storage::key("datasets", workspace_id, id, "rows.jsonl");
    let stored = writer.finish(&blob_key).await.map_err(AppError::io)?;
    Ok(StoredDataset {
        id,
        agent_id: origin.agent_id,
        documents: origin.documents,
        name: origin.name,
        source: origin.source,
        version_of: origin.version_of,
        filters: origin.filters,
        blob_key,
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
    })
}

/// Adds a dataset, and asks for its validation.
pub async fn insert(write: &mut Write, dataset: StoredDataset) -> AppResult<Dataset> {
    let dataset = db::datasets::insert(write, dataset).await?;
    enqueue_validation(write, dataset.id).await?;
    Ok(dataset)
}

pub async fn enqueue_validation(write: &Write, dataset_id: DatasetId) -> AppResult<()> {
    let options = Enqueue {
        workspace_id: Some(write.workspace_id()?.0),
        dedup_key: Some(dataset_id.to_string()),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &ValidateDataset { dataset_id }, options).await?;
    Ok(())
}

fn chat_row(example: ApprovedExample) -> ChatRow {
    let message = |role, content, reasoning_content| Message {
        role,
        content: Some(content),
        reasoning_content,
        weight: None,
        other: serde_json::Map::new(),
    };
    let reasoning = Some(example.reasoning).filter(|reasoning| !reasoning.trim().is_empty());
    ChatRow {
        messages: vec![
            message(Role::User, example.prompt, None),
            message(Role::Assistant, example.response, reasoning),
        ],
        other: serde_json::Map::new(),
    }
}
