//! What agents need beyond one SQL statement.

use crate::{error::AppResult, state::App};
use cerebros_common::ids::AgentId;
use cerebros_db::{self as db, Scope};

/// Deletes an agent, its documents and examples, and then the documents' files.
pub async fn delete(app: &App, scope: &Scope, id: AgentId, version: Option<i64>) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    let blobs = db::documents::blob_keys_of_agent(&write, id).await?;
    db::agents::delete(&mut write, id, version).await?;
    write.commit().await?;
    for key in blobs {
        crate::documents::remove_blob(app, &key).await;
    }
    Ok(())
}
