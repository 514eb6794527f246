//! Files that come in parts: begun, sent part by part to signed addresses, completed. What breaks off goes on later.
//! Each becomes a document of an agent, or a dataset.

use crate::{
    documents::{DocumentError, DocumentKind},
    ids::{AgentId, DatasetId, DocumentId, UploadId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

/// At most this many uploads of a workspace wait for parts.
pub const MAX_OPEN_UPLOADS: u64 = 100;
/// At most this many parts of one file.
pub const MAX_PARTS: u32 = 10_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Upload {
    pub id: UploadId,
    /// The agent that it becomes a document of; null where it becomes a dataset.
    pub agent_id: Option<AgentId>,
    /// Of the document; null where it becomes a dataset.
    pub kind: Option<DocumentKind>,
    /// The dataset that it becomes the next version of.
    pub version_of: Option<DatasetId>,
    pub name: String,
    pub size_bytes: u64,
    /// What the whole file must have, hexadecimal.
    pub sha256: Option<String>,
    pub status: UploadStatus,
    /// The length of each part; only the last one is shorter.
    pub part_bytes: u64,
    /// How many parts there are, numbered from 1.
    pub parts: u32,
    /// The numbers of the parts that arrived whole, in order. Null in lists, and once the upload is over.
    pub received: Option<Vec<u32>>,
    /// The document that became of it, once it is `done`.
    pub document_id: Option<DocumentId>,
    /// The dataset that became of it, once it is `done`.
    pub dataset_id: Option<DatasetId>,
    /// Why it `failed`, and what to do.
    pub error: Option<DocumentError>,
    pub created_at: DateTime<Utc>,
    /// When it is given up unless it is complete.
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// Takes parts.
    Open,
    /// All parts are there; the file is being put together and checked.
    Completing,
    Done,
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// With `kind`, the file becomes a document of this agent; without both, a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DocumentKind>,
    /// The dataset that the file becomes the next version of; goes with neither of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DatasetId>))]
    pub version_of: Option<DatasetId>,
    /// The file's name.
    #[validate(length(min = 1, max = 1000, message = "must have 1 to 1000 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub name: String,
    #[validate(range(min = 1, message = "must be at least 1: an empty file is not taken"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub size_bytes: u64,
    /// Of the whole file, in lower-case hexadecimal. With it, a document that is here already is refused before it travels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = "is_sha256"))]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")
    )]
    pub sha256: Option<String>,
}

pub(crate) fn is_sha256(text: &str) -> Result<(), ValidationError> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() == 64 && text.bytes().all(digit) {
        return Ok(());
    }
    let message = "must be 64 lower-case hexadecimal digits";
    Err(ValidationError::new("format").with_message(message.into()))
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// Of this agent's documents; of datasets when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<AgentId>))]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}

/// Which parts are about to be sent.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PartNumbers {
    #[validate(length(min = 1, max = 100, message = "must have 1 to 100 entries"))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 100))]
    pub parts: Vec<u32>,
}

/// Where to send parts: by `PUT`, with the bytes as the body and no session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartAddresses {
    pub items: Vec<PartAddress>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartAddress {
    pub number: u32,
    /// How long the part must be.
    pub size_bytes: u64,
    /// Whole, or a path on this server.
    pub url: String,
}

/// Ends an upload.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UploadEnd {
    /// Of the whole file, in lower-case hexadecimal, if it was not named at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = "is_sha256"))]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")
    )]
    pub sha256: Option<String>,
}

/// What makes an address of a part one of this server's.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct PartSignature {
    /// Seconds since 1970.
    #[validate(range(min = 0, message = "must be 0 or more"))]
    #[cfg_attr(feature = "openapi", param(minimum = 0))]
    pub expires: i64,
    #[validate(length(min = 1, max = 128, message = "must have 1 to 128 characters"))]
    #[cfg_attr(feature = "openapi", param(min_length = 1, max_length = 128))]
    pub signature: String,
}

impl Upload {
    /// The length of a part; `None` for a number that it has not.
    pub fn part_size(&self, number: u32) -> Option<u64> {
        part_size(self.size_bytes, self.part_bytes, number)
    }
}

fn part_size(size_bytes: u64, part_bytes: u64, number: u32) -> Option<u64> {
    let start = u64::from(number.checked_sub(1)?).checked_mul(part_bytes)?;
    let left = size_bytes.checked_sub(start).filter(|left| *left > 0)?;
    Some(left.min(part_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_what_is_left() {
        assert_eq!(part_size(25, 10, 0), None);
        assert_eq!(part_size(25, 10, 1), Some(10));
        assert_eq!(part_size(25, 10, 3), Some(5));
        assert_eq!(part_size(25, 10, 4), None);
        assert_eq!(part_size(20, 10, 2), Some(10));
        assert_eq!(part_size(20, 10, 3), None);
        assert_eq!(part_size(u64::MAX, u64::MAX, u32::MAX), None);
    }

    #[test]
    fn a_checksum_is_lower_case_hexadecimal() {
        assert!(is_sha256(&"0f".repeat(32)).is_ok());
        for wrong in ["", &"0F".repeat(32), &"0".repeat(63), &"g".repeat(64)] {
            assert!(is_sha256(wrong).is_err(), "{wrong}");
        }
    }
}
