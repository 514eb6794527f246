//! Keys for other people's services, which the server uses on behalf of a workspace. They go in and never come out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Fetches bases that are gated or private.
    Huggingface,
    /// OpenAI, or any server that speaks its API.
    Openai,
    Anthropic,
    AzureOpenai,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderKey {
    pub provider: Provider,
    /// The last four characters, to tell keys apart.
    pub hint: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewProviderKey {
    /// As the provider shows it: visible ASCII characters.
    #[validate(
        length(min = 12, max = 500, message = "must have 12 to 500 characters"),
        custom(function = "visible")
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 12, max_length = 500, pattern = "^[!-~]+$", format = "password")
    )]
    pub secret: String,
}

fn visible(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = "must have no spaces and nothing but ASCII characters";
    Err(ValidationError::new("characters").with_message(message.into()))
}
