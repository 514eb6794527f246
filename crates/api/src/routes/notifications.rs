//! What happened and concerns whoever is signed in.

use crate::{
    error::AppResult,
    extract::{Id, Query, SignedIn},
    paging, respond,
    state::App,
};
use actix_web::{get, post, web};
use cerebros_common::{
    ids::NotificationId,
    notifications::{Notification, NotificationQuery, UnreadCount},
    wire::{CursorPage, Envelope},
};
use cerebros_db::notifications;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_notifications)
        .service(count_unread_notifications)
        .service(read_all_notifications)
        .service(read_notification);
}

/// List notifications
///
/// Of all your workspaces. The newest 500 are kept.
#[utoipa::path(
    tag = "notifications",
    params(NotificationQuery),
    responses((status = 200, description = "Newest first", body = Envelope<CursorPage<Notification>>)),
)]
#[get("/notifications")]
async fn list_notifications(app: web::Data<App>, signed_in: SignedIn, query: Query<NotificationQuery>) -> AppResult {
    let before = paging::cursor(query.0.cursor.as_deref())?;
    let only_unread = query.0.unread.unwrap_or(false);
    let limit = paging::limit(query.0.limit);
    let user_id = signed_in.user.id;
    Ok(respond::ok(
        notifications::list_unscoped(&app.db, user_id, only_unread, before, limit).await?,
    ))
}

/// Count unread notifications
#[utoipa::path(
    tag = "notifications",
    responses((status = 200, description = "How many are unread", body = Envelope<UnreadCount>)),
)]
#[get("/notifications/unread")]
async fn count_unread_notifications(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let unread = notifications::count_unread_unscoped(&app.db, signed_in.user.id).await?;
    Ok(respond::ok(UnreadCount { unread }))
}

/// Mark all notifications as read
#[utoipa::path(
    tag = "notifications",
    responses((status = 200, description = "How many are unread now", body = Envelope<UnreadCount>)),
)]
#[post("/notifications/read-all")]
async fn read_all_notifications(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let write = app.db.write_unscoped().await?;
    notifications::read_all_unscoped(&write, signed_in.user.id).await?;
    write.commit().await?;
    let unread = notifications::count_unread_unscoped(&app.db, signed_in.user.id).await?;
    Ok(respond::ok(UnreadCount { unread }))
}

/// Mark a notification as read
#[utoipa::path(
    tag = "notifications",
    params(("id" = NotificationId, Path)),
    responses((status = 200, description = "The notification", body = Envelope<Notification>)),
)]
#[post("/notifications/{id}/read")]
async fn read_notification(app: web::Data<App>, signed_in: SignedIn, id: Id<NotificationId>) -> AppResult {
    let write = app.db.write_unscoped().await?;
    let notification = notifications::read_unscoped(&write, signed_in.user.id, id.0).await?;
    write.commit().await?;
    Ok(respond::ok(notification))
}
