//! Temporary.
use crate::{Db, DbError, Scope};
use cerebros_common::{datasets::Dataset, ids::DatasetId};
pub struct StoredDataset {
    pub dataset: Dataset,
    pub blob_key: String,
}
pub async fn find(_: &Scope, _: &Db, _: DatasetId) -> Result<Dataset, DbError> {
    Err(DbError::NotFound("dataset"))
}
pub async fn find_for_training(_: &Scope, _: &Db, _: DatasetId) -> Result<StoredDataset, DbError> {
    Err(DbError::NotFound("dataset"))
}
