//! Typed ids. On the wire each is a UUID string; the server makes them (UUIDv7), so they sort by creation time.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids!(
    UserId,
    WorkspaceId,
    ApiKeyId,
    AgentId,
    DocumentId,
    ChunkId,
    ExampleId,
    DatasetId,
    BaseId,
    JobId,
    ModelId,
    SessionId,
    InvitationId,
    NotificationId,
    DeletionId,
    ReceiptId,
    UploadId,
    LlmCallId,
    BatchId,
    BatchItemId,
    ConceptId,
    DiagramId,
    WebhookId,
    WebhookDeliveryId,
    ConversationId,
    ModelExportId,
    ComparisonId,
    ComparisonRoundId,
    TrainingId,
);
