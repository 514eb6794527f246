//! Adapters written for other programs, each compared with what it was made of before it counts as written.

mod gguf;
mod merged;
mod parity;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::base::{LlamaConfig, inspect_base};
use crate::chat::{Chat, Moment};
use crate::model::Llama;
use crate::model::adapter::Adapter;
use crate::protocol::{AdapterFile, Certificate, Exit, ExportFormat, ExportOutcome};
use crate::threads;
use crate::train::files;
use crate::train::watch::Interrupt;
use crate::train::{Failure, Stop};

/// Writes the adapter over the base into `out`, which must not exist, and says on stdout how that went. Leaves nothing
/// behind when it fails, or when stdin ends or SIGTERM comes. The process replaces itself once to fix its number of threads,
/// so this must be called before anything is read from stdin.
pub fn export_main(base: &Path, adapter: &Path, format: ExportFormat, out: &Path) -> ExitCode {
    let exported = threads::fix(None)
        .and_then(|()| Interrupt::watch())
        .map_err(|error| Failure::internal(error).into())
        .and_then(|interrupt| export(base, adapter, format, out, &interrupt));
    let failed = |failure: Failure, certificate| {
        let exit = failure.exit();
        let Failure { code, message, remedy } = failure;
        let failed = ExportOutcome::Failed {
            code,
            message,
            remedy,
            certificate,
        };
        (failed, exit)
    };
    let (outcome, exit) = match exported {
        Ok((files, certificate)) if certificate.holds() => (ExportOutcome::Done { files, certificate }, Exit::Done),
        Ok((_, certificate)) => failed(parity::refusal(&certificate), Some(certificate)),
        Err(Stop::Interrupted) => return Exit::Interrupted.into(),
        Err(Stop::Failed(failure)) => failed(failure, None),
    };
    match writeln!(std::io::stdout(), "{}", serde_json::json!(outcome)) {
        Ok(()) => exit.into(),
        Err(_) => Exit::Internal.into(),
    }
}

fn export(
    base: &Path,
    adapter: &Path,
    format: ExportFormat,
    out: &Path,
    interrupt: &Interrupt,
) -> Result<(Vec<AdapterFile>, Certificate), Stop> {
    inspect_base(base)?;
    std::fs::create_dir(out)?;
    let exported = write_and_compare(base, adapter, format, out, interrupt);
    if !exported.as_ref().is_ok_and(|(_, certificate)| certificate.holds()) {
        files::remove_directory(out)?;
    }
    exported
}

fn write_and_compare(
    base: &Path,
    adapter_dir: &Path,
    format: ExportFormat,
    out: &Path,
    interrupt: &Interrupt,
) -> Result<(Vec<AdapterFile>, Certificate), Stop> {
    let config = LlamaConfig::read(base)?;
    let adapter = Adapter::load(adapter_dir, &config)?;
    let prompts = parity::prompts(&Chat::load(base, &config, Moment::Fixed)?, &config)?;
    let certificate = match format {
        ExportFormat::Peft => {
            for file in files::list(adapter_dir)? {
                std::fs::copy(adapter_dir.join(&file.name), out.join(&file.name))?;
            }
            let llama = Llama::load(base)?;
            let expected = parity::continue_all(&llama, Some(&adapter), &prompts, interrupt)?;
            parity::compare(&expected, &llama, Some(&Adapter::load(out, &config)?), interrupt)?
        }
        ExportFormat::Merged => {
            merged::write(base, &config, &adapter, out, interrupt)?;
            // One after the other: two large models would not fit.
            let expected = parity::continue_all(&Llama::load(base)?, Some(&adapter), &prompts, interrupt)?;
            parity::compare(&expected, &Llama::load(out)?, None, interrupt)?
        }
        ExportFormat::Gguf => {
            let path = out.join("adapter.gguf");
            gguf::write(&path, &config, &adapter)?;
            let llama = Llama::load(base)?;
            let expected = parity::continue_all(&llama, Some(&adapter), &prompts, interrupt)?;
            let read_back = gguf::read(&path, &config)?;
            parity::compare(&expected, &llama, Some(&read_back), interrupt)?
        }
    };
    Ok((files::list(out)?, certificate))
}
