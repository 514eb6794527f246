//! Telling other people's servers what has happened, as Standard Webhooks has it: at least once, signed, with a schedule of
//! attempts over a day.

use crate::{
    error::{AppError, AppResult},
    fine_tuning,
    jobs::database,
    seal::{self, seal},
    state::App,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cerebros_common::{
    ids::{JobId, WebhookDeliveryId, WebhookId, WorkspaceId},
    jobs::JobStatus,
    webhooks::{WebhookDelivery, WebhookDeliveryStatus, WebhookEvent},
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    seal::Sealed,
    webhooks::{Attempt, Outgoing},
};
use cerebros_llm::{Reach, refusal};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, QueueError, Task, TaskError, enqueue};
use chrono::Utc;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use url::Url;

/// The event of a test that a person asks for.
pub const TEST: &str = "webhook.test";
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;
/// For the whole exchange.
const PATIENCE: Duration = Duration::from_secs(15);
/// Seconds before each further attempt, as Standard Webhooks advises.
const WAITS: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// Sends one delivery.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deliver {
    workspace_id: WorkspaceId,
    delivery_id: WebhookDeliveryId,
}

impl Task for Deliver {
    const NAME: &'static str = "deliver_webhook";
    const QUEUE: &'static str = "webhooks";
    const MAX_ATTEMPTS: u32 = WAITS.len() as u32 + 1;
}

/// A fresh secret, what lists show of it, and how it is stored.
pub fn secret(app: &App, workspace_id: WorkspaceId, id: WebhookId) -> AppResult<(String, String, Sealed)> {
    let secret = format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; SECRET_BYTES]>()));
    let hint = secret[secret.len() - 4..].to_owned();
    let sealed = seal(&app.keys, &place(workspace_id, id), &secret)?;
    Ok((secret, hint, sealed))
}

pub fn place(workspace_id: WorkspaceId, id: WebhookId) -> String {
    format!("webhook secret {workspace_id} {id}")
}

/// # Errors
/// For an address that messages may not be sent to, as far as can be told before its name is resolved.
pub fn check_url(app: &App, text: &str) -> AppResult<()> {
    let url: Url = text
        .parse()
        .map_err(|_| AppError::field("url", "format", "must be an https address"))?;
    let checked = reach(app).check_url(&url);
    checked.map_err(|error| AppError::field("url", "format", error.to_string()))
}

fn reach(app: &App) -> Reach {
    Reach::new(app.config.networks.clone())
}

/// Notes what is to be sent to whoever wants to hear that a job has ended so. [`enqueue_all`] sends it.
pub async fn note_end(write: &mut Write, id: JobId, status: JobStatus) -> Result<Vec<WebhookDelivery>, DbError> {
    let event = match status {
        JobStatus::Succeeded => WebhookEvent::JobSucceeded,
        JobStatus::Failed => WebhookEvent::JobFailed,
        JobStatus::Cancelled => WebhookEvent::JobCancelled,
        JobStatus::Queued | JobStatus::Running | JobStatus::Paused => return Ok(Vec::new()),
    };
    let mut deliveries = Vec::new();
    for webhook in db::webhooks::wanting(write, event).await? {
        deliveries.push(db::webhooks::insert_delivery(write, webhook, event.name(), id.0).await?);
    }
    Ok(deliveries)
}

/// Sends deliveries once the transaction, which noted them, commits.
pub async fn enqueue_all(
    write: &Write,
    workspace_id: WorkspaceId,
    deliveries: &[WebhookDelivery],
) -> Result<(), QueueError> {
    for delivery in deliveries {
        let task = Deliver {
            workspace_id,
            delivery_id: delivery.id,
        };
        let options = Enqueue {
            workspace_id: Some(workspace_id.0),
            ..Enqueue::default()
        };
        enqueue(write.connection(), &task, options).await?;
    }
    Ok(())
}

