//! The live stream of a workspace.

use crate::{
    error::AppResult,
    events,
    extract::{Caller, Query},
    limits,
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use cerebros_common::{
    api_keys::KeyScope,
    events::{Event, EventQuery},
    workspaces::Role,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(stream_events);
}

/// Stream events
///
/// Server-sent events: `id` is the event's `seq`, `data` an `Event` as JSON. Replays what came after `Last-Event-ID`
/// or `after`, then stays open. An event of kind `reset` says that some have expired: read everything again.
#[utoipa::path(
    tag = "events",
    params(EventQuery),
    responses((status = 200, description = "An endless stream", body = Event, content_type = "text/event-stream")),
)]
#[get("/events")]
async fn stream_events(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
    query: Query<EventQuery>,
) -> AppResult {
    caller.require(Role::Viewer, KeyScope::Read)?;
    let place = limits::Stream::open(&app, &caller.scope)?;
    let last_seen = request
        .headers()
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .or(query.0.after);
    let after = match last_seen {
        Some(seq) => seq,
        None => app.db.event_seq(caller.scope.workspace_id).await?,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // A compressed stream would wait for its buffer to fill.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(events::stream(app.clone(), request, caller, place, after)))
}
