//! Addresses that are told when something has happened, signed as Standard Webhooks has it.

use crate::ids::{WebhookDeliveryId, WebhookId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;
use validator::Validate;

/// What an address can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookEvent {
    #[serde(rename = "fine_tuning.job.succeeded")]
    JobSucceeded,
    #[serde(rename = "fine_tuning.job.failed")]
    JobFailed,
    #[serde(rename = "fine_tuning.job.cancelled")]
    JobCancelled,
}

impl WebhookEvent {
    pub const ALL: [Self; 3] = [Self::JobSucceeded, Self::JobFailed, Self::JobCancelled];

    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobSucceeded => "fine_tuning.job.succeeded",
            Self::JobFailed => "fine_tuning.job.failed",
            Self::JobCancelled => "fine_tuning.job.cancelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    pub id: WebhookId,
    pub url: String,
    pub events: BTreeSet<WebhookEvent>,
    /// Nothing is sent while it is false.
    pub active: bool,
    /// The last four characters of the secret, to tell secrets apart.
    pub hint: String,
    pub created_at: DateTime<Utc>,
}

/// A webhook and its secret, which is shown this once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhookSecret {
    pub webhook: Webhook,
    /// Verifies signatures: `whsec_` and Base64.
    pub secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// A public https address, or one in the networks that the operator allows.
    #[validate(length(min = 1, max = 2000, message = "must have 1 to 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000, format = "uri"))]
    pub url: String,
    /// Absent: all.
    #[serde(default = "all", skip_serializing_if = "BTreeSet::is_empty")]
    #[validate(length(min = 1, max = 3, message = "must name at least one event"))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 3))]
    pub events: BTreeSet<WebhookEvent>,
}

fn all() -> BTreeSet<WebhookEvent> {
    WebhookEvent::ALL.into_iter().collect()
}

/// Absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WebhookPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 2000, message = "must have 1 to 2000 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000, format = "uri"))]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 3, message = "must name at least one event"))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 3))]
    pub events: Option<BTreeSet<WebhookEvent>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// One message to one address, with all its attempts. Kept for 30 days.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// `webhook-id` has it too, so that a receiver knows a message that comes twice.
    pub id: WebhookDeliveryId,
    /// A [`WebhookEvent`], or `webhook.test`.
    pub event: String,
    /// The job, or the webhook of a test.
    pub subject_id: Uuid,
    pub status: WebhookDeliveryStatus,
    pub attempts: u32,
    /// What the last attempt was answered with; null where no answer came.
    pub response_status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WebhookDeliveryStatus {
    /// To be sent, or to be sent again.
    Pending,
    Delivered,
    /// Given up after the last attempt.
    Failed,
}
