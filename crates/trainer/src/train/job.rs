//! Reading `job.json`.

use std::path::Path;

use super::failure::Failure;
use crate::base::{CONFIG_LIMIT, read_bounded};
use crate::protocol::{FailureCode, JobSpec, VERSION};

pub fn read(job_dir: &Path) -> Result<JobSpec, Failure> {
    let invalid = |message: String| {
        Failure::new(
            FailureCode::InvalidJob,
            message,
            "Write job.json as the trainer's protocol describes it.",
        )
    };
    let bytes = read_bounded(&job_dir.join("job.json"), CONFIG_LIMIT)
        .map_err(|error| invalid(error.to_string()))?
        .ok_or_else(|| invalid("There is no job.json in the job's directory.".into()))?;
    let mut spec: JobSpec =
        serde_json::from_slice(&bytes).map_err(|error| invalid(format!("job.json cannot be understood: {error}.")))?;
    if spec.version != VERSION {
        return Err(invalid(format!(
            "job.json has version {}, this trainer reads {VERSION}.",
            spec.version
        )));
    }
    spec.parameters.validate().map_err(|error| {
        let remedy = format!("Choose another value for {}.", error.field);
        Failure::new(FailureCode::InvalidParameters, error.to_string(), remedy)
    })?;
    for path in [&mut spec.base_dir, &mut spec.dataset]
        .into_iter()
        .chain(&mut spec.validation_dataset)
        .chain(&mut spec.initial_adapter)
    {
        *path = job_dir.join(&*path);
    }
    Ok(spec)
}
