//! The task that validates a dataset's file.

use super::forms::{wire_format, wire_layout};
use crate::{documents::extraction::scope_of, error::AppError, state::App};
use cerebros_common::{
    datasets::{DatasetFinding, DatasetReport, FindingRepair, FindingSeverity, TokenStatistics},
    ids::{DatasetId, WorkspaceId},
};
use cerebros_datasets::{Code, Finding, Options, Repair, Report, Severity, format::detect, validate};
use cerebros_db::{self as db, Scope, datasets::Validation};
use cerebros_queue::{Burial, HookError, Lease, Task, TaskError};
use cerebros_trainer::base::TINY_BASE_NAME;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::Arc,
    thread,
};
use tokio_util::sync::CancellationToken;

/// More findings help nobody; the report counts them all.
const MAX_FINDINGS: usize = 1000;

#[derive(Debug, Serialize, Deserialize)]
pub struct ValidateDataset {
    pub dataset_id: DatasetId,
}

impl Task for ValidateDataset {
    const NAME: &'static str = "validate_dataset";
    const QUEUE: &'static str = "documents";
    const MAX_ATTEMPTS: u32 = 5;
}

/// Reads the file once and stores what was found. A dataset that is gone, or validated already, stays as it is.
pub async fn run(app: Arc<App>, task: ValidateDataset, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let blob_key = db::datasets::find_unvalidated(&scope, &app.db, task.dataset_id)
        .await
        .map_err(AppError::from)?;
    let found = match blob_key {
        Some(blob_key) => {
            let file = app.storage.local(&blob_key).await.map_err(AppError::internal)?;
            let cancellation = lease.cancellation().clone();
            let reading = tokio::task::spawn_blocking(move || read(file.path(), cancellation)).await;
            let found = reading.map_err(|_| TaskError::retry("Validating the rows failed"))?;
            if lease.cancellation().is_cancelled() {
                return Err(TaskError::Interrupted);
            }
            Some(found.map_err(AppError::internal)?)
        }
        None => None,
    };
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    if let Some(validation) = found {
        db::datasets::finish(&mut write, task.dataset_id, validation)
            .await
            .map_err(AppError::from)?;
    }
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// Says on the dataset that the server gave up.
pub async fn bury(app: Arc<App>, task: ValidateDataset, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(WorkspaceId(workspace_id))).await?;
    let message = "The server failed each time it validated this file. Delete the dataset and add it again; if it \
                   stays, tell the operator.";
    db::datasets::fail(&mut write, task.dataset_id, message).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

fn read(path: &Path, cancellation: CancellationToken) -> io::Result<Validation> {
    let form = detect(BufReader::new(File::open(path)?))?;
    let file = Cancellable {
        file: File::open(path)?,
        cancellation,
    };
    let options = Options {
        near: true,
        threads: thread::available_parallelism().map_or(1, usize::from),
        ..Options::new(form)
    };
    let mut findings = Vec::new();
    let report = validate(
        file,
        &options,
        // The built-in base's tokenizer has one token for each byte.
        Some(&str::len),
        |_| {},
        |finding| {
            if findings.len() < MAX_FINDINGS {
                findings.push(wire_finding(finding));
            }
        },
    )?;
    Ok(Validation {
        format: wire_format(form.format),
        layout: wire_layout(form.layout),
        error: why_useless(&report),
        report: wire_report(&report),
        findings,
    })
}

/// A file whose reading ends with an error once the task is cancelled.
struct Cancellable {
    file: File,
    cancellation: CancellationToken,
}

impl Read for Cancellable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancellation.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.file.read(buffer)
    }
}

fn why_useless(report: &Report) -> Option<String> {
    match (report.rows, report.accepted) {
        (0, _) => Some("The file holds no rows. Upload one JSON object a line, or one list of them.".to_owned()),
        (1, 0) => Some("The only row cannot be used. Its findings say what to mend.".to_owned()),
        (rows, 0) => Some(format!(
            "None of the {rows} rows can be used. The findings say what to mend."
        )),
        _ => None,
    }
}

fn wire_report(report: &Report) -> DatasetReport {
    let statistics = &report.statistics;
    let spread = statistics.tokens_per_row;
    let found = |code| report.findings.get(&code).copied().unwrap_or_default();
    DatasetReport {
        rows_total: report.rows,
        rows_accepted: report.accepted,
        rows_rejected: report.rejected,
        rows_mendable: report.mendable,
        warnings: report.warnings,
        rows_duplicate: found(Code::Duplicate),
        rows_near_duplicate: found(Code::NearDuplicate),
        rows_not_compared: report.not_compared,
        messages: statistics.messages,
        tokens: TokenStatistics {
            total: statistics.tokens,
            min: spread.map_or(0, |spread| spread.min),
            mean: spread.map_or(0.0, |spread| spread.mean),
            p50: spread.map_or(0, |spread| spread.p50),
            p95: spread.map_or(0, |spread| spread.p95),
            max: spread.map_or(0, |spread| spread.max),
        },
        assistant_tokens: statistics.assistant_tokens,
        tokenizer: TINY_BASE_NAME.to_owned(),
    }
}

pub fn wire_finding(finding: Finding) -> DatasetFinding {
    let code = match serde_json::to_value(finding.code) {
        Ok(serde_json::Value::String(code)) => code,
        _ => String::new(),
    };
    let message = match finding.column {
        Some(column) => format!("{} It is at column {column}.", finding.message),
        None => finding.message,
    };
    DatasetFinding {
        line: finding.line,
        field: finding.field,
        code,
        severity: match finding.severity {
            Severity::Error => FindingSeverity::Rejected,
            Severity::Warning => FindingSeverity::Warning,
        },
        message,
        fix: finding.fix,
        repair: match finding.repair {
            Repair::Kept => FindingRepair::Kept,
            Repair::Mended => FindingRepair::Mended,
            Repair::LeftOut => FindingRepair::LeftOut,
        },
    }
}
