//! Browsers in which somebody is signed in.

use crate::{
    accounts,
    error::AppResult,
    extract::{Id, Query, SignedIn},
    respond,
    state::App,
};
use actix_web::{delete, get, web};
use cerebros_common::{
    accounts::DeviceSession,
    ids::SessionId,
    wire::{Envelope, Page, PageQuery, Paging},
};
use cerebros_db::sessions;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_sessions)
        .service(delete_session)
        .service(delete_other_sessions);
}

/// List your sessions
///
/// Where you are signed in.
#[utoipa::path(
    tag = "sessions",
    params(PageQuery),
    responses((status = 200, description = "A page of sessions, newest first", body = Envelope<Page<DeviceSession>>)),
)]
#[get("/sessions")]
async fn list_sessions(app: web::Data<App>, signed_in: SignedIn, query: Query<PageQuery>) -> AppResult {
    let (paging, idle) = (Paging::of_query(&query.0), app.config.session_idle());
    let mut page = sessions::list_unscoped(&app.db, signed_in.user.id, signed_in.session_id, idle, paging).await?;
    for session in &mut page.items {
        session.device = accounts::device(&session.device);
    }
    Ok(respond::ok(page))
}

/// End one of your sessions
///
/// That browser is signed out within a second.
#[utoipa::path(
    tag = "sessions",
    params(("id" = SessionId, Path)),
    responses((status = 204, description = "It is refused from now on")),
)]
#[delete("/sessions/{id}")]
async fn delete_session(app: web::Data<App>, signed_in: SignedIn, id: Id<SessionId>) -> AppResult {
    let mut write = accounts::write(&app, signed_in.user.id).await?;
    sessions::delete_unscoped(&mut write, signed_in.user.id, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// End all your other sessions
///
/// Only this browser stays signed in.
#[utoipa::path(tag = "sessions", responses((status = 204, description = "They are refused from now on")))]
#[delete("/sessions")]
async fn delete_other_sessions(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let mut write = accounts::write(&app, signed_in.user.id).await?;
    sessions::delete_all_unscoped(&mut write, signed_in.user.id, Some(signed_in.session_id)).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
