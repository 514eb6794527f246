//! What a job would do, need and cost, counted by the trainer's own code in a child.

use super::prepare::{self, Parts};
use crate::{
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::jobs::{FittingParameters, JobEstimate, JobPlan, NewJob};
use cerebros_db::Scope;
use cerebros_ingest::child::Exit;
use cerebros_trainer::protocol::estimate::{Estimate, Outcome};
use serde::de::DeserializeOwned;
use std::{io, path::Path, time::Duration};
use tokio::fs;
use uuid::Uuid;

/// A large dataset takes a while to count; nobody waits for ever.
const DEADLINE: Duration = Duration::from_secs(25);
/// How long one waits for those before.
const PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// 409 where the job could not start, 503 when others keep the server counting or the dataset takes too long to count.
pub async fn estimate(app: &App, scope: &Scope, new: &NewJob) -> AppResult<JobEstimate> {
    let parts = Parts {
        base_id: new.base_id,
        dataset_id: new.dataset_id,
        validation_dataset_id: new.validation_dataset_id,
        initial_model_id: new.initial_model_id,
        method: new.parameters.method,
    };
    let source = prepare::source(app, scope, &parts).await?;
    let fill = async |directory: &Path| prepare::fill(app, directory, source, Uuid::nil(), &new.parameters).await;
    let (estimate, ()) = counted(app, "plan", fill).await?;
    Ok(wire(app, estimate))
}

/// What a child counts in a directory that `fill` fills, and what that gave.
pub async fn counted<T: DeserializeOwned, F>(
    app: &App,
    part: &str,
    fill: impl AsyncFnOnce(&Path) -> io::Result<F>,
) -> AppResult<(T, F)> {
    let busy = || AppError::unavailable("Other estimates are being made. Try again in a moment.", 5);
    let turn = tokio::time::timeout(PATIENCE, app.estimates.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(busy());
    };
    let directory = app.config.work_dir().join("estimates").join(Uuid::now_v7().to_string());
    let outcome = run(app, part, fill, &directory).await;
    if let Err(error) = fs::remove_dir_all(&directory).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(error = %error, "what an estimate was made of could not be removed");
    }
    match outcome? {
        (Outcome::Ok(counted), filled) => Ok((*counted, filled)),
        (Outcome::Failed { message, remedy, .. }, _) => Err(AppError::conflict(format!("{message} {remedy}"))),
    }
}

async fn run<T: DeserializeOwned, F>(
    app: &App,
    part: &str,
    fill: impl AsyncFnOnce(&Path) -> io::Result<F>,
    directory: &Path,
) -> AppResult<(Outcome<T>, F)> {
    let filled = fill(directory).await.map_err(AppError::io)?;
    let output = directory.join("told.json");
    let mut command = crate::child::command(&app.config, part);
    command.arg(directory).arg(&output);
    match crate::child::run(command, DEADLINE).await.map_err(AppError::io)? {
        Exit::Code(0) => {
            let bytes = fs::read(&output).await.map_err(AppError::io)?;
            Ok((serde_json::from_slice(&bytes).map_err(AppError::internal)?, filled))
        }
        Exit::TimedOut => Err(AppError::unavailable(
            "This dataset takes too long to count while you wait. Start the job: it counts the same.",
            60,
        )),
        exit => Err(AppError::internal(anyhow::anyhow!("an estimate ended as {exit:?}"))),
    }
}

fn wire(app: &App, estimate: Estimate) -> JobEstimate {
    let duration_s = estimate.seconds.ceil() as u64;
    let price = app.config.training_prices.of(&estimate.device);
    let size = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    JobEstimate {
        plan: JobPlan {
            method: super::wire_method(estimate.method),
            total_steps: estimate.total_steps,
            train_rows: estimate.train_rows,
            validation_rows: estimate.validation_rows,
            train_tokens: estimate.train_tokens,
            trainable_tokens: estimate.trainable_tokens,
            truncated_rows: estimate.truncated_rows,
            dropped_rows: estimate.dropped_rows,
            trainable_parameters: estimate.trainable_parameters,
            precision: super::precision(estimate.precision),
            device: estimate.device,
        },
        duplicate_rows: estimate.duplicate_rows,
        longest_row_tokens: estimate.longest_row,
        memory_bytes: estimate.memory_bytes,
        available_bytes: estimate.available_bytes,
        recomputes: estimate.recompute,
        fits: estimate.fits,
        fitting: estimate.fitting.map(|fitting| FittingParameters {
            batch_size: size(fitting.batch_size),
            gradient_accumulation_steps: size(fitting.gradient_accumulation_steps),
            max_seq_length: size(fitting.max_seq_length),
        }),
        duration_s,
        cost_micros: price.map(|price| {
            let cost = u128::from(price) * u128::from(duration_s) / 3600;
            i64::try_from(cost).unwrap_or(i64::MAX)
        }),
    }
}
