//! What a request for fine-tuning orders, in the product's own terms.

use crate::{
    error::{AppError, AppResult},
    files,
    jobs::{self, Misfit},
    models::{self, Named},
    state::App,
};
use cerebros_common::{
    bases::BaseStatus,
    datasets::{Dataset, DatasetStatus, RowsKind},
    fine_tuning::{
        Choice, Dpo, DpoHyperparameters, Hyperparameters, Method, NewFineTuningJob, NewHyperparameters, Supervised,
    },
    ids::BaseId,
    jobs::{Job, JobParameters, MethodChoice, NewJob, TrainingMethod},
    wire::{MAX_LIMIT, Paging},
};
use cerebros_db::{self as db, DbError, Scope, jobs::JobLabel};

/// What the multiplier of the learning rate multiplies.
const LEARNING_RATE: f64 = 2e-4;
/// OpenAI's.
const MAX_EPOCHS: u32 = 50;
const MAX_BATCH_SIZE: u32 = 64;
const BETAS: std::ops::RangeInclusive<f64> = 0.001..=10.0;
const MULTIPLIERS: std::ops::RangeInclusive<f64> = 0.0005..=500.0;

pub struct Order {
    pub job: NewJob,
    pub label: JobLabel,
    /// Its files are still being validated: the job waits for that.
    pub validating: bool,
}

/// Looks up what the request names and checks what it wants.
pub async fn read(app: &App, scope: &Scope, new: &NewFineTuningJob) -> AppResult<Order> {
    if new.integrations.as_ref().is_some_and(|all| !all.is_empty()) {
        let message =
            "must be empty: no integration is served. The metrics are in the job's events and its result file";
        return Err(AppError::field("integrations", "invalid_value", message));
    }
    let mut parameters = parameters(new)?;
    let (base_id, initial_model_id) = match models::named(&new.model) {
        Some(Named::Model(id)) => {
            let model = db::models::find(scope, &app.db, id).await;
            let model = model.map_err(models::not_found(&new.model))?.model;
            let before = db::jobs::find(scope, &app.db, model.job_id).await?;
            parameters = parameters.on_adapter_of(&before.parameters);
            (model.base_id, Some(id))
        }
        _ => (base(app, scope, &new.model).await?, None),
    };
    let (dataset, mut validating) = rows(app, scope, &new.training_file, "training_file").await?;
    let measured = match &new.validation_file {
        Some(id) => {
            let (measured, also) = rows(app, scope, id, "validation_file").await?;
            validating |= also;
            Some(measured)
        }
        None => None,
    };
    if !validating {
        let kind = measured.as_ref().map(|measured| measured.rows_kind);
        parameters.method = suited(parameters.method, dataset.rows_kind, kind)?;
    }
    Ok(Order {
        job: NewJob {
            dataset_id: dataset.id,
            validation_dataset_id: measured.map(|measured| measured.id),
            base_id,
            initial_model_id,
            agent_id: None,
            parameters,
        },
        label: JobLabel {
            suffix: new.suffix.clone(),
            metadata: new.metadata.clone(),
        },
        validating,
    })
}

