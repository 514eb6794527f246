//! Who belongs to a workspace.

use crate::{
    error::AppResult,
    extract::{Admin, Body, Id, IfMatch, IfMatchHeader, Leaver, Owner, Query, Viewer},
    respond,
    state::App,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    ids::UserId,
    wire::{Envelope, Page, PageQuery, Paging},
    workspaces::{Member, MemberPatch},
};
use cerebros_db::members;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_members)
        .service(update_member)
        .service(delete_member)
        .service(make_owner);
}

/// List members
#[utoipa::path(
    tag = "members",
    params(PageQuery),
    responses((status = 200, description = "A page of members", body = Envelope<Page<Member>>)),
)]
#[get("/members")]
async fn list_members(app: web::Data<App>, Viewer(scope): Viewer, query: Query<PageQuery>) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(members::list(&scope, &app.db, paging).await?))
}

/// Change a member's role
///
/// An admin decides about roles below admin, the owner about all others. Nobody changes their own.
#[utoipa::path(
    tag = "members",
    params(("id" = UserId, Path, description = "The member's `user_id`"), IfMatchHeader),
    request_body = MemberPatch,
    responses((status = 200, description = "The member as they are now", body = Envelope<Member>)),
)]
#[patch("/members/{id}")]
async fn update_member(
    app: web::Data<App>,
    Admin(scope): Admin,
    id: Id<UserId>,
    version: IfMatch,
    body: Body<MemberPatch>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let member = members::update(&mut write, id.0, version.0, body.role).await?;
    write.commit().await?;
    let version = member.version;
    Ok(respond::ok_versioned(member, version))
}

/// Remove a member, or leave
///
/// With your own id you leave, whatever your role; the owner stays. The API keys that the member made here are revoked.
#[utoipa::path(
    tag = "members",
    params(("id" = UserId, Path, description = "The member's `user_id`"), IfMatchHeader),
    responses((status = 204, description = "They are no member any more")),
)]
#[delete("/members/{id}")]
async fn delete_member(app: web::Data<App>, Leaver(scope): Leaver, id: Id<UserId>, version: IfMatch) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    members::delete(&mut write, id.0, version.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Hand the workspace over
///
/// The member becomes the owner, and you become an admin.
#[utoipa::path(
    tag = "members",
    params(("id" = UserId, Path, description = "The member's `user_id`")),
    responses((status = 200, description = "The new owner", body = Envelope<Member>)),
)]
#[post("/members/{id}/make-owner")]
async fn make_owner(app: web::Data<App>, Owner(scope): Owner, id: Id<UserId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let member = members::make_owner(&mut write, id.0).await?;
    write.commit().await?;
    let version = member.version;
    Ok(respond::ok_versioned(member, version))
}
