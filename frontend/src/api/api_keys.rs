//! Keys for scripts.

use super::{Answer, delete, list, order, post};
use cerebros_common::{
    api_keys::{ApiKey, NewApiKey, NewApiKeySecret},
    ids::ApiKeyId,
    wire::{Page, PageQuery},
};

pub async fn list_api_keys(query: PageQuery) -> Answer<Page<ApiKey>> {
    list("/api-keys", &query).await
}

pub async fn create_api_key(body: NewApiKey) -> Answer<NewApiKeySecret> {
    post("/api-keys", &body).await
}

/// The old secret is refused from then on.
pub async fn rotate_api_key(id: ApiKeyId) -> Answer<NewApiKeySecret> {
    order(&format!("/api-keys/{id}/rotate")).await
}

pub async fn delete_api_key(id: ApiKeyId) -> Answer<()> {
    delete(&format!("/api-keys/{id}"), None).await
}
