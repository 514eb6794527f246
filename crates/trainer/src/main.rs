//! The trainer as a program of its own, for machines that train but do not serve.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use cerebros_trainer::protocol::ExportFormat;
use clap::{Parser, Subcommand};
use serde::Serialize;

#[derive(Parser)]
#[command(
    name = "cerebros-trainer",
    version,
    about = "LoRA fine-tuning and inference of Llama, Mistral, Qwen2 and Qwen3 models"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train the job in a directory that holds job.json; stops with a checkpoint when stdin ends
    Train { job_dir: PathBuf },
    /// Write what the job in a directory would do and need, as JSON
    Plan { job_dir: PathBuf, output: PathBuf },
    /// Write how long the rows of the job in a directory are, as JSON
    Lengths { job_dir: PathBuf, output: PathBuf },
    /// Print which training rows each step's batches take, as JSON: for comparing with other trainers
    Order { job_dir: PathBuf },
    /// Answer requests on a Unix socket; stops when stdin ends
    Infer { socket: PathBuf },
    /// Write an adapter over its base for other programs, compared with the two; stops when stdin ends
    Export {
        base: PathBuf,
        adapter: PathBuf,
        /// peft, merged or gguf
        format: ExportFormat,
        /// A directory that does not exist yet
        out: PathBuf,
    },
    /// Print the token ids of a text and the logits of every position, as JSON
    Logits {
        base: PathBuf,
        #[arg(long)]
        adapter: Option<PathBuf>,
        /// Special tokens are written out
        #[arg(long)]
        text: String,
    },
    /// Write the built-in tiny base into a directory
    TinyBase { dir: PathBuf },
    /// Say what a base directory holds, as JSON
    Inspect { dir: PathBuf },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Train { job_dir } => cerebros_trainer::train_main(&job_dir),
        Command::Plan { job_dir, output } => cerebros_trainer::plan_main(&job_dir, &output),
        Command::Lengths { job_dir, output } => cerebros_trainer::lengths_main(&job_dir, &output),
        Command::Order { job_dir } => print(cerebros_trainer::order(&job_dir)),
        Command::Infer { socket } => cerebros_trainer::infer_main(&socket),
        Command::Export {
            base,
            adapter,
            format,
            out,
        } => cerebros_trainer::export_main(&base, &adapter, format, &out),
        Command::Logits { base, adapter, text } => {
            let computed = cerebros_trainer::logits_of_text(&base, adapter.as_deref(), &text);
            print(computed.map(|(token_ids, logits)| serde_json::json!({ "token_ids": token_ids, "logits": logits })))
        }
        Command::TinyBase { dir } => print(cerebros_trainer::write_tiny_base(&dir)),
        Command::Inspect { dir } => print(cerebros_trainer::inspect_base(&dir)),
    }
}

/// JSON on stdout, or a sentence on stderr.
fn print<T: Serialize, E: Display>(result: Result<T, E>) -> ExitCode {
    let written = match &result {
        Ok(value) => writeln!(std::io::stdout(), "{}", serde_json::json!(value)),
        Err(error) => writeln!(std::io::stderr(), "{error}"),
    };
    if result.is_ok() && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(20)
    }
}
