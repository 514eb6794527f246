//! Notes the last use of sessions and keys beside the request, each at most once at a time.

use crate::state::App;
use cerebros_common::ids::{ApiKeyId, SessionId};
use cerebros_db::{DbError, api_keys, sessions};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Used {
    Session(SessionId),
    Key(ApiKeyId),
}

/// What is being noted now.
#[derive(Default)]
pub struct Uses(Mutex<HashSet<Used>>);

impl Uses {
    fn underway(&self) -> MutexGuard<'_, HashSet<Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does not wait for the database.
pub fn note(app: Arc<App>, used: Used, address: String) {
    if !app.uses.underway().insert(used) {
        return;
    }
    tokio::spawn(async move {
        if let Err(error) = write(&app, used, &address).await {
            tracing::warn!(error = ?error, "a last use could not be noted");
        }
        app.uses.underway().remove(&used);
    });
}

async fn write(app: &App, used: Used, address: &str) -> Result<(), DbError> {
    match used {
        Used::Session(id) => sessions::note_use_unscoped(&app.db, id, address).await,
        Used::Key(id) => api_keys::note_use_unscoped(&app.db, id).await,
    }
}
