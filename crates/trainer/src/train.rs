//! The trainer's process: one job directory in, event lines out. Restartable at any instant.
//!
//! The loss of a step is the cross-entropy summed over the trainable tokens of all its batches, divided by their number,
//! as transformers' `Trainer` normalises it; of pairs of answers, the mean of TRL's DPO loss over all pairs of the step. The
//! rate follows its schedules with warm-up.

mod checkpoint;
mod data;
mod device;
mod divergence;
mod emitter;
mod extremes;
mod failure;
pub(crate) mod files;
mod job;
mod lengths;
pub mod memory;
mod objective;
mod optimizer;
mod output;
mod plan;
mod preference;
mod run;
mod sample;
mod schedule;
mod step;
pub(crate) mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use crate::protocol::estimate::{Estimate, Outcome};
use crate::protocol::{Event, Exit};
use crate::threads;
use emitter::Emitter;
use watch::Interrupt;

pub use failure::{Failure, Stop};
pub use run::order;

/// Stack of the training thread; candle's backward walk is recursive.
const STACK_BYTES: usize = 64 << 20;

/// Trains the job in `job_dir`, or continues it, with events on stdout and logs on stderr. Leaves with a checkpoint when
/// stdin ends or SIGTERM comes. The process replaces itself once to fix its number of threads, so this must be called before
/// anything is read from stdin.
pub fn train_main(job_dir: &Path) -> ExitCode {
    let emitter = Arc::new(Emitter::stdout());
    let exit = match supervise(job_dir, &emitter) {
        Ok(()) => Exit::Done,
        Err(Stop::Interrupted) => Exit::Interrupted,
        Err(Stop::Failed(failure)) => {
            let exit = failure.exit();
            let Failure { code, message, remedy } = failure;
            emitter.emit(Event::Failed { code, message, remedy });
            exit
        }
    };
    exit.into()
}

/// Writes to `output` what the job in `job_dir` would do and need, or why it cannot run. Succeeds whenever it has written.
/// Leaves when stdin ends. Replaces itself once, as [`train_main`] does.
pub fn plan_main(job_dir: &Path, output: &Path) -> ExitCode {
    tell(planned(job_dir), output)
}

/// Writes to `output` how long the rows of the job in `job_dir` are, as [`plan_main`] writes its.
pub fn lengths_main(job_dir: &Path, output: &Path) -> ExitCode {
    let counted = Interrupt::watch()
        .map_err(|error| Failure::internal(error).into())
        .and_then(|interrupt| lengths::lengths(job_dir, &interrupt));
    tell(counted, output)
}

fn tell<T: Serialize>(result: Result<T, Stop>, output: &Path) -> ExitCode {
    let outcome = match result {
        Ok(told) => Outcome::Ok(Box::new(told)),
        Err(Stop::Interrupted) => return Exit::Interrupted.into(),
        Err(Stop::Failed(Failure { code, message, remedy })) => Outcome::Failed { code, message, remedy },
    };
    let written = serde_json::to_vec(&outcome)
        .map_err(std::io::Error::other)
        .and_then(|json| std::fs::write(output, json));
    match written {
        Ok(()) => Exit::Done.into(),
        Err(_) => Exit::Internal.into(),
    }
}

fn planned(job_dir: &Path) -> Result<Estimate, Stop> {
    let spec = job::read(job_dir)?;
    threads::fix(spec.parameters.threads).map_err(Failure::internal)?;
    let interrupt = Interrupt::watch().map_err(Failure::internal)?;
    plan::estimate(job_dir, &interrupt)
}

fn supervise(job_dir: &Path, emitter: &Arc<Emitter>) -> Result<(), Stop> {
    let lock = files::lock(job_dir)?;
    if let Some(done) = output::finished(job_dir) {
        for event in checkpoint::told(job_dir) {
            emitter.emit(event);
        }
        if let Some(samples) = extremes::told(job_dir) {
            emitter.emit(samples);
        }
        emitter.emit(done);
        return Ok(());
    }
    let spec = job::read(job_dir)?;
    threads::fix_and_keep_memory(spec.parameters.threads).map_err(Failure::internal)?;
    let interrupt = Interrupt::watch().map_err(Failure::internal)?;
    emitter.interrupt_on_failure(interrupt.clone());
    let training = {
        let (job_dir, emitter) = (job_dir.to_owned(), emitter.clone());
        std::thread::Builder::new()
            .name("training".into())
            .stack_size(STACK_BYTES)
            .spawn(move || run::run(&job_dir, &spec, &emitter, &interrupt))
            .map_err(Failure::internal)?
    };
    let result = training
        .join()
        .unwrap_or_else(|_| Err(Failure::internal("the training thread panicked").into()));
    drop(lock);
    result
}
