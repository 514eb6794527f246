//! Replay and live events as one loop: read after the last number, then wait for a signal that carries no data, and see
//! whether who asked may still read.

use crate::{
    error::AppError,
    extract::{self, Caller},
    limits,
    state::App,
};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use cerebros_common::{
    api_keys::KeyScope,
    events::{Event, EventKind},
    workspaces::Role,
};
use cerebros_db::{
    Actor, Scope,
    events::Replay,
    notifications::{self, Standing},
};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use std::{collections::VecDeque, time::Duration};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

const BATCH: u64 = 200;
/// Comments keep proxies from closing a quiet stream.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Commits come in bursts: one look at the rights and the events answers for all within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

struct Reader {
    app: web::Data<App>,
    request: HttpRequest,
    scope: Scope,
    _place: limits::Stream,
    after: i64,
    changed: watch::Receiver<u64>,
    ready: VecDeque<Bytes>,
    /// When the rights of who asked were looked at.
    looked_at: Instant,
    /// When the session or key ends of itself.
    ends_at: Option<DateTime<Utc>>,
    /// What the person was last told of their notifications.
    told: Standing,
}

/// Ends on shutdown, and when who asked may no longer read.
pub fn stream(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
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
        scope: caller.scope,
        _place: place,
        after,
        changed,
        ready,
        looked_at: Instant::now(),
        ends_at: caller.ends_at,
        told: Standing::default(),
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
                // A slow reader may come back long after the events were read.
                let in_time = self.looked_at.elapsed() < LOOK_EVERY || self.may_read().await;
                return Ok(in_time.then_some(bytes));
            }
            // First this: a wake-up that comes while we look must not be lost.
            self.changed.mark_unchanged();
            if !self.may_read().await {
                return Ok(None);
            }
            self.read().await?;
            if self.ready.is_empty() && !self.wait().await {
                return Ok(None);
            }
        }
    }

    /// Until there may be something to send, or no more; false on shutdown.
    async fn wait(&mut self) -> bool {
        let left = self.ends_at.map(|at| (at - Utc::now()).to_std().unwrap_or_default());
        tokio::select! {
            () = self.app.shutdown.cancelled() => return false,
            changed = self.changed.changed() => {
                if changed.is_err() {
                    return false;
                }
            }
            () = tokio::time::sleep(left.unwrap_or(PING_EVERY).min(PING_EVERY)) => {
                self.ready.push_back(Bytes::from_static(b": ping\n\n"));
            }
        }
        tokio::select! {
            () = self.app.shutdown.cancelled() => false,
            () = tokio::time::sleep_until(self.looked_at + LOOK_EVERY) => true,
        }
    }

    async fn may_read(&mut self) -> bool {
        self.looked_at = Instant::now();
        match extract::look_again(&self.request).await {
            Ok(caller) => {
                self.ends_at = caller.ends_at;
                caller.scope.workspace_id == self.scope.workspace_id
                    && caller.require(Role::Viewer, KeyScope::Read).is_ok()
            }
            Err(_) => false,
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
                let reset = event(EventKind::Reset, seq, Uuid::nil());
                self.ready.push_back(message(&reset)?);
            }
        }
        self.read_notifications().await
    }

    /// Whichever workspace is watched: notifications are the person's.
    async fn read_notifications(&mut self) -> Result<(), AppError> {
        let Actor::User(user_id) = self.scope.actor else {
            return Ok(());
        };
        let standing = notifications::standing_unscoped(&self.app.db, user_id).await?;
        if standing != self.told {
            self.told = standing;
            let newest = standing.newest.map_or(Uuid::nil(), |id| id.0);
            let event = event(EventKind::NotificationsChanged, self.after, newest);
            let data = serde_json::to_string(&event).map_err(AppError::internal)?;
            // Without an id of its own: a reader that comes back goes on after the last event of the workspace.
            self.ready.push_back(Bytes::from(format!("data: {data}\n\n")));
        }
        Ok(())
    }
}

fn event(kind: EventKind, seq: i64, id: Uuid) -> Event {
    Event {
        seq,
        at: Utc::now(),
        kind,
        id,
        agent_id: None,
        metric: None,
    }
}

fn message(event: &Event) -> Result<Bytes, AppError> {
    let data = serde_json::to_string(event).map_err(AppError::internal)?;
    Ok(Bytes::from(format!("id: {}\ndata: {data}\n\n", event.seq)))
}
