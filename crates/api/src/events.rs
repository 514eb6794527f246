//! Replay and live events as one loop: read after the last number, then wait for a signal that carries no data.

use crate::{error::AppError, extract, limits, state::App};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use cerebros_common::events::{Event, EventKind};
use cerebros_db::{Scope, events::Replay};
use chrono::Utc;
use futures_util::Stream;
use std::{collections::VecDeque, time::Duration};
use tokio::sync::watch;
use uuid::Uuid;

const BATCH: u64 = 200;
/// Comments keep proxies from closing a quiet stream, and are when a revoked session is noticed.
const PING_EVERY: Duration = Duration::from_secs(15);

struct Reader {
    app: web::Data<App>,
    request: HttpRequest,
    scope: Scope,
    _place: limits::Stream,
    after: i64,
    changed: watch::Receiver<u64>,
    ready: VecDeque<Bytes>,
}

/// Ends on shutdown, and when who asked may no longer read.
pub fn stream(
    app: web::Data<App>,
    request: HttpRequest,
    scope: Scope,
    place: limits::Stream,
    after: i64,
) -> impl Stream<Item = Result<Bytes, AppError>> {
    let changed = app.db.subscribe();
    let mut ready = VecDeque::new();
    // Headers reach the browser with the first bytes.
    ready.push_back(Bytes::from_static(b": connected\n\n"));
    let reader = Reader {
        app,
        request,
        scope,
        _place: place,
        after,
        changed,
        ready,
    };
    futures_util::stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await.transpose()?;
        Some((bytes, reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, AppError> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            self.changed.mark_unchanged();
            self.read().await?;
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.app.shutdown.cancelled() => return Ok(None),
                changed = self.changed.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                () = tokio::time::sleep(PING_EVERY) => {
                    match extract::authenticate(&self.request).await {
                        Ok(caller) if caller.scope.workspace_id == self.scope.workspace_id => {}
                        _ => return Ok(None),
                    }
                    return Ok(Some(Bytes::from_static(b": ping\n\n")));
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), AppError> {
        match cerebros_db::events::read_after(&self.scope, &self.app.db, self.after, BATCH).await? {
            Replay::Events(events) => {
                for event in events {
                    self.after = event.seq;
                    self.ready.push_back(message(&event)?);
                }
            }
            Replay::Gap { seq } => {
                self.after = seq;
                let reset = Event {
                    seq,
                    at: Utc::now(),
                    kind: EventKind::Reset,
                    id: Uuid::nil(),
                    agent_id: None,
                    metric: None,
                };
                self.ready.push_back(message(&reset)?);
            }
        }
        Ok(())
    }
}

fn message(event: &Event) -> Result<Bytes, AppError> {
    let data = serde_json::to_string(event).map_err(AppError::internal)?;
    Ok(Bytes::from(format!("id: {}\ndata: {data}\n\n", event.seq)))
}
