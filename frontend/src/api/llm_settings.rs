//! Which language model the workspace uses.

use super::{Answer, get, order, send};
use cerebros_common::llm_settings::{LlmModels, LlmSettings, LlmSettingsUpdate, LlmTest};
use gloo_net::http::Method;

pub async fn find_llm_settings() -> Answer<LlmSettings> {
    get("/llm-settings").await
}

pub async fn put_llm_settings(version: i64, body: LlmSettingsUpdate) -> Answer<LlmSettings> {
    send(Method::PUT, "/llm-settings", Some(version), &body).await
}

pub async fn test_llm_settings() -> Answer<LlmTest> {
    order("/llm-settings/test").await
}

pub async fn list_llm_models() -> Answer<LlmModels> {
    get("/llm-settings/models").await
}
