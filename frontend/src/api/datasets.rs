//! Datasets.

use super::{Answer, delete, get, list, post};
use cerebros_common::{
    datasets::{Dataset, DatasetCursor, DatasetFinding, DatasetQuery, DatasetRow, NewDataset},
    ids::DatasetId,
    wire::{CursorPage, Page},
};

pub async fn list_datasets(query: DatasetQuery) -> Answer<Page<Dataset>> {
    list("/datasets", &query).await
}

pub async fn find_dataset(id: DatasetId) -> Answer<Dataset> {
    get(&format!("/datasets/{id}")).await
}

pub async fn create_dataset(body: NewDataset) -> Answer<Dataset> {
    post("/datasets", &body).await
}

pub async fn delete_dataset(id: DatasetId) -> Answer<()> {
    delete(&format!("/datasets/{id}"), None).await
}

pub async fn list_rows(id: DatasetId, query: DatasetCursor) -> Answer<CursorPage<DatasetRow>> {
    list(&format!("/datasets/{id}/rows"), &query).await
}

pub async fn list_findings(id: DatasetId, query: DatasetCursor) -> Answer<CursorPage<DatasetFinding>> {
    list(&format!("/datasets/{id}/findings"), &query).await
}

/// Where a chat JSONL file is uploaded to.
pub const UPLOAD: &str = "/api/v1/datasets/upload";

pub fn content_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/content"))
}
