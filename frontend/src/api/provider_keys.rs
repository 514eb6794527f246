//! Keys for other people's services.

use super::{Answer, delete, get, send};
use crate::address::word;
use cerebros_common::provider_keys::{NewProviderKey, Provider, ProviderKey};
use gloo_net::http::Method;

pub async fn list_provider_keys() -> Answer<Vec<ProviderKey>> {
    get("/provider-keys").await
}

pub async fn put_provider_key(provider: Provider, body: NewProviderKey) -> Answer<ProviderKey> {
    send(Method::PUT, &format!("/provider-keys/{}", word(&provider)), None, &body).await
}

pub async fn delete_provider_key(provider: Provider) -> Answer<()> {
    delete(&format!("/provider-keys/{}", word(&provider)), None).await
}
