//! Datasets.

use super::{Answer, delete, get, list, order, post};
use cerebros_common::{
    datasets::{
        Dataset, DatasetCursor, DatasetDiff, DatasetExport, DatasetFinding, DatasetFormat, DatasetLengths, DatasetPart,
        DatasetQuery, DatasetRow, DiffQuery, DiffRowsQuery, LengthsChoice, NewDataset, NewDatasetSplit, RowFilters,
    },
    ids::DatasetId,
    wire::{CursorPage, Page, PageQuery},
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

pub async fn restore_dataset(id: DatasetId) -> Answer<Dataset> {
    order(&format!("/datasets/{id}/restore")).await
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
        part: None,
        leave_out: true,
    };
    super::address(&super::with_query(&format!("/datasets/{id}/export"), &query))
}

/// The rows of one part, as they are.
pub fn part_address(id: DatasetId, part: DatasetPart) -> String {
    let query = DatasetExport {
        part: Some(part),
        ..DatasetExport::default()
    };
    super::address(&super::with_query(&format!("/datasets/{id}/export"), &query))
}

pub async fn split_dataset(id: DatasetId, split: NewDatasetSplit) -> Answer<Dataset> {
    post(&format!("/datasets/{id}/split"), &split).await
}

pub async fn measure_lengths(id: DatasetId, choice: LengthsChoice) -> Answer<DatasetLengths> {
    post(&format!("/datasets/{id}/lengths"), &choice).await
}

pub fn report_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/report?format=csv"))
}

pub async fn list_versions(id: DatasetId, query: PageQuery) -> Answer<Page<Dataset>> {
    list(&format!("/datasets/{id}/versions"), &query).await
}

/// The next version, of the rows that pass.
pub async fn create_version(id: DatasetId, filters: RowFilters) -> Answer<Dataset> {
    post(&format!("/datasets/{id}/versions"), &filters).await
}

pub async fn find_diff(id: DatasetId, from_id: DatasetId) -> Answer<DatasetDiff> {
    list(&format!("/datasets/{id}/diff"), &DiffQuery { from_id }).await
}

pub async fn list_diff_rows(id: DatasetId, query: DiffRowsQuery) -> Answer<CursorPage<DatasetRow>> {
    list(&format!("/datasets/{id}/diff/rows"), &query).await
}

/// The next version, of the repaired rows.
pub async fn repair_dataset(id: DatasetId) -> Answer<Dataset> {
    order(&format!("/datasets/{id}/repair")).await
}

pub fn repaired_address(id: DatasetId) -> String {
    super::address(&format!("/datasets/{id}/repaired"))
}
