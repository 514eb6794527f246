//! What happened, for the person it concerns.

use crate::ids::{NotificationId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    pub id: NotificationId,
    pub kind: NotificationKind,
    /// The workspace in which the subject is found.
    pub workspace_id: WorkspaceId,
    /// One sentence.
    pub title: String,
    pub subject: NotificationSubject,
    pub subject_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Examples of a document wait for review.
    ExamplesReady,
    DocumentFailed,
    /// A batch of generated examples came to its end, or stopped on an error.
    BatchFinished,
    /// Diagrams of a document are drawn.
    DiagramsReady,
    DatasetFailed,
    JobSucceeded,
    JobFailed,
    MemberJoined,
    /// Your role changed, or you were removed.
    MembershipChanged,
    DeletionDone,
    /// A sign-in from a device that was not seen before. Always on.
    NewSignIn,
    /// Password or e-mail address changed. Always on.
    CredentialsChanged,
}

impl NotificationKind {
    pub const ALL: [Self; 12] = [
        Self::ExamplesReady,
        Self::DocumentFailed,
        Self::BatchFinished,
        Self::DiagramsReady,
        Self::DatasetFailed,
        Self::JobSucceeded,
        Self::JobFailed,
        Self::MemberJoined,
        Self::MembershipChanged,
        Self::DeletionDone,
        Self::NewSignIn,
        Self::CredentialsChanged,
    ];

    /// What concerns the safety of the account cannot be turned off.
    pub fn always_on(self) -> bool {
        matches!(self, Self::NewSignIn | Self::CredentialsChanged)
    }
}

/// What a notification leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotificationSubject {
    Agent,
    Document,
    Batch,
    Dataset,
    Job,
    Workspace,
    Account,
}

/// How many are unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnreadCount {
    pub unread: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NotificationPreference {
    pub kind: NotificationKind,
    pub enabled: bool,
}

/// Kinds that are not named stay as they are.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NotificationPreferencesPatch {
    #[validate(length(max = 32, message = "must have at most 32 entries"))]
    #[cfg_attr(feature = "openapi", schema(max_items = 32))]
    pub preferences: Vec<NotificationPreference>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct NotificationQuery {
    /// Only those not read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<bool>,
    /// The `next_cursor` of the stretch before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 64, message = "must be a `next_cursor`"))]
    #[cfg_attr(feature = "openapi", param(max_length = 64))]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
