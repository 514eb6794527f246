//! How long the rows of a dataset are for a base, counted by the trainer's own code in a child.

use super::{
    estimate::counted,
    prepare::{self, Parts},
};
use crate::{error::AppResult, state::App};
use cerebros_common::{
    datasets::{DatasetLengths, LengthSpan, LongRow},
    jobs::NewJob,
};
use cerebros_db::Scope;
use cerebros_trainer::protocol::lengths::Lengths;
use std::path::Path;

/// Of all rows of the job's dataset, those included that are kept out of training.
///
/// # Errors
/// 409 where the rows cannot be counted, 503 when others keep the server counting or the dataset takes too long to count.
pub async fn lengths(app: &App, scope: &Scope, new: &NewJob) -> AppResult<DatasetLengths> {
    let parts = Parts {
        base_id: new.base_id,
        dataset_id: new.dataset_id,
        validation_dataset_id: None,
        initial_model_id: None,
        method: new.parameters.method,
    };
    let source = prepare::source(app, scope, &parts).await?;
    let fill = async |directory: &Path| prepare::fill_whole(app, directory, source, &new.parameters).await;
    let (lengths, lines) = counted(app, "lengths", fill).await?;
    Ok(wire(lengths, &lines))
}

/// `lines`: where each row stands in the dataset's own file.
fn wire(lengths: Lengths, lines: &[u64]) -> DatasetLengths {
    let line = |number: u64| {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        lines.get(index).copied()
    };
    DatasetLengths {
        max_tokens: lengths.max_tokens,
        rows: lengths.rows,
        truncated_rows: lengths.truncated_rows,
        dropped_rows: lengths.dropped_rows,
        cut_off_rows: lengths.cut_off_rows,
        tokens: lengths.tokens,
        trainable_tokens: lengths.trainable_tokens,
        p50_tokens: lengths.p50,
        p90_tokens: lengths.p90,
        p99_tokens: lengths.p99,
        longest_row_tokens: lengths.longest,
        spread: lengths
            .spread
            .into_iter()
            .map(|span| LengthSpan {
                from: span.from,
                to: span.to,
                rows: span.rows,
            })
            .collect(),
        longest_rows: lengths
            .longest_rows
            .into_iter()
            .filter_map(|row| {
                Some(LongRow {
                    line: line(row.line)?,
                    tokens: row.tokens,
                })
            })
            .collect(),
    }
}
