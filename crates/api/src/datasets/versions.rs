//! The next version of a dataset, made of the rows of one before.

use super::{
    Origin, forms, native, store,
    written::{self, Opened, RowWriter},
};
use crate::{
    error::{AppError, AppResult},
    idempotency::Turn,
    state::App,
};
use cerebros_common::{
    datasets::{Dataset, DatasetSource, RowFilters},
    ids::DatasetId,
};
use cerebros_datasets::{Code, Options};
use cerebros_db::{self as db, Scope};
use std::{
    cell::Cell,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Makes a version of what the repaired file of a dataset holds.
///
/// # Errors
/// 409 while it is being validated, and where there is nothing to repair.
pub async fn repair(app: Arc<App>, turn: Turn, scope: Scope, id: DatasetId) -> AppResult {
    let opened = written::open(&app, &scope, id).await?;
    let broken = opened.dataset.clone();
    if broken.report.as_ref().is_some_and(|report| report.rows_rejected == 0) {
        return Err(AppError::conflict(
            "No row of this dataset was rejected: there is nothing to repair.",
        ));
    }
    let origin = origin(&app, &scope, broken, DatasetSource::Repair, None).await?;
    let writer = written::stored(&app, move |out| written::write_repaired(&opened, out)).await?;
    store(app, turn, scope, origin, writer, native).await
}

/// Makes a version of the rows that pass the filters.
///
/// # Errors
/// 409 while it is being validated, for a format of another kind of rows, and where no row passes.
pub async fn filter(app: Arc<App>, turn: Turn, scope: Scope, id: DatasetId, filters: RowFilters) -> AppResult {
    let opened = written::open(&app, &scope, id).await?;
    if let Some(format) = filters.format {
        written::require_kind(opened.form.format, forms::format(format))?;
    }
    let origin = origin(
        &app,
        &scope,
        opened.dataset.clone(),
        DatasetSource::Rows,
        Some(filters.clone()),
    )
    .await?;
    let kept = Arc::new(AtomicU64::new(0));
    let counter = kept.clone();
    let writing = move |out: &mut _| {
        let rows = write_filtered(&opened, &filters, out)?;
        counter.store(rows, Ordering::Relaxed);
        Ok(())
    };
    let writer = written::stored(&app, writing).await?;
    if kept.load(Ordering::Relaxed) == 0 {
        return Err(AppError::conflict("No row of this dataset passes. Choose other rows."));
    }
    store(app, turn, scope, origin, writer, native).await
}

async fn origin(
    app: &App,
    scope: &Scope,
    parent: Dataset,
    source: DatasetSource,
    filters: Option<RowFilters>,
) -> AppResult<Origin> {
    Ok(Origin {
        documents: db::datasets::documents_of(scope, &app.db, parent.id).await?,
        name: parent.name,
        agent_id: parent.agent_id,
        source,
        version_of: Some(parent.id),
        filters,
    })
}

/// Tells how many rows pass.
fn write_filtered(opened: &Opened, filters: &RowFilters, out: &mut impl Write) -> io::Result<u64> {
    let from = opened.form.format;
    let to = filters.format.map_or(from, forms::format);
    let options = Options {
        near: filters.without_near_duplicates,
        threads: thread::available_parallelism().map_or(1, usize::from),
        ..Options::new(opened.form)
    };
    let mut rows = RowWriter::new(out, opened.form.layout);
    // A finding is told before its row.
    let left_out = Cell::new(0);
    let mut kept = 0;
    written::read(
        opened,
        &options,
        |row| {
            let short = filters.min_tokens.is_some_and(|least| row.tokens < least);
            let long = filters.max_tokens.is_some_and(|most| row.tokens > most);
            if short || long || left_out.get() == row.line {
                return Ok(());
            }
            let converted = if from == to {
                None
            } else {
                Some(written::written(&row, from, to))
            };
            match &converted {
                None => rows.write(row.source)?,
                Some(Some(converted)) => rows.write(converted.as_bytes())?,
                Some(None) => return Ok(()),
            }
            kept += 1;
            Ok(())
        },
        |finding| {
            let unwanted = match finding.code {
                Code::Duplicate => filters.without_duplicates,
                Code::NearDuplicate => filters.without_near_duplicates,
                _ => false,
            };
            if unwanted {
                left_out.set(finding.line);
            }
            Ok(())
        },
    )?;
    rows.end()?;
    Ok(kept)
}
