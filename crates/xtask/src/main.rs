//! Tools for building and testing Cerebros. Not shipped.
#![expect(clippy::print_stderr, reason = "a command line tool talks to its user")]

mod dev;
mod dist;
mod postgres;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the browser app into `frontend/dist`
    Dist(dist::Options),
    /// Run a command with TEST_POSTGRES_URL set to a throw-away PostgreSQL server
    WithPostgres {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Rebuild and restart the server whenever a source file changes
    Dev,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Dist(options) => {
            dist::run(&options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::WithPostgres { command } => postgres::run_with(&command),
        Command::Dev => dev::run(),
    }
}
