//! What models cost.

use crate::llm_settings::LlmProvider;
use serde::{Deserialize, Serialize};
use validator::Validate;

/// Prices are in millionths of a US dollar for a million tokens.
pub const CURRENCY: &str = "USD";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    pub provider: LlmProvider,
    pub model: String,
    /// In millionths of a US dollar for a million tokens.
    pub prompt_micros: i64,
    pub completion_micros: i64,
    /// Set by this workspace, rather than shipped.
    pub own: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prices {
    pub items: Vec<Price>,
    /// `USD`
    pub currency: String,
    /// Where the shipped prices are from.
    pub source: String,
    /// When they were taken.
    pub as_of: chrono::NaiveDate,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// In millionths of a US dollar for a million tokens.
    #[validate(range(min = 0, max = 1_000_000_000_000_i64, message = "must be 0 to 1000000000000"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1_000_000_000_000_i64))]
    pub prompt_micros: i64,
    #[validate(range(min = 0, max = 1_000_000_000_000_i64, message = "must be 0 to 1000000000000"))]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1_000_000_000_000_i64))]
    pub completion_micros: i64,
}

impl Price {
    /// In millionths of a US dollar, rounded.
    pub fn cost_micros(&self, usage: crate::llm_calls::Usage) -> i64 {
        let part = |tokens: u64, price: i64| i128::from(tokens) * i128::from(price);
        let total =
            part(usage.prompt_tokens, self.prompt_micros) + part(usage.completion_tokens, self.completion_micros);
        i64::try_from((total + 500_000) / 1_000_000).unwrap_or(i64::MAX)
    }
}
