//! Keys for scripts.

use super::{Answer, delete, list, post};
use cerebros_common::{
    api_keys::{ApiKey, NewApiKey, NewApiKeySecret},
    ids::ApiKeyId,
    wire::Page,
};

pub async fn list_api_keys(page: u32) -> Answer<Page<ApiKey>> {
    list("/api-keys", &[("page", page)]).await
}

pub async fn create_api_key(body: NewApiKey) -> Answer<NewApiKeySecret> {
    post("/api-keys", &body).await
}

pub async fn delete_api_key(id: ApiKeyId) -> Answer<()> {
    delete(&format!("/api-keys/{id}"), None).await
}
