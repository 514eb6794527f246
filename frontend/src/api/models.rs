//! Trained models.

use super::{Answer, delete, exchange, get, list};
use cerebros_common::{
    ids::ModelId,
    models::{Lineage, Model, ModelQuery},
    wire::Page,
};
use gloo_net::http::Method;

pub async fn list_models(query: ModelQuery) -> Answer<Page<Model>> {
    list("/models", &query).await
}

pub async fn find_model(id: ModelId) -> Answer<Model> {
    get(&format!("/models/{id}")).await
}

pub async fn find_lineage(id: ModelId) -> Answer<Lineage> {
    get(&format!("/models/{id}/lineage")).await
}

/// Markdown.
pub async fn find_card(id: ModelId) -> Answer<String> {
    exchange(Method::GET, &format!("/models/{id}/card"), None, None).await
}

pub fn card_address(id: ModelId) -> String {
    super::address(&format!("/models/{id}/card"))
}

pub async fn delete_model(id: ModelId) -> Answer<()> {
    delete(&format!("/models/{id}"), None).await
}

pub fn adapter_address(id: ModelId) -> String {
    super::address(&format!("/models/{id}/adapter"))
}