/// The base by its id among the models, or the newest that has the name.
async fn base(app: &App, scope: &Scope, name: &str) -> AppResult<BaseId> {
    let base = match models::named(name) {
        Some(Named::Base(id)) => match db::bases::find(scope, &app.db, id).await {
            Ok(base) => Some(base),
            Err(DbError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        _ => {
            let bases = db::bases::list(scope, &app.db, Paging::new(None, Some(MAX_LIMIT))).await?;
            bases.items.into_iter().find(|base| base.name == name)
        }
    };
    let ready = base.filter(|base| base.status == BaseStatus::Ready);
    ready.map(|base| base.id).ok_or_else(|| {
        models::no_model(format!(
            "`{name}` is no base to train on in this workspace, nor a model to go on from. `GET /v1/models` lists them as \
             `base:...` and `ft:...`."
        ))
    })
}

/// How is learned from rows that have been validated.
fn suited(choice: MethodChoice, rows: Option<RowsKind>, measured: Option<Option<RowsKind>>) -> AppResult<MethodChoice> {
    match jobs::method(choice, rows, measured) {
        Ok(TrainingMethod::Supervised) => Ok(MethodChoice::Supervised),
        Ok(TrainingMethod::Dpo) => Ok(MethodChoice::Dpo),
        Ok(TrainingMethod::Text) => Ok(MethodChoice::Text),
        Err(Misfit::Method(message)) => Err(AppError::field("method.type", "invalid_value", message)),
        Err(Misfit::Validation(message)) => Err(AppError::field("validation_file", "invalid_value", message)),
    }
}

/// The dataset of a file, and whether it is still being validated.
async fn rows(app: &App, scope: &Scope, id: &str, param: &str) -> AppResult<(Dataset, bool)> {
    let dataset = files::find_rows(app, scope, id, param).await?.dataset;
    match dataset.status {
        DatasetStatus::Ready => Ok((dataset, false)),
        DatasetStatus::Uploading | DatasetStatus::Validating => Ok((dataset, true)),
        DatasetStatus::Error | DatasetStatus::Erased => {
            let reason = dataset.error.unwrap_or_default();
            let message = format!("names a file that cannot be used. {reason}");
            Err(AppError::field(param, &format!("invalid_{param}"), message))
        }
    }
}

fn parameters(new: &NewFineTuningJob) -> AppResult<JobParameters> {
    let (method, of_method) = match &new.method {
        None => (MethodChoice::Auto, None),
        Some(method) => match method.kind.as_str() {
            "supervised" => (
                MethodChoice::Supervised,
                method.supervised.as_ref().and_then(|own| own.hyperparameters.as_ref()),
            ),
            "dpo" => (
                MethodChoice::Dpo,
                method.dpo.as_ref().and_then(|own| own.hyperparameters.as_ref()),
            ),
            _ => {
                let message = "must be `supervised` or `dpo`: no other method is served";
                return Err(AppError::field("method.type", "invalid_value", message));
            }
        },
    };
    let none = NewHyperparameters::default();
    let wanted = of_method.or(new.hyperparameters.as_ref()).unwrap_or(&none);
    let defaults = JobParameters::default();
    let rate = match number(wanted.learning_rate_multiplier.as_ref(), "learning_rate_multiplier")? {
        None => defaults.learning_rate,
        Some(multiplier) if MULTIPLIERS.contains(&multiplier) => LEARNING_RATE * multiplier,
        Some(_) => return Err(refused("learning_rate_multiplier", "a number from 0.0005 to 500")),
    };
    let beta = match number(wanted.beta.as_ref(), "beta")? {
        None => defaults.beta,
        Some(beta) if BETAS.contains(&beta) => beta,
        Some(_) => return Err(refused("beta", "a number from 0.001 to 10")),
    };
    Ok(JobParameters {
        method,
        beta,
        epochs: count(wanted.n_epochs.as_ref(), "n_epochs", MAX_EPOCHS)?.unwrap_or(defaults.epochs),
        batch_size: count(wanted.batch_size.as_ref(), "batch_size", MAX_BATCH_SIZE)?.unwrap_or(defaults.batch_size),
        learning_rate: rate,
        seed: new.seed.map_or(defaults.seed, u64::from),
        ..defaults
    })
}

/// `None` for `auto` and what is absent.
fn number(choice: Option<&Choice>, name: &str) -> AppResult<Option<f64>> {
    match choice {
        None => Ok(None),
        Some(Choice::Word(word)) if word == "auto" => Ok(None),
        Some(Choice::Word(_)) => Err(refused(name, "a number")),
        Some(Choice::Number(number)) => Ok(Some(*number)),
    }
}

fn count(choice: Option<&Choice>, name: &str, most: u32) -> AppResult<Option<u32>> {
    let Some(wanted) = number(choice, name)? else {
        return Ok(None);
    };
    let fits = (1..=most).find(|whole| f64::from(*whole) == wanted);
    fits.map(Some)
        .ok_or_else(|| refused(name, &format!("a whole number from 1 to {most}")))
}

fn refused(name: &str, bounds: &str) -> AppError {
    let path = format!("hyperparameters.{name}");
    AppError::field(&path, "invalid_value", format!("must be `auto` or {bounds}"))
}

/// As the wire tells of them.
pub fn hyperparameters(parameters: &JobParameters) -> Hyperparameters {
    let multiplier = parameters.learning_rate / LEARNING_RATE;
    Hyperparameters {
        n_epochs: parameters.epochs,
        batch_size: parameters.batch_size,
        // What was multiplied before comes out as it went in.
        learning_rate_multiplier: (multiplier * 1e6).round() / 1e6,
    }
}

/// A job's method with its settings, as the wire tells of it.
pub fn method(job: &Job) -> Method {
    let hyperparameters = hyperparameters(&job.parameters);
    let found = job.plan.as_ref().map(|plan| plan.method);
    if found == Some(TrainingMethod::Dpo) || job.parameters.method == MethodChoice::Dpo {
        let hyperparameters = DpoHyperparameters {
            n_epochs: hyperparameters.n_epochs,
            batch_size: hyperparameters.batch_size,
            learning_rate_multiplier: hyperparameters.learning_rate_multiplier,
            beta: job.parameters.beta,
        };
        return Method {
            kind: "dpo".to_owned(),
            supervised: None,
            dpo: Some(Dpo { hyperparameters }),
        };
    }
    Method {
        kind: "supervised".to_owned(),
        supervised: Some(Supervised { hyperparameters }),
        dpo: None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]

    use super::{hyperparameters, parameters};
    use cerebros_common::fine_tuning::NewFineTuningJob;
    use serde_json::{Value, json};

    fn read(hyperparameters: Value) -> Result<cerebros_common::jobs::JobParameters, String> {
        let body = json!({"model": "m", "training_file": "f", "hyperparameters": hyperparameters});
        let new: NewFineTuningJob = serde_json::from_value(body).unwrap();
        parameters(&new).map_err(|error| error.detail)
    }

    #[test]
    fn hyperparameters_come_out_as_they_went_in() {
        for (epochs, batch, multiplier) in [(1, 1, 0.1), (50, 64, 500.0), (3, 8, 1.8), (2, 4, 0.0005)] {
            let sent = json!({"n_epochs": epochs, "batch_size": batch, "learning_rate_multiplier": multiplier});
            let told = hyperparameters(&read(sent.clone()).unwrap());
            let told = serde_json::to_value(told).unwrap();
            assert_eq!(told["n_epochs"], epochs);
            assert_eq!(told["batch_size"], batch);
            assert_eq!(told["learning_rate_multiplier"], multiplier);
        }
    }

    #[test]
    fn auto_and_absent_are_the_defaults() {
        let auto = json!({"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"});
        assert_eq!(read(auto).unwrap(), read(json!({})).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (name, value) in [
            ("n_epochs", json!(0)),
            ("n_epochs", json!(51)),
            ("n_epochs", json!(1.5)),
            ("n_epochs", json!("many")),
            ("batch_size", json!(65)),
            ("learning_rate_multiplier", json!(0)),
            ("learning_rate_multiplier", json!(501)),
        ] {
            let refused = read(json!({name: value})).unwrap_err();
            assert!(
                refused.starts_with(&format!("`hyperparameters.{name}` must be")),
                "{refused}"
            );
        }
    }
}
