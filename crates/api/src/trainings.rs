//! The training of an agent in stages: what each stage learns from becomes a dataset, the first of them a job. The others
//! get theirs where a job ends.

use crate::{
    datasets::{self, Origin, Written},
    documents,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    jobs,
    state::App,
};
use actix_web::rt;
use cerebros_common::{
    agents::Agent,
    bases::{Base, BaseSource, BaseStatus},
    datasets::{DatasetQuery, DatasetSource, DatasetStatus},
    documents::{Document, DocumentKind, DocumentQuery, DocumentStatus},
    ids::{AgentId, DatasetId},
    jobs::MethodChoice,
    trainings::{NewTraining, StageKind, Training},
};
use cerebros_db::{self as db, Scope, Write, datasets::StoredDataset, trainings::NewStage};
use cerebros_ingest::{ChunkOptions, chunk};
use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Short ones of our own, for stage IV.
const INSTRUCTIONS: &str = include_str!("trainings/instructions.jsonl");
/// Of documents' text that a stage takes. More would train for weeks.
const MAX_CHARACTERS: u64 = 16_000_000;
/// Of a text that is held at once.
const STRETCH: u64 = 200_000;
const NAME_CHARACTERS: usize = 70;
/// English text has more characters to a token; a row that is longer than the job takes would be cut off.
const CHARACTERS_PER_TOKEN: usize = 3;

/// What a stage learns from, put into the store.
struct Prepared {
    stage: NewStage,
    /// Rows that are no dataset yet.
    dataset: Option<StoredDataset>,
}

/// Prepares the stages of an agent's training and queues the first one.
///
/// # Errors
/// 409 while another one is under way, while documents are being read, and where there is nothing to learn from.
pub async fn begin(app: Arc<App>, turn: Turn, scope: Scope, agent_id: AgentId, new: NewTraining) -> AppResult {
    let agent = db::agents::find(&scope, &app.db, agent_id).await?;
    let base = db::bases::find(&scope, &app.db, new.base_id).await?;
    if base.status != BaseStatus::Ready {
        let message = "The base is not ready. Wait until it is, or choose another one.";
        return Err(AppError::conflict(message));
    }
    if new.parameters.method != MethodChoice::Auto {
        let message = "must be `auto`: it follows from what a stage learns from";
        return Err(AppError::field("parameters.method", "invalid_value", message));
    }
    require_read(&app, &scope, &agent).await?;
    // Goes on to the end if the client leaves meanwhile.
    let work = async move {
        let mut prepared = Vec::new();
        let begun = async {
            prepare(&app, &scope, &agent, &base, &new, &mut prepared).await?;
            let work = async |write: &mut Write| insert(&app, write, agent_id, &new, &prepared).await;
            turn.run(work).await
        };
        let begun = begun.await;
        if begun.is_err() {
            for dataset in prepared.iter().filter_map(|prepared| prepared.dataset.as_ref()) {
                documents::remove_file(&app, &dataset.blob_key).await;
            }
        }
        begun
    };
    rt::spawn(work).await.map_err(AppError::internal)?
}

/// Cancels what is left of an agent's training.
pub async fn cancel(app: &App, scope: &Scope, agent_id: AgentId) -> AppResult<Training> {
    let mut write = app.db.write(scope).await?;
    let (mut training, stopped) = db::trainings::cancel(&mut write, agent_id).await?;
    if let Some(job) = stopped {
        jobs::note_stop(&mut write, &job).await?;
    }
    write.commit().await?;
    price(app, &mut training);
    Ok(training)
}

/// Says what the stages have cost by now.
pub fn price(app: &App, training: &mut Training) {
    let now = Utc::now();
    for stage in &mut training.stages {
        let job = stage.job.as_ref();
        let started = job.and_then(|job| Some((job.started_at?, job.finished_at)));
        let device = job.and_then(|job| job.plan.as_ref()).map_or("", |plan| &plan.device);
        let prices = &app.config.training_prices;
        stage.cost_micros = match started {
            Some((started, finished)) => {
                let price = prices.of(device);
                price.map(|price| cost(price, started, finished.unwrap_or(now)))
            }
            None => (!prices.is_empty()).then_some(0),
        };
    }
}

