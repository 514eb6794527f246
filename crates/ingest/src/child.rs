//! The process in which untrusted files are read: what runs inside it, and what its parent makes of its end.
//!
//! The parent starts `PROGRAM extract INPUT FORMAT OUTPUT` with a pipe as standard input and keeps the other end open:
//! when it dies, the child sees the end of the pipe and takes its whole process group down. Working with wall-clock
//! time is the parent's part: it kills the process group and passes [`Exit::TimedOut`].

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use crate::extract::{ExtractCode, ExtractError, Limits, extract};
use crate::{Format, Reading, reading};

const MEMORY_BYTES: u64 = 1 << 30;
const CPU_SECONDS: u64 = 120;
const OUTPUT_BYTES: u64 = 512 << 20;

/// What the child writes: `{"ok": {text, pages, ..}}` or `{"error": {code, message}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtractOutcome {
    Ok(Reading),
    Error(ExtractError),
}

/// How the child ended, as its parent saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this status.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// The parent lost patience and killed it.
    TimedOut,
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(-1),
        }
    }
}

/// The exit code of a child that could not write its result.
const UNWRITABLE: u8 = 4;

/// The whole life of the child: limits itself, reads `input`, writes an [`ExtractOutcome`] to `output` (whole or not
/// at all). Succeeds whenever an outcome was written, also when that is an error.
pub fn extract_main(input: &Path, format: Format, output: &Path) -> ExitCode {
    if confine().is_err() {
        return ExitCode::from(3);
    }
    let outcome = match extract(input, format, &Limits::default()) {
        Ok(extracted) => ExtractOutcome::Ok(reading(extracted)),
        Err(error) => ExtractOutcome::Error(error),
    };
    match write_outcome(&outcome, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(UNWRITABLE),
    }
}

/// Reads what the child left at `output`. `None`: it left nothing, so [`outcome_of_exit`] has to explain.
pub fn read_outcome(output: &Path) -> Option<ExtractOutcome> {
    let file = File::open(output).ok()?;
    serde_json::from_reader(BufReader::new(file.take(OUTPUT_BYTES))).ok()
}

/// The result of a child that ended as `exit`: what it wrote, or the sentence for why there is nothing.
pub fn outcome_of_exit(exit: Exit, output: &Path) -> Result<Reading, ExtractError> {
    if exit == Exit::Code(0)
        && let Some(outcome) = read_outcome(output)
    {
        return match outcome {
            ExtractOutcome::Ok(reading) => Ok(reading),
            ExtractOutcome::Error(error) => Err(error),
        };
    }
    Err(code_of_exit(exit).into())
}

fn code_of_exit(exit: Exit) -> ExtractCode {
    let is = |number: i32, signal: Signal| number == signal.as_raw();
    match exit {
        Exit::TimedOut => ExtractCode::TimedOut,
        Exit::Signal(signal) if is(signal, Signal::XCPU) => ExtractCode::TimedOut,
        Exit::Code(code) if code == i32::from(UNWRITABLE) => ExtractCode::Unwritable,
        // A failed allocation aborts; the kernel's own out-of-memory killer sends KILL.
        Exit::Signal(signal) if is(signal, Signal::ABORT) || is(signal, Signal::KILL) => ExtractCode::OutOfMemory,
        Exit::Signal(_) | Exit::Code(_) => ExtractCode::Crashed,
    }
}

/// Makes this process one that may read what a stranger sent: bounded memory, CPU time and output, and it ends with its
/// parent.
///
/// # Errors
/// When a limit cannot be set.
pub fn confine() -> std::io::Result<()> {
    use rustix::process;
    // Fails where the parent has already made the child a session or group leader, which serves as well.
    if process::setpgid(None, None).is_err() && process::getpgrp() != process::getpid() {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    watch_parent();
    let nice = process::nice(10);
    debug_assert!(nice.is_ok(), "lowering the priority needs no right");
    for (resource, soft) in [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, OUTPUT_BYTES),
    ] {
        let maximum = process::getrlimit(resource).maximum;
        let current = maximum.map_or(soft, |maximum| soft.min(maximum));
        // The hard limit of CPU time kills, the soft one still tells the parent why.
        let hard = if resource == Resource::Cpu {
            current + 5
        } else {
            current
        };
        process::setrlimit(
            resource,
            Rlimit {
                current: Some(current),
                maximum: Some(maximum.map_or(hard, |maximum| hard.min(maximum))),
            },
        )?;
    }
    Ok(())
}

/// Ends the process group, `pdftotext` included, when standard input ends. Only a pipe or a socket is a leash: run by
/// hand, from a terminal or `/dev/null`, there is no parent to outlive.
fn watch_parent() {
    use rustix::fs::FileType;
    let Ok(stat) = rustix::fs::fstat(rustix::stdio::stdin()) else {
        return;
    };
    if !matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket) {
        return;
    }
    std::thread::spawn(|| {
        let mut buffer = [0; 64];
        let mut stdin = std::io::stdin();
        loop {
            match stdin.read(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        if rustix::process::kill_current_process_group(Signal::KILL).is_err() {
            std::process::exit(5);
        }
    });
}

fn write_outcome(outcome: &ExtractOutcome, output: &Path) -> std::io::Result<()> {
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    let mut writer = BufWriter::new(File::create(&partial)?);
    serde_json::to_writer(&mut writer, outcome)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    std::fs::rename(&partial, output)
}
