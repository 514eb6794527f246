//! Asking somebody to join a workspace.

use crate::{
    accounts, auth,
    error::{AppError, AppResult},
    extract::{Admin, Body, Id, Query, SignedIn},
    invitations, respond,
    state::App,
};
use actix_web::{HttpRequest, delete, get, post, web};
use cerebros_common::{
    accounts::LinkToken,
    errors::ErrorCode,
    ids::InvitationId,
    wire::{Envelope, Page, PageQuery, Paging},
    workspaces::{Invitation, InvitationView, NewInvitation, SentInvitation, Workspace},
};
use cerebros_db::{self as db, Actor, Scope, Write};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_invitations)
        .service(create_invitation)
        .service(look_at_invitation)
        .service(accept_invitation)
        .service(delete_invitation)
        .service(resend_invitation);
}

/// List invitations
///
/// Those that nobody has accepted yet.
#[utoipa::path(
    tag = "invitations",
    params(PageQuery),
    responses((status = 200, description = "A page of invitations, newest first", body = Envelope<Page<Invitation>>)),
)]
#[get("/invitations")]
async fn list_invitations(app: web::Data<App>, Admin(scope): Admin, query: Query<PageQuery>) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(db::invitations::list(&scope, &app.db, paging).await?))
}

/// Invite somebody
///
/// It is good for seven days and for the account with this address alone. An admin invites to roles below admin, the owner to
/// all but owner. At most 100 may wait at once.
#[utoipa::path(
    tag = "invitations",
    request_body = NewInvitation,
    responses((status = 201, description = "The invitation", body = Envelope<SentInvitation>)),
)]
#[post("/invitations")]
async fn create_invitation(
    app: web::Data<App>,
    request: HttpRequest,
    Admin(scope): Admin,
    body: Body<NewInvitation>,
) -> AppResult {
    accounts::check_email(&body.email)?;
    let store = async |write: &mut Write, hash: Option<&str>| db::invitations::insert(write, &body, hash).await;
    let sent = invitations::dispatch(&app, &request, &scope, &body.email, store).await?;
    let location = format!("/api/v1/invitations/{}", sent.invitation.id);
    Ok(respond::created(location, sent))
}

/// Look at an invitation
///
/// Takes the part of the link after `#token=`.
#[utoipa::path(
    tag = "invitations",
    request_body = LinkToken,
    responses((status = 200, description = "What it leads to", body = Envelope<InvitationView>)),
)]
#[post("/invitations/look")]
async fn look_at_invitation(app: web::Data<App>, body: Body<LinkToken>) -> AppResult {
    let found = db::invitations::look_unscoped(&app.db, &auth::digest(&body.token)).await?;
    let (_, view) = found.ok_or_else(broken_link)?;
    Ok(respond::ok(view))
}

/// Accept an invitation
///
/// Sign in with the address that was invited. It works once.
#[utoipa::path(
    tag = "invitations",
    request_body = LinkToken,
    responses((status = 200, description = "The workspace that you joined", body = Envelope<Workspace>)),
)]
#[post("/invitations/accept")]
async fn accept_invitation(app: web::Data<App>, signed_in: SignedIn, body: Body<LinkToken>) -> AppResult {
    let token_hash = auth::digest(&body.token);
    let found = db::invitations::look_unscoped(&app.db, &token_hash).await?;
    let (workspace_id, view) = found.ok_or_else(broken_link)?;
    if view.email.to_lowercase() != signed_in.user.email.to_lowercase() {
        let detail = "This invitation is for another address. Sign in with the account that has it.";
        return Err(AppError::new(ErrorCode::Forbidden, detail));
    }
    let scope = Scope {
        workspace_id,
        actor: Actor::User(signed_in.user.id),
    };
    let mut write = app.db.write(&scope).await?;
    if !db::invitations::accept(&mut write, &token_hash).await? {
        return Err(broken_link());
    }
    write.commit().await?;
    Ok(respond::ok(db::workspaces::find(&scope, &app.db).await?))
}

/// Take an invitation back
#[utoipa::path(
    tag = "invitations",
    params(("id" = InvitationId, Path)),
    responses((status = 204, description = "Its link does not work any more")),
)]
#[delete("/invitations/{id}")]
async fn delete_invitation(app: web::Data<App>, Admin(scope): Admin, id: Id<InvitationId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::invitations::delete(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Send an invitation again
///
/// With a fresh link, good for seven days; the one before stops working.
#[utoipa::path(
    tag = "invitations",
    params(("id" = InvitationId, Path)),
    responses((status = 200, description = "The invitation", body = Envelope<SentInvitation>)),
)]
#[post("/invitations/{id}/resend")]
async fn resend_invitation(
    app: web::Data<App>,
    request: HttpRequest,
    Admin(scope): Admin,
    id: Id<InvitationId>,
) -> AppResult {
    let email = db::invitations::find(&scope, &app.db, id.0).await?.email;
    let store = async |write: &mut Write, hash: Option<&str>| db::invitations::renew(write, id.0, hash).await;
    Ok(respond::ok(
        invitations::dispatch(&app, &request, &scope, &email, store).await?,
    ))
}

fn broken_link() -> AppError {
    let detail = "It was used, taken back, or is older than seven days. Ask for a new invitation.";
    AppError::new(ErrorCode::InvalidLink, detail)
}
