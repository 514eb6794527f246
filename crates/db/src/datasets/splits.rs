//! Which part of a dataset is kept out of training: chosen once.

use super::{changed, lock, require_content, row};
use crate::{DbError, Write, convert};
use cerebros_common::{
    audit::{Action, Noun},
    datasets::{Dataset, DatasetReport, DatasetSplit, NewDatasetSplit},
    ids::DatasetId,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

const FROZEN: &str = "Which rows training is measured on was chosen already, and stays. Make another version of the dataset \
                      to choose others.";

/// # Errors
/// `DbError::Conflict` once it was chosen.
pub async fn choose(write: &mut Write, id: DatasetId, split: NewDatasetSplit) -> Result<Dataset, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("dataset"))?;
    require_content(write, id).await?;
    if chosen(&row).is_some() {
        return Err(DbError::Conflict(FROZEN.to_owned()));
    }
    super::wire(set(write, row, split).await?)
}

/// Chooses the usual part where none was chosen.
pub(crate) async fn freeze(write: &mut Write, id: DatasetId) -> Result<(), DbError> {
    if let Some(row) = lock(write, id).await?.filter(|row| chosen(row).is_none()) {
        set(write, row, NewDatasetSplit::default()).await?;
    }
    Ok(())
}

async fn set(write: &mut Write, row: row::Model, split: NewDatasetSplit) -> Result<row::Model, DbError> {
    let mut row = row.into_active_model();
    row.validation_fraction = Set(Some(split.validation_fraction));
    row.split_seed = Set(Some(convert::signed(split.seed)));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Updated, Noun::Dataset, row.id, &["split"]);
    Ok(row)
}

pub(super) fn chosen(row: &row::Model) -> Option<NewDatasetSplit> {
    Some(NewDatasetSplit {
        validation_fraction: row.validation_fraction?,
        seed: convert::unsigned(row.split_seed?),
    })
}

pub(super) fn wire(split: NewDatasetSplit, report: Option<&DatasetReport>) -> DatasetSplit {
    let rows = report.map(|report| report.rows_accepted);
    let kept = rows.map(|rows| split.validation_rows(rows));
    DatasetSplit {
        validation_fraction: split.validation_fraction,
        seed: split.seed,
        train_rows: rows.zip(kept).map(|(rows, kept)| rows - kept),
        validation_rows: kept,
    }
}
