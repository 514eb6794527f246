//! Deleting for good: what would go, the deletion itself, and a signed receipt of it.

use crate::ids::{DeletionId, ReceiptId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeletionSubject {
    Document,
    Agent,
    Workspace,
    Account,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeletionTarget {
    pub subject: DeletionSubject,
    pub id: Uuid,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDeletion {
    pub subject: DeletionSubject,
    pub id: Uuid,
    /// The text that the preview asks for.
    #[validate(length(max = 254, message = "must have at most 254 characters"))]
    #[cfg_attr(feature = "openapi", schema(max_length = 254))]
    pub confirmation: String,
    /// Needed for an account: its password.
    #[validate(length(min = 1, max = 200, message = "must have 1 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, format = "password"))]
    pub password: Option<String>,
}

/// How many of each go. Datasets count if they lose their content, models only if they go themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletionCounts {
    pub workspaces: u64,
    pub members: u64,
    pub api_keys: u64,
    pub agents: u64,
    pub documents: u64,
    pub examples: u64,
    pub concepts: u64,
    pub diagrams: u64,
    pub datasets: u64,
    pub jobs: u64,
    pub models: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Affected {
    pub id: Uuid,
    pub name: String,
}

/// What a deletion would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletionPreview {
    pub subject: DeletionSubject,
    pub id: Uuid,
    /// The text to type: the name, or the e-mail address of an account.
    pub confirmation: String,
    pub counts: DeletionCounts,
    /// Of files.
    pub bytes: u64,
    /// Models that learned from it, the newest 100. If they stay, they answer no more.
    pub models: Vec<Affected>,
    /// Datasets that hold its text, the newest 100: they lose their content.
    pub datasets: Vec<Affected>,
    /// Workspaces that go with an account: it is their only member.
    pub workspaces: Vec<Affected>,
    /// Workspaces that stand in the way: the account is their only owner, and they have other members.
    pub blocking: Vec<Affected>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeletionStatus {
    /// It cannot be reached any more; files and rows are being removed.
    Running,
    /// Nothing is left, and there is a receipt.
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deletion {
    pub id: DeletionId,
    pub subject: DeletionSubject,
    pub subject_id: Uuid,
    pub status: DeletionStatus,
    pub counts: DeletionCounts,
    pub bytes: u64,
    /// Where the receipt is once it is done. Whoever knows this id can read it.
    pub receipt_id: ReceiptId,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Proof of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// A [`ReceiptStatement`] as JSON: the very bytes that are signed.
    pub payload: String,
    /// `ed25519`.
    pub algorithm: String,
    /// Hexadecimal; `/.well-known/cerebros-receipts.json` has it too.
    pub public_key: String,
    /// Hexadecimal.
    pub signature: String,
}

/// What a receipt says. It names nobody and nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptStatement {
    pub version: u32,
    pub id: ReceiptId,
    pub subject: DeletionSubject,
    pub subject_id: Uuid,
    pub requested_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub counts: DeletionCounts,
    pub bytes: u64,
    /// Models that learned from it and stay, but answer no more.
    pub flagged_models: Vec<Uuid>,
}
