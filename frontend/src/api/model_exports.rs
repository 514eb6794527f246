//! Models written for other programs.

use super::{Answer, delete, list, post};
use cerebros_common::{
    ids::{ModelExportId, ModelId},
    model_exports::{ModelExport, NewModelExport},
    wire::{Page, PageQuery},
};

pub async fn list_model_exports(id: ModelId) -> Answer<Page<ModelExport>> {
    list(&format!("/models/{id}/exports"), &PageQuery::default()).await
}

pub async fn create_model_export(id: ModelId, new: NewModelExport) -> Answer<ModelExport> {
    post(&format!("/models/{id}/exports"), &new).await
}

pub async fn delete_model_export(id: ModelExportId) -> Answer<()> {
    delete(&format!("/model-exports/{id}"), None).await
}

pub fn export_address(id: ModelExportId) -> String {
    super::address(&format!("/model-exports/{id}/content"))
}