pub async fn run(app: Arc<App>, task: Deliver, lease: Lease) -> Result<(), TaskError> {
    let scope = Scope::system(task.workspace_id);
    let outgoing = db::webhooks::outgoing(&scope, &app.db, task.delivery_id)
        .await
        .map_err(database)?;
    let Some(outgoing) = outgoing.filter(|outgoing| outgoing.delivery.status == WebhookDeliveryStatus::Pending) else {
        return Ok(());
    };
    let posted = if outgoing.active {
        tokio::select! {
            () = lease.cancellation().cancelled() => return Err(TaskError::Interrupted),
            posted = post(&app, &scope, &outgoing) => posted,
        }
    } else {
        Err((None, "The webhook is switched off.".to_owned()))
    };
    let wait = WAITS
        .get(lease.attempt().saturating_sub(1) as usize)
        .filter(|_| outgoing.active);
    let attempt = match (posted, wait) {
        (Ok(status), _) => Attempt {
            status: WebhookDeliveryStatus::Delivered,
            response_status: Some(status),
            error: None,
        },
        (Err((response_status, error)), wait) => Attempt {
            status: match wait {
                Some(_) => WebhookDeliveryStatus::Pending,
                None => WebhookDeliveryStatus::Failed,
            },
            response_status,
            error: Some(error),
        },
    };
    let again = (attempt.status == WebhookDeliveryStatus::Pending).then(|| attempt.error.clone().unwrap_or_default());
    let mut write = app.db.write(&scope).await.map_err(database)?;
    db::webhooks::note(&mut write, task.delivery_id, attempt)
        .await
        .map_err(database)?;
    match again {
        Some(message) => {
            lease.fence(write.connection()).await?;
            write.commit().await.map_err(database)?;
            let after = wait.copied().map(Duration::from_secs);
            Err(TaskError::Retry { message, after })
        }
        None => {
            lease.complete(write.connection()).await?;
            write.commit().await.map_err(database)
        }
    }
}

/// What could not be sent for another reason than an answer.
pub async fn bury(app: Arc<App>, task: Deliver, burial: Burial) -> Result<(), HookError> {
    let mut write = app.db.write(&Scope::system(task.workspace_id)).await?;
    let attempt = Attempt {
        status: WebhookDeliveryStatus::Failed,
        response_status: None,
        error: Some(burial.message().to_owned()),
    };
    db::webhooks::note(&mut write, task.delivery_id, attempt).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

/// The status of a good answer; else the status, if there was one, and what went wrong.
async fn post(app: &App, scope: &Scope, outgoing: &Outgoing) -> Result<u16, (Option<u16>, String)> {
    let unsendable = |error: String| (None, error);
    let url: Url = outgoing
        .url
        .parse()
        .map_err(|_| unsendable("The address cannot be read.".to_owned()))?;
    let place = place(scope.workspace_id, outgoing.webhook_id);
    let secret = seal::open(&app.keys, &place, &outgoing.secret).map_err(|error| {
        tracing::error!(webhook.id = %outgoing.webhook_id, error = ?error, "a webhook's secret cannot be opened");
        unsendable("The secret cannot be read. Give the webhook a new one.".to_owned())
    })?;
    let client = reach(app).client(&url).map_err(|error| unsendable(error.to_string()))?;
    let client = client
        .timeout(PATIENCE)
        .build()
        .map_err(|error| unsendable(said(&error)))?;
    let message = message(&outgoing.delivery);
    let (id, at) = (message_id(&outgoing.delivery), Utc::now().timestamp());
    let signature = sign(&secret, &id, at, &message).ok_or_else(|| unsendable("The secret is broken.".to_owned()))?;
    let sent = client
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("Cerebros/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(message)
        .send()
        .await;
    let status = sent.map_err(|error| unsendable(said(&error)))?.status();
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let error = if status.is_redirection() {
        format!("The address answered with {status}: redirects are not followed.")
    } else {
        format!("The address answered with {status}.")
    };
    Err((Some(status.as_u16()), error))
}

/// Why nothing came back, without the address, which may hold a secret.
fn said(error: &reqwest::Error) -> String {
    match refusal(error) {
        Some(refusal) => refusal.to_owned(),
        None if error.is_timeout() => format!("No answer came within {} seconds.", PATIENCE.as_secs()),
        None if error.is_connect() => "The address could not be reached.".to_owned(),
        None => "The connection broke before there was an answer.".to_owned(),
    }
}

fn message_id(delivery: &WebhookDelivery) -> String {
    format!("evt_{}", delivery.id.0.simple())
}

/// In the shape of OpenAI's events.
fn message(delivery: &WebhookDelivery) -> String {
    let subject = if delivery.event == TEST {
        delivery.subject_id.to_string()
    } else {
        fine_tuning::name(delivery.subject_id)
    };
    let message = json!({
        "id": message_id(delivery),
        "object": "event",
        "created_at": delivery.created_at.timestamp(),
        "type": delivery.event,
        "data": {"id": subject},
    });
    message.to_string()
}

/// `None` for a secret that is not of the usual form.
fn sign(secret: &str, id: &str, at: i64, message: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{at}.{message}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::sign;

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, message) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let signed = sign(secret, id, 1_614_265_330, message);
        assert_eq!(
            signed.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
        assert_eq!(sign("secret", id, 0, message), None);
    }
}
