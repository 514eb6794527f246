//! Fetching a base from the model hub, file by file, into a directory that appears whole.

use crate::{
    error::{AppError, AppResult},
    provider_keys,
    state::App,
};
use cerebros_common::{
    ids::{BaseId, WorkspaceId},
    provider_keys::Provider,
};
use cerebros_db::{self as db, DbError, Scope, Write, bases::BaseFacts};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{fs, io::AsyncWriteExt};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Between two pieces of a file.
const READ_DEADLINE: Duration = Duration::from_secs(60);
const MAX_LISTING_BYTES: usize = 4 * 1024 * 1024;
const MAX_FILES: usize = 200;

/// Files beside the weights that a base is read from.
const SMALL_FILES: [&str; 7] = [
    "README.md",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

#[derive(Debug, Serialize, Deserialize)]
pub struct FetchBase {
    workspace_id: WorkspaceId,
    base_id: BaseId,
}

impl Task for FetchBase {
    const NAME: &'static str = "fetch_base";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 4;
}

/// `owner/name`, in the characters that the hub allows.
pub fn check_hub_id(id: &str) -> AppResult<()> {
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !text.contains("..")
    };
    if id
        .split_once('/')
        .is_some_and(|(owner, name)| word(owner) && word(name))
    {
        return Ok(());
    }
    Err(AppError::field(
        "hub_id",
        "format",
        "must be `owner/name` as the hub shows it",
    ))
}

pub async fn enqueue_fetch(write: &Write, base_id: BaseId) -> AppResult<()> {
    let workspace_id = write.workspace_id()?;
    let options = Enqueue {
        workspace_id: Some(workspace_id.0),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &FetchBase { workspace_id, base_id }, options).await?;
    Ok(())
}

pub async fn fetch(app: Arc<App>, task: FetchBase, lease: Lease) -> Result<(), TaskError> {
    let scope = Scope::system(task.workspace_id);
    let base = match db::bases::find_located(&scope, &app.db, task.base_id).await {
        Ok(base) => base,
        Err(DbError::NotFound(_)) => return Ok(()),
        Err(error) => return Err(crate::jobs::database(error)),
    };
    let target = super::directory(&app.config, &base);
    let outcome = tokio::select! {
        outcome = download(&app, &scope, &base.location, &target) => outcome,
        () = lease.cancellation().cancelled() => return Err(TaskError::Interrupted),
    };
    let outcome = match outcome {
        Ok(()) => inspect(&target).await,
        Err(Fault::Passing(message)) => return Err(TaskError::retry(message)),
        Err(Fault::Final(message)) => Err(message),
    };
    let mut write = app.db.write(&scope).await.map_err(crate::jobs::database)?;
    let outcome = outcome
        .as_ref()
        .map(|facts| (base.location.as_str(), facts))
        .map_err(String::as_str);
    db::bases::finish(&mut write, task.base_id, outcome)
        .await
        .map_err(crate::jobs::database)?;
    lease.complete(write.connection()).await?;
    write.commit().await.map_err(crate::jobs::database)
}

pub async fn bury(app: Arc<App>, task: FetchBase, burial: Burial) -> Result<(), HookError> {
    let mut write = app.db.write(&Scope::system(task.workspace_id)).await?;
    let message = format!(
        "{}. Check the server's network, remove this base and add it again.",
        burial.message()
    );
    db::bases::finish(&mut write, task.base_id, Err(&message)).await?;
    burial.bury(write.connection()).await?;
    Ok(write.commit().await?)
}

async fn inspect(directory: &Path) -> Result<BaseFacts, String> {
    let directory = directory.to_owned();
    let inspected = tokio::task::spawn_blocking(move || cerebros_trainer::inspect_base(&directory)).await;
    match inspected {
        Ok(Ok(info)) => Ok(super::facts(&info)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

enum Fault {
    /// Another attempt may do better.
    Passing(String),
    Final(String),
}

#[derive(Deserialize)]
struct Listing {
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// The hub as a workspace sees it. On a redirect to another host the key stays behind.
struct Hub {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl Hub {
    async fn of(app: &App, scope: &Scope) -> Result<Self, Fault> {
        let key = provider_keys::find(app, scope, Provider::Huggingface).await;
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_DEADLINE)
            .read_timeout(READ_DEADLINE)
            .build()
            .map_err(|error| Fault::Final(error.to_string()))?;
        Ok(Self {
            client,
            url: app.config.hub_url.as_str().trim_end_matches('/').to_owned(),
            key: key.map_err(|error| Fault::Passing(TaskError::from(error).to_string()))?,
        })
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, Fault> {
        let mut request = self.client.get(format!("{}/{path}", self.url));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let (seen, remedy) = match self.key {
                    Some(_) => ("model of this name that the workspace's Hugging Face key may read", ""),
                    None => (
                        "public model of this name",
                        ", store a Hugging Face key that may read it",
                    ),
                };
                Err(Fault::Final(format!(
                    "The hub has no {seen}. Check the id{remedy}, or fetch the model yourself and add its directory."
                )))
            }
            status => Err(Fault::Passing(format!("The hub answered {status}"))),
        }
    }
}

async fn download(app: &App, scope: &Scope, id: &str, target: &Path) -> Result<(), Fault> {
    let hub = Hub::of(app, scope).await?;
    if fs::try_exists(target).await.unwrap_or(false) {
        // Fetched for another workspace: this one gets it only if the hub would give it too.
        hub.get(&format!("{id}/resolve/main/config.json")).await?;
        return Ok(());
    }
    let mut listing = hub.get(&format!("api/models/{id}")).await?;
    let mut bytes = Vec::new();
    while let Some(part) = listing.chunk().await.map_err(broken)? {
        if bytes.len() + part.len() > MAX_LISTING_BYTES {
            return Err(Fault::Final("The hub's list of files is too long".to_owned()));
        }
        bytes.extend_from_slice(&part);
    }
    let listing: Listing =
        serde_json::from_slice(&bytes).map_err(|_| Fault::Final("The hub's answer cannot be understood".to_owned()))?;
    let files: Vec<String> = listing
        .siblings
        .into_iter()
        .map(|file| file.rfilename)
        .filter(|name| wanted(name))
        .collect();
    if files.len() > MAX_FILES {
        return Err(Fault::Final("The model has too many files".to_owned()));
    }
    let unfinished = target.with_extension("unfinished");
    // A partial download starts over.
    let _ = fs::remove_dir_all(&unfinished).await;
    fs::create_dir_all(&unfinished).await.map_err(unwritable)?;
    for name in files {
        let mut response = hub.get(&format!("{id}/resolve/main/{name}")).await?;
        let mut file = fs::File::create(unfinished.join(&name)).await.map_err(unwritable)?;
        while let Some(part) = response.chunk().await.map_err(broken)? {
            file.write_all(&part).await.map_err(unwritable)?;
        }
        file.sync_all().await.map_err(unwritable)?;
    }
    fs::rename(&unfinished, target).await.map_err(unwritable)
}

fn wanted(name: &str) -> bool {
    let flat = !name.contains('/') && !name.starts_with('.');
    flat && (SMALL_FILES.contains(&name) || name.ends_with(".safetensors"))
}

fn broken(error: reqwest::Error) -> Fault {
    tracing::info!(error = ?error.without_url(), "the hub could not be read");
    Fault::Passing("The hub could not be reached".to_owned())
}

fn unwritable(error: std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Fault::Final(
            "The server's disk is full. Free some space, remove this base and add it again.".to_owned(),
        );
    }
    Fault::Passing(format!("The files could not be written ({})", error.kind()))
}
