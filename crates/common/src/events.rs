//! What the event stream says. An event names what changed; whoever cares reads it again over the API.

use crate::{ids::AgentId, jobs::MetricPoint};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Grows by one within a workspace; also the SSE id.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub kind: EventKind,
    /// The id of what changed.
    pub id: Uuid,
    /// The agent it belongs to, if any.
    pub agent_id: Option<AgentId>,
    /// With `job_metric` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    AgentChanged,
    AgentDeleted,
    DocumentChanged,
    DocumentDeleted,
    /// Examples of a document or agent came, changed or went; `id` is the example, the document after
    /// generation, or the agent after a review of many.
    ExamplesChanged,
    DatasetChanged,
    DatasetDeleted,
    BaseChanged,
    JobChanged,
    JobMetric,
    /// The model, or what it was written as for other programs.
    ModelChanged,
    ModelDeleted,
    /// A comparison of two models came, went on, was voted on or went.
    ComparisonChanged,
    /// The workspace's name or settings; `id` is the workspace.
    WorkspaceChanged,
    /// Members came, went or got another role; `id` is the user.
    MembersChanged,
    /// `id` is the invitation.
    InvitationsChanged,
    /// `id` is the key.
    ApiKeysChanged,
    /// A webhook or one of its deliveries; `id` is the webhook.
    WebhooksChanged,
    /// Which language model the workspace uses, or what it costs; `id` is the workspace.
    LlmSettingsChanged,
    /// `id` is the workspace.
    TemplatesChanged,
    /// A batch of generated examples went on; `id` is the batch.
    BatchChanged,
    /// Concepts of a document came, changed or went; `id` is the document.
    ConceptsChanged,
    /// `id` is the diagram.
    DiagramChanged,
    DiagramDeleted,
    /// For the person whose stream it is, in any workspace; without `seq`. `id` is the newest notification.
    NotificationsChanged,
    /// Events were missed and are gone: read everything again.
    Reset,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Replays what came after this `seq`; the header `Last-Event-ID` wins. Absent: only what comes from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 0, message = "must be 0 or more"))]
    #[cfg_attr(feature = "openapi", param(minimum = 0))]
    pub after: Option<i64>,
    /// For `EventSource`, which cannot send `X-Workspace-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<crate::ids::WorkspaceId>))]
    pub workspace_id: Option<crate::ids::WorkspaceId>,
}
