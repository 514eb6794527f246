//! Sending an invitation: by mail where there is some, else as a link to pass on by hand.

use crate::{
    auth,
    error::AppResult,
    limits, links,
    mail::{Letter, MailError},
    state::App,
};
use actix_web::HttpRequest;
use cerebros_common::{
    ids::InvitationId,
    workspaces::{Invitation, InvitationView, SentInvitation},
};
use cerebros_db::{DbError, Scope, Write, invitations};
use cerebros_queue::{Enqueue, Lease, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Mails the link of an invitation, which it makes: no secret waits in the database.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendInvitation {
    invitation_id: InvitationId,
}

impl Task for SendInvitation {
    const NAME: &'static str = "send_invitation";
    const QUEUE: &'static str = "mail";
    const MAX_ATTEMPTS: u32 = 6;
}

/// Stores an invitation by `store`, which takes the hash of a token that is passed on by hand, and sees that it arrives.
pub async fn dispatch<S>(
    app: &App,
    request: &HttpRequest,
    scope: &Scope,
    email: &str,
    store: S,
) -> AppResult<SentInvitation>
where
    S: AsyncFnOnce(&mut Write, Option<&str>) -> Result<Invitation, DbError>,
{
    let token = app.mailer.is_none().then(auth::token);
    if token.is_none() {
        limits::mail(app, request, email).await?;
    }
    let token_hash = token.as_deref().map(auth::digest);
    let mut write = app.db.write(scope).await?;
    let invitation = store(&mut write, token_hash.as_deref()).await?;
    if token.is_none() {
        let options = Enqueue {
            workspace_id: Some(scope.workspace_id.0),
            ..Enqueue::default()
        };
        let task = SendInvitation {
            invitation_id: invitation.id,
        };
        enqueue(write.connection(), &task, options).await?;
    }
    write.commit().await?;
    Ok(SentInvitation {
        link: token.map(|token| link(app, &token)),
        invitation,
    })
}

/// The task: a retry makes a new token, and the one before ends.
pub async fn send(app: Arc<App>, task: SendInvitation, lease: Lease) -> Result<(), TaskError> {
    let Some(mailer) = &app.mailer else {
        return Err(TaskError::retry("SMTP_URL is not set in this process"));
    };
    let failed = |error: DbError| TaskError::retry(error.to_string());
    let scope = crate::documents::extraction::scope_of(lease.workspace_id())?;
    let token = auth::token();
    let mut write = app.db.write(&scope).await.map_err(failed)?;
    let stored = invitations::set_token(&mut write, task.invitation_id, &auth::digest(&token)).await;
    let Some(view) = stored.map_err(failed)? else {
        return Ok(());
    };
    write.commit().await.map_err(failed)?;
    match mailer.send(&letter(&app, &view, &token)).await {
        Ok(()) => {
            let write = app.db.write(&scope).await.map_err(failed)?;
            lease.complete(write.connection()).await?;
            write.commit().await.map_err(failed)
        }
        Err(MailError::Retry(why)) => Err(TaskError::retry(why)),
        Err(MailError::Permanent(why)) => Err(TaskError::permanent(why)),
    }
}

fn letter(app: &App, view: &InvitationView, token: &str) -> Letter {
    let why = format!(
        "{} invites you to join the workspace “{}” at {}, as {}.",
        view.invited_by,
        view.workspace,
        app.origin,
        view.role.name()
    );
    let notes = [
        "The link works once, within seven days, for the account with this address. If you have none yet, sign up with this \
         address first.",
        "If you do not know what this is about, do nothing.",
    ];
    Letter {
        to: view.email.clone(),
        subject: "You are invited to a workspace".to_owned(),
        name: "there".to_owned(),
        why,
        link: ("Look at the invitation".to_owned(), link(app, token)),
        notes: notes.map(str::to_owned).to_vec(),
    }
}

fn link(app: &App, token: &str) -> String {
    links::address(&app.origin, "invitation", token)
}
