//! The account of whoever is signed in: profile, picture, what to be told of.

use crate::{
    avatars,
    error::AppResult,
    extract::{self, Body, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, SignedIn},
    limits, respond,
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, patch, put, web};
use cerebros_common::{
    accounts::{AvatarQuery, Profile, ProfilePatch},
    ids::UserId,
    notifications::{NotificationPreference, NotificationPreferencesPatch},
    wire::Envelope,
};
use cerebros_db::{Scope, notifications, users, workspaces};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(find_account)
        .service(update_account)
        .service(put_avatar)
        .service(delete_avatar)
        .service(find_avatar)
        .service(list_notification_preferences)
        .service(update_notification_preferences);
}

/// Find your account
#[utoipa::path(
    tag = "account",
    params(IfNoneMatchHeader),
    responses((status = 200, description = "Your profile; `ETag` holds its version", body = Envelope<Profile>)),
)]
#[get("/account")]
async fn find_account(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    Ok(shown(users::find_profile_unscoped(&app.db, signed_in.user.id).await?))
}

/// Change your profile
#[utoipa::path(
    tag = "account",
    params(IfMatchHeader),
    request_body = ProfilePatch,
    responses((status = 200, description = "Your profile as it is now", body = Envelope<Profile>)),
)]
#[patch("/account")]
async fn update_account(
    app: web::Data<App>,
    signed_in: SignedIn,
    version: IfMatch,
    body: Body<ProfilePatch>,
) -> AppResult {
    let scope = workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    let mut write = app.db.write(&scope).await?;
    let profile = users::update(&mut write, version.0, &body).await?;
    write.commit().await?;
    Ok(shown(profile))
}

/// Set your picture
///
/// A PNG, JPEG, WebP or GIF image of at most 2 MiB. Its middle is kept as a square of 256 pixels, without metadata.
#[utoipa::path(
    tag = "account",
    request_body(
        content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
            (Vec<u8> = "image/gif"),
        ),
        description = "The file's bytes; its kind is told by them",
    ),
    responses((status = 200, description = "Your profile as it is now", body = Envelope<Profile>)),
)]
#[put("/account/avatar")]
async fn put_avatar(
    app: web::Data<App>,
    request: HttpRequest,
    signed_in: SignedIn,
    payload: web::Payload,
) -> AppResult {
    let scope = workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    limits::upload(&request, &scope)?;
    let bytes = extract::read_image(&request, payload.into_inner(), avatars::MAX_BYTES).await?;
    let png = avatars::render(&app, bytes).await?;
    set_avatar(&app, &scope, Some(&png)).await
}

/// Remove your picture
#[utoipa::path(
    tag = "account",
    responses((status = 200, description = "Your profile as it is now", body = Envelope<Profile>)),
)]
#[delete("/account/avatar")]
async fn delete_avatar(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let scope = workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    set_avatar(&app, &scope, None).await
}

/// Find somebody's picture
///
/// Your own, and those of people with whom you share a workspace.
#[utoipa::path(
    tag = "account",
    params(("id" = UserId, Path), AvatarQuery),
    responses(
        (status = 200, description = "A square picture", body = Vec<u8>, content_type = "image/png"),
        (status = 304, description = "`If-None-Match` names this picture"),
    ),
)]
#[get("/users/{id}/avatar")]
async fn find_avatar(app: web::Data<App>, signed_in: SignedIn, id: Id<UserId>, _: Query<AvatarQuery>) -> AppResult {
    let avatar = cerebros_db::avatars::find_unscoped(&app.db, signed_in.user.id, id.0).await?;
    Ok(HttpResponse::Ok()
        .content_type("image/png")
        .insert_header((header::ETAG, format!("\"{}\"", avatar.updated_at.timestamp_millis())))
        // The address changes with the picture, so it need not be asked for again soon.
        .insert_header((header::CACHE_CONTROL, "private, max-age=86400"))
        .body(avatar.png))
}

/// List what you are told of
#[utoipa::path(
    tag = "account",
    responses((
        status = 200,
        description = "Every kind of notification",
        body = Envelope<Vec<NotificationPreference>>,
    )),
)]
#[get("/account/notification-preferences")]
async fn list_notification_preferences(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    Ok(respond::ok(
        notifications::preferences_unscoped(&app.db, signed_in.user.id).await?,
    ))
}

/// Choose what you are told of
///
/// What concerns the safety of your account stays on.
#[utoipa::path(
    tag = "account",
    request_body = NotificationPreferencesPatch,
    responses((
        status = 200,
        description = "Every kind of notification, as it is now",
        body = Envelope<Vec<NotificationPreference>>,
    )),
)]
#[patch("/account/notification-preferences")]
async fn update_notification_preferences(
    app: web::Data<App>,
    signed_in: SignedIn,
    body: Body<NotificationPreferencesPatch>,
) -> AppResult {
    let user_id = signed_in.user.id;
    let scope = workspaces::personal_scope_unscoped(&app.db, user_id).await?;
    let mut write = app.db.write(&scope).await?;
    notifications::set_preferences(&mut write, user_id, &body).await?;
    write.commit().await?;
    Ok(respond::ok(
        notifications::preferences_unscoped(&app.db, user_id).await?,
    ))
}

async fn set_avatar(app: &App, scope: &Scope, png: Option<&[u8]>) -> AppResult {
    let mut write = app.db.write(scope).await?;
    let profile = users::set_avatar(&mut write, png).await?;
    write.commit().await?;
    Ok(shown(profile))
}

fn shown(profile: Profile) -> HttpResponse {
    let version = profile.version;
    respond::ok_versioned(profile, version)
}
