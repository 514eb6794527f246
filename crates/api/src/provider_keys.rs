//! The workspace's keys for other people's services, as they are stored.

use crate::{
    error::AppResult,
    keys::Keys,
    seal::{open, seal},
    state::App,
};
use cerebros_common::{ids::WorkspaceId, provider_keys::Provider};
use cerebros_db::{self as db, Scope, seal::Sealed};

/// Encrypts a key so that it opens for this workspace and provider alone.
pub fn close(keys: &Keys, workspace_id: WorkspaceId, provider: Provider, secret: &str) -> AppResult<Sealed> {
    seal(keys, &place(workspace_id, provider), secret)
}

/// The workspace's own key for a provider, if it has one.
pub async fn find(app: &App, scope: &Scope, provider: Provider) -> AppResult<Option<String>> {
    let sealed = db::provider_keys::find_sealed(scope, &app.db, provider).await?;
    let opened = sealed.map(|sealed| open(&app.keys, &place(scope.workspace_id, provider), &sealed));
    opened.transpose()
}

pub fn place(workspace_id: WorkspaceId, provider: Provider) -> String {
    format!("provider key {workspace_id} {provider:?}")
}
