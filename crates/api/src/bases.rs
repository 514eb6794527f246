//! Bases: the built-in one, directories that the operator allows, and models fetched from the hub.

mod hub;

pub use hub::{bury, check_hub_id, enqueue_fetch, fetch};

use crate::{
    config::Config,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{bases::BaseSource, ids::WorkspaceId};
use cerebros_db::{
    Write,
    bases::{BaseFacts, LocatedBase},
};
use cerebros_trainer::{BaseInfo, base::TINY_BASE_NAME};
use std::path::{Path, PathBuf};

/// Writes the built-in base into the data directory, or finds it there.
///
/// # Errors
/// When the directory cannot be written.
pub fn write_built_in(config: &Config) -> anyhow::Result<BaseFacts> {
    let info = cerebros_trainer::write_tiny_base(&built_in_directory(config))?;
    Ok(facts(&info))
}

/// Gives a new workspace its built-in base.
pub async fn insert_built_in(app: &App, write: &mut Write, workspace_id: WorkspaceId) -> AppResult<()> {
    cerebros_db::bases::insert_built_in_unscoped(write, workspace_id, TINY_BASE_NAME, &app.built_in).await?;
    Ok(())
}

/// Where a base's files are on this machine.
pub fn directory(config: &Config, base: &LocatedBase) -> PathBuf {
    match base.base.source {
        BaseSource::BuiltIn => built_in_directory(config),
        BaseSource::Directory => PathBuf::from(&base.location),
        BaseSource::Hub => config.data_dir.join("bases/hub").join(base.location.replace('/', "--")),
    }
}

/// Looks into a directory that a person named.
///
/// # Errors
/// 400 on `directory`: not allowed here, or not a model, with what to do.
pub async fn inspect_directory(config: &Config, directory: &str) -> AppResult<(PathBuf, BaseInfo)> {
    let refused = |message: String| AppError::field("directory", "not_a_base", message);
    let path = Path::new(directory);
    if !path.is_absolute() {
        return Err(refused("must be an absolute path on the server".to_owned()));
    }
    let allowed = config.base_dirs.clone();
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let outside = || refused("lies outside the directories that the operator allows (BASE_DIRS)".to_owned());
        let Ok(real) = path.canonicalize() else {
            // Which paths exist is told only below the allowed directories.
            return Err(if allowed.iter().any(|root| path.starts_with(root)) {
                refused(format!("names {}, which does not exist on the server", path.display()))
            } else {
                outside()
            });
        };
        if !allowed.iter().any(|root| real.starts_with(root)) {
            return Err(outside());
        }
        let info = cerebros_trainer::inspect_base(&real).map_err(|error| refused(format!("is not a base: {error}")))?;
        Ok((real, info))
    })
    .await
    .map_err(AppError::internal)?
}

pub fn facts(info: &BaseInfo) -> BaseFacts {
    BaseFacts {
        architecture: info.architecture.clone(),
        parameters: info.parameters,
        size_bytes: info.size_bytes,
        license: info.license.clone(),
        context_length: info.context_length,
    }
}

fn built_in_directory(config: &Config) -> PathBuf {
    config.data_dir.join("bases").join(TINY_BASE_NAME)
}
