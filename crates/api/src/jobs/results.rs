//! The metric points of a job that has succeeded, as the table that OpenAI gives as a result file.

use crate::{error::AppResult, state::App};
use cerebros_common::{ids::JobId, jobs::MetricPoint};
use cerebros_db::{self as db, Scope};

pub const FILE_NAME: &str = "step_metrics.csv";

const HEAD: &str = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n";
const POINTS_AT_ONCE: u32 = 2000;

/// The same bytes each time: no point changes once the job is over.
pub async fn table(app: &App, scope: &Scope, id: JobId) -> AppResult<String> {
    let mut table = HEAD.to_owned();
    let mut after = None;
    loop {
        let page = db::jobs::metrics(scope, &app.db, id, after, POINTS_AT_ONCE).await?;
        for point in page.items.iter().filter(|point| point.loss.is_some()) {
            table.push_str(&line(point));
        }
        match page.next_cursor.and_then(|cursor| cursor.parse().ok()) {
            Some(step) => after = Some(step),
            None => return Ok(table),
        }
    }
}

fn line(point: &MetricPoint) -> String {
    let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    format!(
        "{},{},{},{},{}\n",
        point.step,
        cell(point.loss),
        cell(point.token_accuracy),
        cell(point.validation_loss),
        cell(point.validation_token_accuracy)
    )
}
