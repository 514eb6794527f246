//! Questions that were put to language models, and what they cost.

use super::{Answer, list};
use cerebros_common::{
    llm_calls::{LlmCall, LlmCallQuery, LlmUsage, LlmUsageQuery},
    wire::CursorPage,
};

pub async fn list_llm_calls(query: LlmCallQuery) -> Answer<CursorPage<LlmCall>> {
    list("/llm-calls", &query).await
}

pub async fn list_llm_usage(query: LlmUsageQuery) -> Answer<Vec<LlmUsage>> {
    list("/llm-usage", &query).await
}
