//! Signing up, in and out.

use crate::{
    accounts,
    error::{AppError, AppResult},
    extract::{Body, SignedIn},
    limits,
    links::{self, Link},
    respond,
    state::App,
};
use actix_web::{HttpRequest, get, post, web};
use cerebros_common::{
    accounts::{Session, SignIn, SignUp},
    errors::ErrorCode,
    wire::Envelope,
};
use cerebros_db::{DbError, sessions, users};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(sign_up)
        .service(sign_in)
        .service(sign_out)
        .service(find_session);
}

/// Create an account
///
/// Also signs in: the answer sets the session cookie. The account gets a personal workspace.
#[utoipa::path(
    tag = "auth",
    request_body = SignUp,
    responses((status = 201, description = "Signed up and in", body = Envelope<Session>)),
)]
#[post("/auth/sign-up")]
async fn sign_up(app: web::Data<App>, request: HttpRequest, body: Body<SignUp>) -> AppResult {
    let new = body.0;
    let email = accounts::check_email(&new.email)?;
    let attempt = limits::sign_in(&app, &request, email).await?;
    let password_hash = app.hasher.hash(new.password).await?;
    let mut write = app.db.write_unscoped().await?;
    let name = new.name.trim();
    let Some((user, workspace_id)) = users::insert_unscoped(&mut write, email, name, &password_hash).await? else {
        let detail = "Sign in instead, or use another address.";
        return Err(AppError::new(ErrorCode::EmailTaken, detail));
    };
    crate::bases::insert_built_in(&app, &mut write, workspace_id).await?;
    let cookie = accounts::begin_session(&app, &mut write, &request, user.id).await?;
    if app.mailer.is_some() {
        links::enqueue_link(&write, user.id, Link::VerifyEmail).await?;
    }
    write.commit().await?;
    attempt.forgive(&app).await?;
    let session = accounts::session_of(&app, user).await?;
    let response = respond::created("/api/v1/auth/session".to_owned(), session);
    accounts::with_cookie(response, &cookie)
}

/// Sign in
#[utoipa::path(
    tag = "auth",
    request_body = SignIn,
    responses((status = 200, description = "Signed in", body = Envelope<Session>)),
)]
#[post("/auth/sign-in")]
async fn sign_in(app: web::Data<App>, request: HttpRequest, body: Body<SignIn>) -> AppResult {
    let SignIn { email, password } = body.0;
    let attempt = limits::sign_in(&app, &request, &email).await?;
    let found = users::find_credentials_unscoped(&app.db, email.trim()).await?;
    let hash = found.as_ref().map(|credentials| credentials.password_hash.clone());
    let right = app.hasher.verify(password, hash).await;
    if !matches!(right, Ok(false)) {
        attempt.forgive(&app).await?;
    }
    let right = right?;
    let Some(credentials) = found.filter(|_| right) else {
        return Err(AppError::new(ErrorCode::WrongCredentials, "Check both and try again."));
    };
    let mut write = accounts::write(&app, credentials.user.id).await?;
    accounts::tell_of_sign_in(&write, &request, credentials.user.id).await?;
    let cookie = accounts::begin_session(&app, &mut write, &request, credentials.user.id).await?;
    write.commit().await?;
    let response = respond::ok(accounts::session_of(&app, credentials.user).await?);
    accounts::with_cookie(response, &cookie)
}

/// Sign out
///
/// Ends this session everywhere it is used.
#[utoipa::path(tag = "auth", responses((status = 204, description = "Signed out")))]
#[post("/auth/sign-out")]
async fn sign_out(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let user_id = signed_in.user.id;
    let mut write = accounts::write(&app, user_id).await?;
    match sessions::delete_unscoped(&mut write, user_id, signed_in.session_id).await {
        Ok(()) => write.commit().await?,
        // Ended elsewhere in the meantime.
        Err(DbError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    accounts::with_cookie(respond::no_content(), &accounts::no_cookie())
}

/// Who is signed in
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The person and their workspaces", body = Envelope<Session>)),
)]
#[get("/auth/session")]
async fn find_session(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    Ok(respond::ok(accounts::session_of(&app, signed_in.user).await?))
}
