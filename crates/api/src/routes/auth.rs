//! Signing up, in and out.

use crate::{
    auth,
    error::{AppError, AppResult},
    extract::{Body, SignedIn},
    limits, respond,
    state::App,
};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time},
    get, post, web,
};
use cerebros_common::{
    accounts::{Session, SignIn, SignUp, User},
    errors::ErrorCode,
    wire::{Envelope, MAX_LIMIT, Paging},
};
use cerebros_db::{sessions, users, workspaces};
use chrono::{Duration, Utc};
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
    let email = new.email.trim().to_owned();
    check_email(&email)?;
    let attempt = limits::sign_in(&app, &request, &email).await?;
    let password_hash = app.hasher.hash(new.password).await?;
    let mut write = app.db.write_unscoped().await?;
    let name = new.name.trim();
    let Some((user, workspace_id)) = users::insert_unscoped(&mut write, &email, name, &password_hash).await? else {
        let detail = "Sign in instead, or use another address.";
        return Err(AppError::new(ErrorCode::EmailTaken, detail));
    };
    crate::bases::insert_built_in(&app, &mut write, workspace_id).await?;
    let cookie = start_session(&mut write, &user).await?;
    write.commit().await?;
    attempt.forgive(&app).await?;
    let session = session_of(&app, user).await?;
    let mut response = respond::created("/api/v1/auth/session".to_owned(), session);
    response.add_cookie(&cookie).map_err(AppError::internal)?;
    Ok(response)
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
    let scope = workspaces::personal_scope_unscoped(&app.db, credentials.user.id).await?;
    let mut write = app.db.write(&scope).await?;
    let cookie = start_session(&mut write, &credentials.user).await?;
    write.commit().await?;
    let mut response = respond::ok(session_of(&app, credentials.user).await?);
    response.add_cookie(&cookie).map_err(AppError::internal)?;
    Ok(response)
}

/// Sign out
///
/// Ends this session everywhere it is used.
#[utoipa::path(tag = "auth", responses((status = 204, description = "Signed out")))]
#[post("/auth/sign-out")]
async fn sign_out(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let scope = workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    let mut write = app.db.write(&scope).await?;
    sessions::delete_unscoped(&mut write, &signed_in.token_hash).await?;
    write.commit().await?;
    let mut response = HttpResponse::NoContent().finish();
    response
        .add_cookie(&cookie(String::new(), time::Duration::ZERO))
        .map_err(AppError::internal)?;
    Ok(response)
}

/// Who is signed in
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The person and their workspaces", body = Envelope<Session>)),
)]
#[get("/auth/session")]
async fn find_session(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    Ok(respond::ok(session_of(&app, signed_in.user).await?))
}

async fn session_of(app: &App, user: User) -> AppResult<Session> {
    let paging = Paging::new(None, Some(MAX_LIMIT));
    let workspaces = workspaces::list_of_user_unscoped(&app.db, user.id, paging).await?.items;
    Ok(Session { user, workspaces })
}

async fn start_session(write: &mut cerebros_db::Write, user: &User) -> AppResult<Cookie<'static>> {
    let token = auth::session_token();
    let expires_at = Utc::now() + Duration::days(auth::SESSION_DAYS);
    sessions::insert_unscoped(write, &auth::digest(&token), user.id, expires_at).await?;
    Ok(cookie(token, time::Duration::days(auth::SESSION_DAYS)))
}

fn cookie(value: String, max_age: time::Duration) -> Cookie<'static> {
    Cookie::build(auth::SESSION_COOKIE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(max_age)
        .finish()
}

/// Enough to catch slips; whether mail arrives shows only when some is sent.
fn check_email(email: &str) -> AppResult<()> {
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if plausible && !email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(AppError::field(
        "email",
        "email",
        "must be an e-mail address such as name@example.org",
    ))
}
