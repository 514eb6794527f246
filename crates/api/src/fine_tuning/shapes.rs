//! Events and checkpoints in OpenAI's shapes.

use crate::models;
use cerebros_common::{
    fine_tuning::{Figures, FineTuningCheckpoint, FineTuningEvent},
    ids::JobId,
    jobs::{Checkpoint, Job, MetricPoint},
};
use cerebros_db::jobs::{Happening, Mark};
use chrono::{DateTime, Utc};

const EVENT_PREFIX: &str = "ftevent-";

fn event_id(job: JobId, mark: Mark) -> String {
    match mark {
        Mark::Line(number) => format!("{EVENT_PREFIX}{}-l{number}", job.0.simple()),
        Mark::Point(step) => format!("{EVENT_PREFIX}{}-s{step}", job.0.simple()),
    }
}

/// The place in a job's history that the id of one of its events stands for.
pub fn parse_mark(job: JobId, id: &str) -> Option<Mark> {
    let rest = id.strip_prefix(EVENT_PREFIX)?;
    let place = rest.strip_prefix(&job.0.simple().to_string())?.strip_prefix('-')?;
    let number = place.get(1..)?.parse().ok()?;
    match place.get(..1)? {
        "l" => Some(Mark::Line(number)),
        "s" => Some(Mark::Point(number)),
        _ => None,
    }
}

pub fn event(job: &Job, (mark, at, happening): (Mark, DateTime<Utc>, Happening)) -> FineTuningEvent {
    let (level, message, kind, data) = match happening {
        Happening::Line(line) => (line.level, line.message, "message", None),
        Happening::Point(point) => ("info".to_owned(), said(job, &point), "metrics", Some(figures(&point))),
    };
    FineTuningEvent {
        id: event_id(job.id, mark),
        object: "fine_tuning.job.event".to_owned(),
        created_at: at.timestamp(),
        level,
        message,
        kind: kind.to_owned(),
        data,
    }
}

fn said(job: &Job, point: &MetricPoint) -> String {
    let total = job.plan.as_ref().map_or(0, |plan| plan.total_steps);
    let mut said = format!("Step {}/{total}", point.step);
    for (name, value) in [
        ("training loss", point.loss),
        ("validation loss", point.validation_loss),
    ] {
        if let Some(value) = value {
            let mark = if said.contains(':') { "," } else { ":" };
            said.push_str(&format!("{mark} {name}={value:.4}"));
        }
    }
    said
}

fn figures(point: &MetricPoint) -> Figures {
    Figures {
        step: point.step,
        train_loss: point.loss,
        train_mean_token_accuracy: point.token_accuracy,
        valid_loss: point.validation_loss,
        valid_mean_token_accuracy: point.validation_token_accuracy,
        full_valid_loss: point.validation_loss,
        full_valid_mean_token_accuracy: point.validation_token_accuracy,
    }
}

/// `model` is the name of the job's model.
pub fn checkpoint(job: &Job, model: &str, checkpoint: &Checkpoint) -> FineTuningCheckpoint {
    let is_last = job
        .plan
        .as_ref()
        .is_some_and(|plan| plan.total_steps == checkpoint.step);
    let step = checkpoint.step;
    FineTuningCheckpoint {
        id: checkpoint_id(job.id, step),
        object: "fine_tuning.job.checkpoint".to_owned(),
        created_at: checkpoint.created_at.timestamp(),
        fine_tuned_model_checkpoint: match is_last {
            true => model.to_owned(),
            false => models::checkpoint_name(model, step),
        },
        fine_tuning_job_id: super::name(job.id),
        step_number: step,
        metrics: Figures {
            step,
            train_loss: checkpoint.train_loss,
            train_mean_token_accuracy: checkpoint.token_accuracy,
            valid_loss: checkpoint.validation_loss,
            valid_mean_token_accuracy: checkpoint.validation_token_accuracy,
            full_valid_loss: checkpoint.validation_loss,
            full_valid_mean_token_accuracy: checkpoint.validation_token_accuracy,
        },
    }
}

fn checkpoint_id(job: JobId, step: u64) -> String {
    format!("ftckpt-{}-{step}", job.0.simple())
}

/// The step in the id of one of a job's checkpoints.
pub fn parse_checkpoint(job: JobId, id: &str) -> Option<i64> {
    let rest = id.strip_prefix("ftckpt-")?.strip_prefix(&job.0.simple().to_string())?;
    rest.strip_prefix('-')?.parse().ok()
}
