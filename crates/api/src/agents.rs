//! What agents need beyond one SQL statement.

use crate::{documents, error::AppResult, state::App};
use cerebros_common::ids::AgentId;
use cerebros_db::{self as db, Scope};

/// Deletes an agent, its documents and examples, and then the documents' files.
pub async fn delete(app: &App, scope: &Scope, id: AgentId, version: Option<i64>) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    db::agents::require(&write, id).await?;
    let blob_keys = db::documents::blob_keys_of_agent(&write, id).await?;
    db::agents::delete(&mut write, id, version).await?;
    write.commit().await?;
    for blob_key in &blob_keys {
        documents::remove_file(app, blob_key).await;
    }
    Ok(())
}
