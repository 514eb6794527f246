//! Adapters in the directory that vLLM reads, each in one of its own, named by its model. What lies there and is served no
//! more is taken out of vLLM, and then away.

use super::{Vllm, broken, name, refused};
use crate::{
    chat::{self, Target},
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    agents::{AgentPatch, Host},
    ids::{AgentId, ModelId},
};
use cerebros_db::{self as db, Scope, Write};
use cerebros_queue::{Enqueue, Lease, Task, TaskError, enqueue};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::HashSet, io, path::Path, sync::Arc, time::Duration};
use tokio::fs::{self, DirEntry};
use uuid::Uuid;

/// vLLM needs no more of a PEFT directory.
const FILES: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

/// No copy takes longer.
const PLACED_WITHIN: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
struct Cards {
    data: Vec<Card>,
}

/// Something that vLLM serves.
#[derive(Deserialize)]
struct Card {
    id: String,
    /// Where it was loaded from.
    root: Option<String>,
    /// The base of an adapter.
    parent: Option<String>,
}

/// Has vLLM load what an agent is to answer with after a change, if vLLM is to host it.
///
/// # Errors
/// 400 where the server has no vLLM, 409 when vLLM does not take the adapter, 503 when it is away.
pub async fn load_for(
    app: &App,
    scope: &Scope,
    id: AgentId,
    version: Option<i64>,
    patch: &AgentPatch,
) -> AppResult<()> {
    if patch.host == Some(Host::Vllm) && app.vllm.is_none() {
        let message = "must be `embedded`: this server has no vLLM";
        return Err(AppError::field("host", "invalid_value", message));
    }
    if patch.host.is_none() && patch.model_id.is_none() {
        return Ok(());
    }
    let agent = db::agents::find(scope, &app.db, id).await?;
    let host = patch.host.unwrap_or(agent.host);
    let model_id = patch.model_id.unwrap_or(agent.model_id);
    // A stale version is refused where the row is locked.
    let is_current = version.is_none_or(|version| version == agent.version);
    match (host, model_id) {
        (Host::Vllm, Some(model_id)) if is_current => {
            let target = chat::resolve(app, scope, &model_id.to_string()).await?;
            of(app)?.load(&target, model_id).await
        }
        _ => Ok(()),
    }
}

/// The server's vLLM.
///
/// # Errors
/// 503 where it has none any more.
pub fn of(app: &App) -> AppResult<&Vllm> {
    let gone =
        "This assistant is hosted by vLLM, which this server has no more: an editor can choose the embedded host.";
    app.vllm.as_ref().ok_or_else(|| AppError::unavailable(gone, 60))
}

