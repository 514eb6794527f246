//! Links by mail. They are followed by `POST`, so that a mail scanner's `GET` does not use them up.

use crate::{
    accounts,
    auth::digest,
    error::AppResult,
    extract::{Body, SignedIn},
    limits,
    links::{self, Link},
    respond,
    state::App,
};
use actix_web::{HttpRequest, post, web};
use cerebros_common::{
    accounts::{LinkRequest, LinkToken, PasswordReset, Session},
    ids::UserId,
    wire::Envelope,
};
use cerebros_db::{
    Write,
    link_tokens::{self, Purpose},
    sessions, users,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(request_magic_link)
        .service(redeem_magic_link)
        .service(request_password_reset)
        .service(redeem_password_reset)
        .service(request_verification)
        .service(redeem_verification);
}

/// Ask for a link to sign in
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(
    tag = "auth",
    request_body = LinkRequest,
    responses((status = 204, description = "A mail is on its way if the address has an account")),
)]
#[post("/auth/magic-link")]
async fn request_magic_link(app: web::Data<App>, request: HttpRequest, body: Body<LinkRequest>) -> AppResult {
    links::request(&app, &request, &body.email, Link::SignIn).await?;
    Ok(respond::no_content())
}

/// Sign in by a link
///
/// Also confirms the address.
#[utoipa::path(
    tag = "auth",
    request_body = LinkToken,
    responses((status = 200, description = "Signed in", body = Envelope<Session>)),
)]
#[post("/auth/magic-link/redeem")]
async fn redeem_magic_link(app: web::Data<App>, request: HttpRequest, body: Body<LinkToken>) -> AppResult {
    let token_hash = digest(&body.token);
    let found = link_tokens::find_unscoped(&app.db, Purpose::SignIn, &token_hash).await?;
    let user_id = found.ok_or_else(links::invalid)?;
    let mut write = accounts::write(&app, user_id).await?;
    if !link_tokens::redeem_unscoped(&mut write, user_id, &token_hash).await? {
        return Err(links::invalid());
    }
    accounts::tell_of_sign_in(&write, &request, user_id).await?;
    if users::verify_email_unscoped(&mut write, user_id).await? {
        // Whoever signed up without having the address is put out.
        sessions::delete_all_unscoped(&mut write, user_id, None).await?;
    }
    signed_in(&app, write, &request, user_id).await
}

/// Ask for a link to choose a new password
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(
    tag = "auth",
    request_body = LinkRequest,
    responses((status = 204, description = "A mail is on its way if the address has an account")),
)]
#[post("/auth/password-reset")]
async fn request_password_reset(app: web::Data<App>, request: HttpRequest, body: Body<LinkRequest>) -> AppResult {
    links::request(&app, &request, &body.email, Link::ResetPassword).await?;
    Ok(respond::no_content())
}

/// Choose a new password by a link
///
/// Signs in, ends all other sessions, and confirms the address if the link came by mail.
#[utoipa::path(
    tag = "auth",
    request_body = PasswordReset,
    responses((status = 200, description = "Signed in", body = Envelope<Session>)),
)]
#[post("/auth/password-reset/redeem")]
async fn redeem_password_reset(app: web::Data<App>, request: HttpRequest, body: Body<PasswordReset>) -> AppResult {
    let PasswordReset { token, password } = body.0;
    let token_hash = digest(&token);
    let by_mail = link_tokens::find_unscoped(&app.db, Purpose::ResetPassword, &token_hash).await?;
    let found = match by_mail {
        Some(user_id) => Some(user_id),
        None => link_tokens::find_unscoped(&app.db, Purpose::ResetByOperator, &token_hash).await?,
    };
    let user_id = found.ok_or_else(links::invalid)?;
    let password_hash = app.hasher.hash(password).await?;
    let mut write = accounts::write(&app, user_id).await?;
    if !link_tokens::redeem_unscoped(&mut write, user_id, &token_hash).await? {
        return Err(links::invalid());
    }
    users::set_password_unscoped(&mut write, user_id, &password_hash).await?;
    if by_mail.is_some() {
        users::verify_email_unscoped(&mut write, user_id).await?;
    }
    sessions::delete_all_unscoped(&mut write, user_id, None).await?;
    signed_in(&app, write, &request, user_id).await
}

async fn signed_in(app: &App, mut write: Write, request: &HttpRequest, user_id: UserId) -> AppResult {
    let cookie = accounts::begin_session(app, &mut write, request, user_id).await?;
    write.commit().await?;
    let session = accounts::session_of_id(app, user_id).await?;
    accounts::with_cookie(respond::ok(session), &cookie)
}

/// Send the link that confirms your address again
///
/// Does nothing if the address is confirmed.
#[utoipa::path(tag = "auth", responses((status = 204, description = "A mail is on its way")))]
#[post("/auth/verification")]
async fn request_verification(app: web::Data<App>, request: HttpRequest, signed_in: SignedIn) -> AppResult {
    links::mailer(&app)?;
    if !signed_in.user.email_verified {
        limits::mail(&app, &request, &signed_in.user.email).await?;
        let write = app.db.write_unscoped().await?;
        links::enqueue_link(&write, signed_in.user.id, Link::VerifyEmail).await?;
        write.commit().await?;
    }
    Ok(respond::no_content())
}

/// Confirm your address by a link
#[utoipa::path(
    tag = "auth",
    request_body = LinkToken,
    responses((status = 204, description = "The address is confirmed")),
)]
#[post("/auth/verification/redeem")]
async fn redeem_verification(app: web::Data<App>, body: Body<LinkToken>) -> AppResult {
    let token_hash = digest(&body.token);
    let found = link_tokens::find_unscoped(&app.db, Purpose::VerifyEmail, &token_hash).await?;
    let user_id = found.ok_or_else(links::invalid)?;
    let mut write = accounts::write(&app, user_id).await?;
    if !link_tokens::redeem_unscoped(&mut write, user_id, &token_hash).await? {
        return Err(links::invalid());
    }
    users::verify_email_unscoped(&mut write, user_id).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
