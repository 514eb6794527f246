//! Passes wake-ups on: from commits of this process to the queue's workers, and on PostgreSQL from other processes.

use crate::state::App;
use sea_orm::sqlx;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Starts the listener for other processes' commits; on SQLite there are none.
pub async fn start(app: &Arc<App>) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    if app.db.is_sqlite() {
        return Ok(Vec::new());
    }
    let app = app.clone();
    Ok(vec![tokio::spawn(async move {
        while !app.shutdown.is_cancelled() {
            if let Err(error) = listen(&app).await {
                tracing::warn!(error = %error, "lost the connection that hears of other processes' commits");
                // What was missed in between is found by reading again.
                app.db.wake();
                tokio::select! {
                    () = tokio::time::sleep(RECONNECT_AFTER) => {}
                    () = app.shutdown.cancelled() => {}
                }
            }
        }
        Ok(())
    })])
}

async fn listen(app: &App) -> Result<(), sqlx::Error> {
    let mut listener = sqlx::postgres::PgListener::connect(&app.config.database_url).await?;
    listener.listen("cerebros").await?;
    app.db.wake();
    loop {
        tokio::select! {
            heard = listener.recv() => {
                heard?;
                app.db.wake();
            }
            () = app.shutdown.cancelled() => return Ok(()),
        }
    }
}