impl Vllm {
    /// Has a model's adapter loaded, and sees that it is served on the model's base. What is loaded already stays.
    pub async fn load(&self, target: &Target, model_id: ModelId) -> AppResult<()> {
        let name = name(model_id);
        check_base(&self.cards().await?, &name, target)?;
        let placed = self.place(target, model_id).await;
        placed.map_err(AppError::io)?;
        let path = self.config.adapters_path.join(model_id.to_string());
        let request = self.request(Method::POST, "v1/load_lora_adapter");
        let request = request.json(&json!({"lora_name": name, "lora_path": path}));
        let (status, body) = self.call(request).await?;
        let words = self.words(&body);
        let is_there = status == StatusCode::BAD_REQUEST && words.contains("already been loaded");
        if !status.is_success() && !is_there {
            return Err(not_loaded(status, &words));
        }
        let cards = self.cards().await?;
        if !cards.iter().any(|card| card.id == name) {
            return Err(AppError::conflict(
                "vLLM took the adapter but does not list it among its models.",
            ));
        }
        if let Err(error) = check_base(&cards, &name, target) {
            self.unload(model_id).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Takes an adapter out of vLLM. One that is not there is no error.
    async fn unload(&self, model_id: ModelId) -> AppResult<()> {
        let request = self.request(Method::POST, "v1/unload_lora_adapter");
        let (status, body) = self.call(request.json(&json!({"lora_name": name(model_id)}))).await?;
        if status.is_success() || status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(refused(status, &self.words(&body)))
    }

    async fn cards(&self) -> AppResult<Vec<Card>> {
        let (status, body) = self.call(self.request(Method::GET, "v1/models")).await?;
        if !status.is_success() {
            return Err(refused(status, &self.words(&body)));
        }
        let cards: Cards = serde_json::from_slice(&body).map_err(|error| broken(error.into()))?;
        Ok(cards.data)
    }

    /// Puts the adapter's files where vLLM reads them. They appear together or not at all.
    async fn place(&self, target: &Target, model_id: ModelId) -> io::Result<()> {
        let Some(source) = &target.adapter_dir else {
            return Err(io::Error::other("a base has no adapter"));
        };
        let placed = self.config.adapters_dir.join(model_id.to_string());
        if fs::try_exists(placed.join(FILES[1])).await? {
            return Ok(());
        }
        let incoming = self.config.adapters_dir.join(format!(".{}", Uuid::now_v7()));
        fs::create_dir_all(&incoming).await?;
        for file in FILES {
            fs::copy(source.join(file), incoming.join(file)).await?;
        }
        // What a sweep has emptied may lie there still.
        remove(&placed).await?;
        match fs::rename(&incoming, &placed).await {
            // Somebody else has placed it meanwhile.
            Err(_) if fs::try_exists(placed.join(FILES[1])).await? => remove(&incoming).await,
            renamed => renamed,
        }
    }
}

fn check_base(cards: &[Card], adapter: &str, target: &Target) -> AppResult<()> {
    let parent = cards
        .iter()
        .find(|card| card.id == adapter)
        .and_then(|card| card.parent.as_ref());
    let base = cards.iter().find(|card| match parent {
        Some(parent) => card.id == *parent,
        None => card.parent.is_none(),
    });
    let Some(base) = base else {
        return Err(AppError::conflict("vLLM lists no base that it serves."));
    };
    let names = [Some(&base.id), base.root.as_ref()].into_iter().flatten();
    let fits = names
        .into_iter()
        .any(|name| target.base_names.iter().any(|own| is_same(own, name)));
    if fits {
        return Ok(());
    }
    let own = target.base_names.first().map_or("another base", String::as_str);
    Err(AppError::conflict(format!(
        "vLLM serves the base `{}`, but this model was trained on `{own}`. Start vLLM with that base, or choose the \
         embedded host.",
        base.id
    )))
}

/// Hub ids are compared whole, directories by what they are called.
fn is_same(own: &str, name: &str) -> bool {
    let (own, name) = (own.trim_end_matches('/'), name.trim_end_matches('/'));
    let is_hub_id = |text: &str| !text.starts_with('/') && text.split('/').count() == 2;
    if is_hub_id(own) && is_hub_id(name) {
        return own == name;
    }
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    last(own) == last(name)
}

fn not_loaded(status: StatusCode, words: &str) -> AppError {
    let why = match status.as_u16() {
        401 | 403 | 429 | 503 => return refused(status, words),
        404 if words.contains("No adapter found") => {
            "It does not see the adapter's files: VLLM_ADAPTERS_DIR here and its own directory have to be the same one."
        }
        404 | 405 => "Start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1.",
        _ if words.contains("max_lora_rank") => "Start it with a larger --max-lora-rank.",
        _ => "Its log tells more.",
    };
    AppError::conflict(format!("vLLM did not load the adapter ({words}). {why}"))
}

/// Takes adapters out of vLLM that no agent answers with there any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sweep {}

impl Task for Sweep {
    const NAME: &'static str = "sweep_adapters";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 5;
}

pub async fn enqueue_sweep(write: &Write) -> AppResult<()> {
    enqueue(write.connection(), &Sweep {}, Enqueue::default()).await?;
    Ok(())
}

pub async fn run(app: Arc<App>, _: Sweep, _: Lease) -> Result<(), TaskError> {
    Ok(sweep(&app).await?)
}

/// The files go first, so that nothing that was deleted stays where vLLM is away; the directory goes last, as it tells
/// what vLLM may still hold.
pub async fn sweep(app: &App) -> AppResult<()> {
    let Some(vllm) = &app.vllm else { return Ok(()) };
    let served = db::agents::hosted_unscoped(&app.db, Host::Vllm).await?;
    let served: HashSet<ModelId> = served.into_iter().collect();
    let mut left = Vec::new();
    let mut entries = fs::read_dir(&vllm.config.adapters_dir).await.map_err(AppError::io)?;
    while let Some(entry) = entries.next_entry().await.map_err(AppError::io)? {
        if is_left_over(&entry).await.map_err(AppError::io)? {
            remove(&entry.path()).await.map_err(AppError::io)?;
        }
        let id: Option<ModelId> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        left.extend(id.filter(|id| !served.contains(id)));
    }
    for id in &left {
        let placed = vllm.config.adapters_dir.join(id.to_string());
        for file in FILES {
            absent(fs::remove_file(placed.join(file)).await).map_err(AppError::io)?;
        }
    }
    for id in left {
        vllm.unload(id).await?;
        let placed = vllm.config.adapters_dir.join(id.to_string());
        // Not empty where it was placed again meanwhile: then it stays.
        if let Err(error) = fs::remove_dir(&placed).await {
            tracing::info!(error = %error, "an adapter's directory stays");
        }
    }
    Ok(())
}

/// Whether somebody died while placing it.
async fn is_left_over(entry: &DirEntry) -> io::Result<bool> {
    if !entry.file_name().as_encoded_bytes().starts_with(b".") {
        return Ok(false);
    }
    match entry.metadata().await {
        Ok(metadata) => Ok(metadata.modified()?.elapsed().unwrap_or_default() > PLACED_WITHIN),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn remove(directory: &Path) -> io::Result<()> {
    absent(fs::remove_dir_all(directory).await)
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_base_is_known_by_hub_id_or_directory() {
        assert!(is_same("acme/tiny", "acme/tiny"));
        assert!(!is_same("acme/tiny", "other/tiny"));
        assert!(is_same("acme/tiny", "/srv/models/tiny/"));
        assert!(is_same("/srv/models/tiny", "tiny"));
        assert!(!is_same("/srv/models/tiny", "/srv/models/large"));
    }
}
