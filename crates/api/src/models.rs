//! What the names of models on OpenAI's wire stand for, what models come from, and their deletion.

pub mod card;

use crate::{
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    errors::ErrorCode,
    ids::{AgentId, BaseId, JobId, ModelId},
    models::Lineage,
    wire::Paging,
};
use cerebros_db::{self as db, DbError, Scope};
use std::fmt::Display;

const MAX_LABEL_CHARS: usize = 40;
const CHECKPOINT: &str = "ckpt-step-";

pub enum Named {
    /// What an agent serves.
    Agent(AgentId),
    Base(BaseId),
    Model(ModelId),
    /// What a job had come to at a step.
    Checkpoint(JobId, u64),
}

/// `agent:<id>`, `base:<id>`, `ft:<base>:<label>:<id>`, the same with `:ckpt-step-<step>`, or a model's bare id. Base and label
/// are for people and do not count.
pub fn named(name: &str) -> Option<Named> {
    if let Some(id) = name.strip_prefix("agent:") {
        return id.parse().ok().map(Named::Agent);
    }
    if let Some(id) = name.strip_prefix("base:") {
        return id.parse().ok().map(Named::Base);
    }
    let id = match name.strip_prefix("ft:") {
        Some(rest) => match rest.split(':').collect::<Vec<_>>()[..] {
            [_, _, id] => id,
            [_, _, id, checkpoint] => {
                let step = checkpoint.strip_prefix(CHECKPOINT)?.parse().ok()?;
                return Some(Named::Checkpoint(id.parse().ok()?, step));
            }
            _ => return None,
        },
        None => name,
    };
    id.parse().ok().map(Named::Model)
}

/// The name of a trained model; `label` is the suffix that was asked for, or the workspace's name.
pub fn name(base: &str, label: &str, id: impl Display) -> String {
    let base = base.rsplit('/').next().unwrap_or(base);
    format!("ft:{}:{}:{id}", plain(base), plain(label))
}

/// Of the checkpoint that a model's job had come to at a step.
pub fn checkpoint_name(model: &str, step: u64) -> String {
    format!("{model}:{CHECKPOINT}{step}")
}

pub fn base_name(id: impl Display) -> String {
    format!("base:{id}")
}

/// Letters and digits of ASCII, dots and hyphens.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            plain.push(c.to_ascii_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('-') {
            plain.push('-');
        }
    }
    let plain: String = plain.chars().take(MAX_LABEL_CHARS).collect();
    match plain.trim_end_matches('-') {
        "" => "model".to_owned(),
        plain => plain.to_owned(),
    }
}

/// Says that a request's `model` does not exist.
pub fn unknown(name: &str) -> AppError {
    no_model(format!(
        "The model `{name}` does not exist in this workspace. `GET /v1/models` lists all."
    ))
}

pub fn no_model(message: String) -> AppError {
    AppError::new(ErrorCode::NotFound, message).about("model", "model_not_found")
}

/// What says that a checkpoint's adapter is not kept, about a request's `model`.
pub fn no_checkpoint(error: AppError) -> AppError {
    error.about("model", "model_not_found")
}

/// What is not found is a model that does not exist.
pub fn not_found(name: &str) -> impl Fn(DbError) -> AppError + '_ {
    move |error| match error {
        DbError::NotFound(_) => unknown(name),
        other => other.into(),
    }
}

/// Gathers what a model comes from, and what came of it.
pub async fn lineage(app: &App, scope: &Scope, id: ModelId) -> AppResult<Lineage> {
    let model = db::models::find(scope, &app.db, id).await?.model;
    let job = db::jobs::find(scope, &app.db, model.job_id).await?;
    let validation_dataset = match job.validation_dataset_id {
        Some(id) => present(db::datasets::find(scope, &app.db, id).await)?,
        None => None,
    };
    let mut agents = Vec::new();
    for id in db::models::served_by(scope, &app.db, id).await? {
        agents.extend(present(db::agents::find(scope, &app.db, id).await)?);
    }
    let exports = db::model_exports::list(scope, &app.db, id, Paging::new(None, None)).await?;
    Ok(Lineage {
        dataset: present(db::datasets::find(scope, &app.db, model.dataset_id).await)?,
        validation_dataset,
        base: db::bases::find(scope, &app.db, model.base_id).await?,
        earlier: db::models::earlier(scope, &app.db, job.id).await?,
        later: db::models::later(scope, &app.db, job.id).await?,
        job,
        model,
        agents,
        exports: exports.items,
    })
}

fn present<T>(found: Result<T, DbError>) -> Result<Option<T>, DbError> {
    match found {
        Err(DbError::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// Deletes a model that no agent serves, its adapter and its exports.
pub async fn delete(app: &App, scope: &Scope, id: ModelId) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    let blob_keys = db::models::delete(&mut write, id).await?;
    write.commit().await?;
    for key in &blob_keys {
        app.storage.remove(key).await.map_err(AppError::io)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Named, checkpoint_name, name, named};

    #[test]
    fn a_name_leads_back_to_its_model() {
        let id = "01900000-0000-7000-8000-000000000000";
        let made = name("acme/Tiny 1.5", "Ada's  team: Größe!", id);
        assert_eq!(made, format!("ft:tiny-1.5:ada-s-team-gr-e:{id}"));
        assert!(matches!(named(&made), Some(Named::Model(found)) if found.to_string() == id));
        assert!(matches!(named(id), Some(Named::Model(_))));
        let checkpoint = checkpoint_name(&made, 20);
        assert!(matches!(named(&checkpoint), Some(Named::Checkpoint(found, 20)) if found.to_string() == id));
        assert!(named(&format!("{made}:ckpt-step-x")).is_none());
        assert!(named(&format!("{made}:20")).is_none());
        assert!(named("gpt-4").is_none());
        assert_eq!(name("::", "", 7), "ft:model:model:7");
    }
}