fn cost(micros_per_hour: u64, from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let seconds = u128::try_from((to - from).num_seconds()).unwrap_or_default();
    i64::try_from(u128::from(micros_per_hour) * seconds / 3600).unwrap_or(i64::MAX)
}

async fn require_read(app: &App, scope: &Scope, agent: &Agent) -> AppResult<()> {
    for status in [DocumentStatus::Uploaded, DocumentStatus::Processing] {
        let query = DocumentQuery {
            agent_id: Some(agent.id),
            status: Some(status),
            limit: Some(1),
            ..DocumentQuery::default()
        };
        if db::documents::list(scope, &app.db, &query).await?.total > 0 {
            let message =
                "Some of this assistant's documents are still being read. Wait until they are, or delete them.";
            return Err(AppError::conflict(message));
        }
    }
    Ok(())
}

async fn prepare(
    app: &App,
    scope: &Scope,
    agent: &Agent,
    base: &Base,
    new: &NewTraining,
    prepared: &mut Vec<Prepared>,
) -> AppResult<()> {
    let ready = async |kind| db::documents::list_ready(scope, &app.db, agent.id, kind).await;
    let work_products = ready(DocumentKind::WorkProduct).await?;
    let communications = ready(DocumentKind::Communication).await?;
    let mut all = work_products.clone();
    all.extend_from_slice(&communications);
    all.extend(ready(DocumentKind::Reference).await?);
    let per_token = match base.source {
        // Its tokens are bytes.
        BaseSource::BuiltIn => 1,
        BaseSource::Directory | BaseSource::Hub => CHARACTERS_PER_TOKEN,
    };
    let longest = usize::try_from(new.parameters.max_seq_length).unwrap_or(usize::MAX);
    // A row has a token at its start and one at its end.
    let max_chars = longest.saturating_sub(2).saturating_mul(per_token);
    for (documents, kind) in [
        (all, StageKind::Foundation),
        (communications, StageKind::Communications),
        (work_products, StageKind::WorkProducts),
    ] {
        let (written, left) = texts(app, scope, &documents, max_chars).await?;
        prepared.push(stored(scope, agent, kind, written, left).await?);
    }
    let examples = datasets::approved(app, scope, agent.id).await?;
    let nothing = examples.rows == 0 && prepared.iter().all(|prepared| prepared.stage.rows == 0);
    if nothing {
        let message =
            "There is nothing of this assistant's to learn from yet. Upload documents or approve examples first.";
        return Err(AppError::conflict(message));
    }
    prepared.push(instructions(app, scope).await?);
    prepared.push(stored(scope, agent, StageKind::Personalization, examples, 0).await?);
    Ok(())
}

/// The documents' text, cut where a reader would pause into rows of at most so many characters; and how much is left out.
async fn texts(app: &App, scope: &Scope, documents: &[Document], max_chars: usize) -> AppResult<(Written, u64)> {
    let mut writer = app.storage.create().await.map_err(AppError::io)?;
    let options = ChunkOptions {
        max_chars,
        overlap_chars: 0,
    };
    let (mut rows, mut room, mut left_out) = (0, MAX_CHARACTERS, 0);
    let mut held = Vec::new();
    for document in documents {
        let mut offset = 0;
        loop {
            let part = db::document_texts::stretch(scope, &app.db, document.id, offset, STRETCH.min(room)).await?;
            let read = u64::try_from(part.text.chars().count()).unwrap_or(u64::MAX);
            if read == 0 {
                left_out += part.total.saturating_sub(offset);
                break;
            }
            (offset, room) = (offset + read, room - read);
            let mut lines = Vec::new();
            for chunk in chunk(&part.text, &[], &options) {
                rows += 1;
                serde_json::to_writer(&mut lines, &json!({ "text": chunk.text })).map_err(AppError::internal)?;
                lines.push(b'\n');
            }
            writer.write(&lines).await.map_err(AppError::io)?;
        }
        if offset > 0 {
            held.push(document.id);
        }
    }
    let written = Written {
        writer,
        documents: held,
        rows,
    };
    Ok((written, left_out))
}

