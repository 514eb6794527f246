//! What routes about accounts share: sessions with their cookie, and addresses.

use crate::{
    address::address_of,
    auth,
    error::{AppError, AppResult},
    limits,
    state::App,
};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time},
    http::header,
};
use cerebros_common::{
    accounts::{Session, User},
    ids::UserId,
    notifications::{NotificationKind, NotificationSubject},
    wire::{MAX_LIMIT, Paging},
};
use cerebros_db::{
    Write,
    notifications::{self, Audience},
    sessions::{self, NewSession},
    users, workspaces,
};
use chrono::Duration;

const MAX_USER_AGENT: usize = 200;

/// The answer to somebody who is signed in.
pub async fn session_of(app: &App, user: User) -> AppResult<Session> {
    let paging = Paging::new(None, Some(MAX_LIMIT));
    let workspaces = workspaces::list_of_user_unscoped(&app.db, user.id, paging).await?.items;
    let user = cerebros_db::users::with_avatar_unscoped(&app.db, user).await?;
    Ok(Session { user, workspaces })
}

pub async fn session_of_id(app: &App, user_id: UserId) -> AppResult<Session> {
    let user = users::find_unscoped(&app.db, user_id).await?;
    session_of(app, user.ok_or_else(|| AppError::not_found("account"))?).await
}

/// The door for changes of what is a person's alone.
pub async fn write(app: &App, user_id: UserId) -> AppResult<Write> {
    let scope = workspaces::personal_scope_unscoped(&app.db, user_id).await?;
    Ok(app.db.write(&scope).await?)
}

/// Tells a person that somebody signs in from a device that was not seen before. Comes before the session begins.
pub async fn tell_of_sign_in(write: &Write, request: &HttpRequest, user_id: UserId) -> AppResult<()> {
    let here = device(&user_agent(request));
    let seen = sessions::user_agents_unscoped(write, user_id).await?;
    if seen.iter().any(|user_agent| device(user_agent) == here) {
        return Ok(());
    }
    let (kind, subject) = (NotificationKind::NewSignIn, NotificationSubject::Account);
    let title = format!("New sign-in from {here}.");
    // Signing out forgets the device, but once is enough.
    if !notifications::was_told(write, user_id, kind, &title).await? {
        notifications::notify(write, kind, Audience::User(user_id), &title, subject, user_id.0).await?;
    }
    Ok(())
}

fn user_agent(request: &HttpRequest) -> String {
    let user_agent = request.headers().get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok()).unwrap_or_default();
    user_agent.chars().take(MAX_USER_AGENT).collect()
}

/// Signs a browser in with a fresh token; the session that it held before ends.
pub async fn begin_session(
    app: &App,
    write: &mut Write,
    request: &HttpRequest,
    user_id: UserId,
) -> AppResult<Cookie<'static>> {
    end_presented(write, request).await?;
    let token = auth::token();
    let new = NewSession {
        token_hash: auth::digest(&token),
        user_agent: user_agent(request),
        address: address_of(request).to_string(),
        lifetime: Duration::days(app.config.session_days),
    };
    sessions::insert_unscoped(write, user_id, &new).await?;
    Ok(cookie(token, time::Duration::days(app.config.session_days)))
}

/// Ends the session whose token the request carries, if any.
pub async fn end_presented(write: &mut Write, request: &HttpRequest) -> AppResult<()> {
    if let Some(cookie) = request.cookie(auth::SESSION_COOKIE) {
        sessions::delete_by_token_unscoped(write, &auth::digest(cookie.value())).await?;
    }
    Ok(())
}

pub fn with_cookie(mut response: HttpResponse, cookie: &Cookie<'_>) -> AppResult {
    response.add_cookie(cookie).map_err(AppError::internal)?;
    Ok(response)
}

/// Makes the browser forget its session.
pub fn no_cookie() -> Cookie<'static> {
    cookie(String::new(), time::Duration::ZERO)
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

/// Whether somebody who is signed in knows their password; guesses are counted as attempts to sign in. A wrong one is
/// told by its field: the session itself is good.
pub async fn check_password(
    app: &App,
    request: &HttpRequest,
    user_id: UserId,
    field: &str,
    password: String,
) -> AppResult<()> {
    let found = users::find_credentials_of_unscoped(&app.db, user_id).await?;
    let account = found.ok_or_else(|| AppError::not_found("account"))?;
    let attempt = limits::sign_in(app, request, &account.user.email).await?;
    let right = app.hasher.verify(password, Some(account.password_hash)).await;
    if !matches!(right, Ok(false)) {
        attempt.forgive(app).await?;
    }
    if right? {
        return Ok(());
    }
    Err(AppError::field(field, "wrong", "is not the password of this account"))
}

/// The address without blanks around it. Enough to catch slips; whether mail arrives shows only when some is sent.
pub fn check_email(email: &str) -> AppResult<&str> {
    let email = email.trim();
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if plausible && !email.contains(char::is_whitespace) && email.parse::<lettre::Address>().is_ok() {
        return Ok(email);
    }
    Err(AppError::field(
        "email",
        "email",
        "must be an e-mail address such as name@example.org",
    ))
}

/// Browser and system out of what a browser calls itself, for instance `Firefox on Linux`.
pub fn device(user_agent: &str) -> String {
    // Each of these names also those further down.
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find_map(|(mark, name)| user_agent.contains(mark).then_some(*name))
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        // Programs lead with their name: `curl/8.5.0`.
        (None, None) => match user_agent.split(['/', ' ']).next() {
            Some(program) if !program.is_empty() => program.to_owned(),
            _ => "Unknown device".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_for_people() {
        for (user_agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605 Version/18.1 Mobile Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
                "Firefox on macOS",
            ),
            (
                "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Firefox/132.0",
                "Firefox on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("", "Unknown device"),
        ] {
            assert_eq!(device(user_agent), name);
        }
    }

    #[test]
    fn addresses_are_checked_and_trimmed() {
        assert_eq!(check_email(" ada@example.org ").ok(), Some("ada@example.org"));
        for slip in [
            "ada",
            "@example.org",
            "ada@",
            "a@b@c",
            "ada@.org",
            "ada@example.",
            "a b@example.org",
        ] {
            assert!(check_email(slip).is_err(), "{slip}");
        }
    }
}
