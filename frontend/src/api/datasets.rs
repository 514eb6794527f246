//! Datasets.

use super::{Answer, delete, get, list, order, post};
use cerebros_common::{
    datasets::{
        Dataset, DatasetCursor, DatasetExport, DatasetFinding, DatasetFormat, DatasetQuery, DatasetRow, NewDataset,
    },
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

pub fn content_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/content"))
}

/// The rows, written in a format. Rows that it cannot say in full are left out.
pub fn export_address(id: DatasetId, format: DatasetFormat) -> String {
    let query = DatasetExport {
        format: Some(format),
        layout: None,
        leave_out: true,
    };
    super::address(&super::with_query(&format!("/datasets/{id}/export"), &query))
}

pub fn report_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/report?format=csv"))
}

/// A dataset of the repaired rows.
pub async fn repair_dataset(id: DatasetId) -> Answer<Dataset> {
    order(&format!("/datasets/{id}/repair")).await
}

pub fn repaired_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/repaired"))
}
