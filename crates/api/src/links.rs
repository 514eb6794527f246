//! Links by mail: asking for one, and the task that makes the token as it sends, so that no secret waits in the database.

use crate::{
    accounts, auth,
    error::{AppError, AppResult},
    limits,
    mail::{Letter, MailError, Mailer},
    state::App,
};
use actix_web::HttpRequest;
use cerebros_common::{accounts::User, errors::ErrorCode, ids::UserId};
use cerebros_db::{
    DbError, Scope, Write, email_changes,
    email_changes::Side,
    link_tokens::{self, Purpose},
    users, workspaces,
};
use cerebros_queue::{Enqueue, Lease, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const ONCE: &str = "The link works once, within 15 minutes.";

/// What a link is for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    VerifyEmail,
    SignIn,
    ResetPassword,
    ChangeEmail(Side),
}

/// Sends a link to whoever has the account, if anybody.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendLink {
    user_id: UserId,
    link: Link,
}

impl Task for SendLink {
    const NAME: &'static str = "send_link";
    const QUEUE: &'static str = "mail";
    const MAX_ATTEMPTS: u32 = 6;
}

/// # Errors
/// 503 where no mail is sent.
pub fn mailer(app: &App) -> AppResult<&Mailer> {
    app.mailer.as_ref().ok_or_else(|| {
        let detail = "Ask its operator for a link: `cerebros admin reset-link EMAIL` makes one.";
        AppError::new(ErrorCode::MailUnavailable, detail)
    })
}

pub async fn enqueue_link(write: &Write, user_id: UserId, link: Link) -> AppResult<()> {
    enqueue(write.connection(), &SendLink { user_id, link }, Enqueue::default()).await?;
    Ok(())
}

/// Sends a link to an address if it has an account. Does the same for one that has none, down to the task.
pub async fn request(app: &App, request: &HttpRequest, email: &str, link: Link) -> AppResult<()> {
    mailer(app)?;
    let email = accounts::check_email(email)?;
    limits::mail(app, request, email).await?;
    let found = users::find_credentials_unscoped(&app.db, email).await?;
    let user_id = found.map_or_else(|| UserId(uuid::Uuid::now_v7()), |found| found.user.id);
    let write = app.db.write_unscoped().await?;
    enqueue_link(&write, user_id, link).await?;
    write.commit().await?;
    Ok(())
}

/// The refusal of a token that does not count.
pub fn invalid() -> AppError {
    let detail = "It was used before, is older than 15 minutes, or a newer one was sent. Ask for a new one.";
    AppError::new(ErrorCode::InvalidLink, detail)
}

/// The task: a retry makes a new token, and the one before ends.
pub async fn send(app: Arc<App>, task: SendLink, lease: Lease) -> Result<(), TaskError> {
    let Some(mailer) = &app.mailer else {
        return Err(TaskError::retry("SMTP_URL is not set in this process"));
    };
    let failed = |error: DbError| TaskError::retry(error.to_string());
    let user = users::find_unscoped(&app.db, task.user_id).await.map_err(failed)?;
    let Some(user) = user else { return Ok(()) };
    let token = auth::token();
    let Some(to) = store(&app, &user, task.link, &auth::digest(&token))
        .await
        .map_err(failed)?
    else {
        return Ok(());
    };
    match mailer.send(&letter(&app.origin, &user, to, task.link, &token)).await {
        Ok(()) => {
            let write = app.db.write_unscoped().await.map_err(failed)?;
            lease.complete(write.connection()).await?;
            write.commit().await.map_err(failed)
        }
        Err(MailError::Retry(why)) => Err(TaskError::retry(why)),
        Err(MailError::Permanent(why)) => Err(TaskError::permanent(why)),
    }
}

/// Gives the address that the mail goes to; `None` when there is nothing to confirm any more.
async fn store(app: &App, user: &User, link: Link, token_hash: &str) -> Result<Option<String>, DbError> {
    let personal = workspaces::personal_scope_unscoped(&app.db, user.id).await?;
    let change = email_changes::find_unscoped(&app.db, user.id).await?;
    let mut write = app.db.write(&Scope::system(personal.workspace_id)).await?;
    let purpose = match link {
        Link::VerifyEmail => Purpose::VerifyEmail,
        Link::SignIn => Purpose::SignIn,
        Link::ResetPassword => Purpose::ResetPassword,
        Link::ChangeEmail(side) => {
            let set = email_changes::set_token_unscoped(&mut write, user.id, side, token_hash).await?;
            write.commit().await?;
            let Some(change) = change.filter(|_| set) else {
                return Ok(None);
            };
            return Ok(Some(match side {
                Side::Old => user.email.clone(),
                Side::New => change.email,
            }));
        }
    };
    link_tokens::replace_unscoped(&mut write, user.id, purpose, token_hash).await?;
    write.commit().await?;
    Ok(Some(user.email.clone()))
}

fn letter(origin: &str, user: &User, to: String, link: Link, token: &str) -> Letter {
    let (page, subject, label, why, not_you) = match link {
        Link::VerifyEmail => (
            "verify-email",
            "Confirm your e-mail address",
            "Confirm this address",
            format!("Somebody, we hope you, signed up at {origin} with this address."),
            "If it was not you, do nothing: the address stays unconfirmed.",
        ),
        Link::SignIn => (
            "magic-link",
            "Your link to sign in",
            "Sign in",
            format!("Somebody, we hope you, asked at {origin} for a link to sign in."),
            "If it was not you, do nothing: nobody gets in without this link.",
        ),
        Link::ResetPassword => (
            "reset-password",
            "Choose a new password",
            "Choose a new password",
            format!("Somebody, we hope you, asked at {origin} for a new password."),
            "If it was not you, do nothing: your password stays as it is.",
        ),
        Link::ChangeEmail(Side::Old) => (
            "confirm-email",
            "Your e-mail address is about to change",
            "Agree to the change",
            format!("Somebody who knows your password asked at {origin} to give your account another address."),
            "If it was not you, do not follow the link, and change your password: it gives the change up.",
        ),
        Link::ChangeEmail(Side::New) => (
            "confirm-email",
            "Confirm your new e-mail address",
            "Confirm this address",
            format!("Somebody, we hope you, asked at {origin} to give their account this address."),
            "If it was not you, do nothing: the account keeps its old address.",
        ),
    };
    Letter {
        to,
        subject: subject.to_owned(),
        name: user.name.clone(),
        why,
        link: (label.to_owned(), address(origin, page, token)),
        notes: vec![ONCE.to_owned(), not_you.to_owned()],
    }
}

/// In the fragment, which browsers keep to themselves, the token reaches no server's log.
pub fn address(origin: &str, page: &str, token: &str) -> String {
    format!("{origin}/{page}#token={token}")
}
