//! Who did what, when, to what: ids and names of fields, never their values.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Created,
    Updated,
    Deleted,
    Restored,
    /// Many at once were approved or rejected.
    Reviewed,
    Started,
    Finished,
    Failed,
    Cancelled,
    Paused,
    Resumed,
    Retried,
    SignedIn,
    SignedOut,
    /// A link was asked for or sent.
    Requested,
    Confirmed,
    Invited,
    Accepted,
    Declined,
    Left,
    Transferred,
    Revoked,
    Rotated,
    /// What was made of something deleted lost its content.
    Erased,
    Exported,
    Imported,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    Account,
    Password,
    EmailAddress,
    Avatar,
    Session,
    LinkToken,
    Notification,
    NotificationPreference,
    Workspace,
    Member,
    Invitation,
    ApiKey,
    ProviderKey,
    SecretKey,
    Agent,
    Document,
    Example,
    Dataset,
    Base,
    Job,
    Model,
    /// A model written for other programs.
    ModelExport,
    /// Two models on the same prompts.
    Comparison,
    Deletion,
    Upload,
    /// How the workspace reaches its language model.
    LlmSettings,
    /// What a model costs.
    Price,
    Template,
    Batch,
    Concept,
    Diagram,
    /// A link with which anybody sees a diagram.
    Share,
    Webhook,
    WebhookDelivery,
    Conversation,
    /// Of an agent, in stages.
    Training,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    ApiKey,
    /// The server itself, in the background.
    System,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Grows by one within a workspace.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub actor_kind: ActorKind,
    /// The id of the user or API key; null for the server itself.
    pub actor_id: Option<Uuid>,
    pub action: Action,
    pub noun: Noun,
    pub subject_id: Uuid,
    /// The names of the fields that were set; never their values.
    pub fields: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// The id of a user or API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noun: Option<Noun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<Uuid>,
    /// At this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200, message = "must have at most 200 characters"))]
    #[cfg_attr(feature = "openapi", param(max_length = 200))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
