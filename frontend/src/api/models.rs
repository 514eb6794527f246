//! Trained models.

use super::{Answer, delete, get, list};
use cerebros_common::{
    ids::ModelId,
    models::{Model, ModelQuery},
    wire::Page,
};

pub async fn list_models(query: ModelQuery) -> Answer<Page<Model>> {
    list("/models", &query).await
}

pub async fn find_model(id: ModelId) -> Answer<Model> {
    get(&format!("/models/{id}")).await
}

pub async fn delete_model(id: ModelId) -> Answer<()> {
    delete(&format!("/models/{id}"), None).await
}

pub fn adapter_address(id: ModelId) -> String {
    super::address(&format!("/models/{id}/adapter"))
}