async fn stored(scope: &Scope, agent: &Agent, kind: StageKind, written: Written, left_out: u64) -> AppResult<Prepared> {
    let mut stage = NewStage {
        kind,
        dataset_id: None,
        rows: written.rows,
        left_out_characters: left_out,
    };
    if written.rows == 0 {
        return Ok(Prepared { stage, dataset: None });
    }
    let name: String = agent.name.chars().take(NAME_CHARACTERS).collect();
    let origin = Origin {
        name: format!(
            "{name}, {}, {}",
            kind.title().to_lowercase(),
            Utc::now().format("%-d %b %Y, %H:%M")
        ),
        agent_id: Some(agent.id),
        documents: written.documents,
        source: match kind {
            StageKind::Personalization => DatasetSource::Examples,
            _ => DatasetSource::Documents,
        },
        version_of: None,
        filters: None,
    };
    let dataset = datasets::keep(scope.workspace_id, origin, written.writer).await?;
    stage.dataset_id = Some(dataset.id);
    Ok(Prepared {
        stage,
        dataset: Some(dataset),
    })
}

/// What comes with the product, as the dataset that an earlier training made of it where that is still there.
async fn instructions(app: &App, scope: &Scope) -> AppResult<Prepared> {
    let query = DatasetQuery {
        sha256: Some(hex::encode(Sha256::digest(INSTRUCTIONS))),
        ..DatasetQuery::default()
    };
    let found = db::datasets::list(scope, &app.db, &query).await?.items;
    let usable = |status| matches!(status, DatasetStatus::Ready | DatasetStatus::Validating);
    let found: Option<DatasetId> = found
        .into_iter()
        .find(|dataset| usable(dataset.status))
        .map(|dataset| dataset.id);
    let stage = |dataset_id| NewStage {
        kind: StageKind::Instructions,
        dataset_id: Some(dataset_id),
        rows: u64::try_from(INSTRUCTIONS.lines().count()).unwrap_or_default(),
        left_out_characters: 0,
    };
    if let Some(id) = found {
        return Ok(Prepared {
            stage: stage(id),
            dataset: None,
        });
    }
    let mut writer = app.storage.create().await.map_err(AppError::io)?;
    writer.write(INSTRUCTIONS.as_bytes()).await.map_err(AppError::io)?;
    let origin = Origin {
        name: "General instructions".to_owned(),
        // Nobody's text is in it: it stays when an agent goes.
        agent_id: None,
        documents: Vec::new(),
        source: DatasetSource::Instructions,
        version_of: None,
        filters: None,
    };
    let dataset = datasets::keep(scope.workspace_id, origin, writer).await?;
    Ok(Prepared {
        stage: stage(dataset.id),
        dataset: Some(dataset),
    })
}

async fn insert(
    app: &App,
    write: &mut Write,
    agent_id: AgentId,
    new: &NewTraining,
    prepared: &[Prepared],
) -> AppResult<Answer> {
    db::trainings::make_room(write, agent_id).await?;
    for dataset in prepared.iter().filter_map(|prepared| prepared.dataset.clone()) {
        db::datasets::insert(write, dataset).await?;
    }
    let stages: Vec<NewStage> = prepared.iter().map(|prepared| prepared.stage.clone()).collect();
    let (mut training, job) = db::trainings::insert(write, agent_id, new, &stages).await?;
    jobs::queue(write, &job).await?;
    for dataset in prepared.iter().filter_map(|prepared| prepared.dataset.as_ref()) {
        datasets::enqueue_validation(write, dataset.id).await?;
    }
    price(app, &mut training);
    Answer::created(format!("/api/v1/agents/{agent_id}/training"), training)
}
