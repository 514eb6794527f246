//! Keys for scripts. A key belongs to one workspace and acts with the role of who made it.

use crate::ids::{ApiKeyId, UserId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub scopes: Vec<KeyScope>,
    /// The readable start of the key, to tell keys apart.
    pub prefix: String,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    /// Refused from then on.
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a key may do; each operation takes one scope, and the role of the key's maker besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Read everything in the workspace, secrets excepted.
    Read,
    /// Create, change and delete documents, examples, datasets and assistants.
    Write,
    /// Start, stop and resume training; register bases.
    Train,
    /// Ask assistants and models.
    Chat,
    /// Members, keys, the audit log.
    Admin,
}

impl KeyScope {
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Train, Self::Chat, Self::Admin];

    /// What a key gets that names no scopes: everything but administration.
    pub const USUAL: [Self; 4] = [Self::Read, Self::Write, Self::Train, Self::Chat];

    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Train => "train",
            Self::Chat => "chat",
            Self::Admin => "admin",
        }
    }
}

/// A fresh key. `secret` is shown this once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApiKeySecret {
    pub api_key: ApiKey,
    /// Send it as `Authorization: Bearer <secret>`.
    pub secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: String,
    /// Absent: everything but `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 5, message = "must have 1 to 5 entries"))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 5))]
    pub scopes: Option<Vec<KeyScope>>,
    /// In the future; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}
