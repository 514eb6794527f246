//! Password and address of an account.

use crate::{
    accounts, auth,
    error::{AppError, AppResult},
    extract::{Body, SignedIn},
    limits,
    links::{self, Link},
    respond,
    state::App,
};
use actix_web::{HttpRequest, delete, post, web};
use cerebros_common::{
    accounts::{EmailChange, LinkToken, NewEmailChange, PasswordChange, Session},
    errors::ErrorCode,
    wire::Envelope,
};
use cerebros_db::{
    email_changes::{self, Side},
    sessions, users,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(change_password)
        .service(create_email_change)
        .service(delete_email_change)
        .service(redeem_email_change);
}

/// Change your password
///
/// Ends all other sessions and gives this one a new cookie.
#[utoipa::path(
    tag = "account",
    request_body = PasswordChange,
    responses((status = 200, description = "Changed", body = Envelope<Session>)),
)]
#[post("/account/password")]
async fn change_password(
    app: web::Data<App>,
    request: HttpRequest,
    signed_in: SignedIn,
    body: Body<PasswordChange>,
) -> AppResult {
    let PasswordChange {
        current_password,
        new_password,
    } = body.0;
    let user_id = signed_in.user.id;
    accounts::check_password(&app, &request, user_id, "current_password", current_password).await?;
    let password_hash = app.hasher.hash(new_password).await?;
    let mut write = accounts::write(&app, user_id).await?;
    users::set_password_unscoped(&mut write, user_id, &password_hash).await?;
    sessions::delete_all_unscoped(&mut write, user_id, None).await?;
    let cookie = accounts::begin_session(&app, &mut write, &request, user_id).await?;
    write.commit().await?;
    let session = accounts::session_of(&app, signed_in.user).await?;
    accounts::with_cookie(respond::ok(session), &cookie)
}

/// Change your address
///
/// Sends a link to the old and to the new address; the change takes effect when both were followed.
#[utoipa::path(
    tag = "account",
    request_body = NewEmailChange,
    responses((status = 201, description = "Two mails are on their way", body = Envelope<EmailChange>)),
)]
#[post("/account/email")]
async fn create_email_change(
    app: web::Data<App>,
    request: HttpRequest,
    signed_in: SignedIn,
    body: Body<NewEmailChange>,
) -> AppResult {
    links::mailer(&app)?;
    let NewEmailChange { email, password } = body.0;
    let email = accounts::check_email(&email)?;
    let user_id = signed_in.user.id;
    accounts::check_password(&app, &request, user_id, "password", password).await?;
    for address in [signed_in.user.email.as_str(), email] {
        limits::mail(&app, &request, address).await?;
    }
    if users::has_email_unscoped(&app.db, email).await? {
        return Err(AppError::new(ErrorCode::EmailTaken, "Choose another address."));
    }
    let mut write = accounts::write(&app, user_id).await?;
    let change = email_changes::replace_unscoped(&mut write, user_id, email).await?;
    for side in [Side::Old, Side::New] {
        links::enqueue_link(&write, user_id, Link::ChangeEmail(side)).await?;
    }
    write.commit().await?;
    Ok(respond::created("/api/v1/account".to_owned(), change))
}

/// Keep your address
///
/// Gives up the change that is under way.
#[utoipa::path(tag = "account", responses((status = 204, description = "Its links do not work any more")))]
#[delete("/account/email")]
async fn delete_email_change(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let mut write = accounts::write(&app, signed_in.user.id).await?;
    email_changes::give_up_unscoped(&mut write, signed_in.user.id).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Agree to a change of an address by a link
///
/// With the second link the change takes effect; all sessions end but the one that asks.
#[utoipa::path(
    tag = "auth",
    request_body = LinkToken,
    responses((status = 200, description = "What is confirmed by now", body = Envelope<EmailChange>)),
)]
#[post("/auth/email-change/redeem")]
async fn redeem_email_change(
    app: web::Data<App>,
    request: HttpRequest,
    signed_in: Option<SignedIn>,
    body: Body<LinkToken>,
) -> AppResult {
    let token_hash = auth::digest(&body.token);
    let found = email_changes::find_token_unscoped(&app.db, &token_hash).await?;
    let (user_id, side) = found.ok_or_else(links::invalid)?;
    let mut write = accounts::write(&app, user_id).await?;
    let redeemed = email_changes::redeem_unscoped(&mut write, user_id, side, &token_hash).await?;
    let change = redeemed.ok_or_else(links::invalid)?;
    let mut cookie = None;
    if change.old_confirmed && change.new_confirmed {
        sessions::delete_all_unscoped(&mut write, user_id, None).await?;
        if signed_in.is_some_and(|signed_in| signed_in.user.id == user_id) {
            cookie = Some(accounts::begin_session(&app, &mut write, &request, user_id).await?);
        }
    }
    write.commit().await?;
    let response = respond::ok(change);
    match cookie {
        Some(cookie) => accounts::with_cookie(response, &cookie),
        None => Ok(response),
    }
}
