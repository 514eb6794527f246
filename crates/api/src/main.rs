//! The `cerebros` command.

#![expect(clippy::print_stdout, reason = "a command answers on stdout")]

use cerebros_api::{Config, Parts};
use clap::{Parser, Subcommand};
use std::{os::unix::process::CommandExt, path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(
    name = "cerebros",
    version,
    about = "Turns your documents into assistants and models you own"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: browser app, API and background tasks
    Serve,
    /// Run background tasks only (needs PostgreSQL beside a server)
    Work,
    /// Bring the database schema up to date and leave
    Migrate,
    /// Print the OpenAPI document
    Openapi,
    /// Look after a server's data
    #[command(subcommand)]
    Admin(Admin),
    /// Write a trained adapter over its base for other programs, compared with the two: PEFT, a merged model, or GGUF.
    /// Stops when stdin ends
    Export {
        /// Directory of the base
        base: PathBuf,
        /// Directory of the adapter, as its archive unpacks
        adapter: PathBuf,
        /// peft, merged or gguf
        format: cerebros_trainer::protocol::ExportFormat,
        /// A directory that does not exist yet
        out: PathBuf,
    },
    /// Train the job in a directory (run by the server)
    #[command(hide = true)]
    Train { job: PathBuf },
    /// Write what the job in a directory would do and need (run by the server)
    #[command(hide = true)]
    Plan { job: PathBuf, output: PathBuf },
    /// Write how long the rows of the job in a directory are (run by the server)
    #[command(hide = true)]
    Lengths { job: PathBuf, output: PathBuf },
    /// Answer inference requests on a Unix socket (run by the server)
    #[command(hide = true)]
    Infer { socket: PathBuf },
    /// Extract the text of one file (run by the server)
    #[command(hide = true)]
    Extract {
        input: PathBuf,
        format: cerebros_ingest::Format,
        output: PathBuf,
    },
    /// Make a profile picture of an image (run by the server)
    #[command(hide = true)]
    Avatar { input: PathBuf, output: PathBuf },
    /// Parse and draw a Mermaid source (run by the server)
    #[command(hide = true)]
    Diagram { input: PathBuf, output: PathBuf },
}

#[derive(Subcommand)]
enum Admin {
    /// Print a link with which the owner of an address chooses a new password
    ResetLink { email: String },
    /// Look at every entry of the audit log; fails if one is not as it was written
    VerifyAudit,
    /// Encrypt stored secrets with a new secret key, or the one that leads SECRET_KEY now
    RotateKey,
    /// Make a workspace of an archive that was exported here or elsewhere
    Import {
        file: PathBuf,
        /// E-mail address of the account that it is to belong to
        #[arg(long)]
        owner: String,
    },
    /// Check that a deletion receipt was signed by this server, or with the given public key
    VerifyReceipt {
        file: PathBuf,
        /// Hexadecimal, as in /.well-known/cerebros-receipts.json
        #[arg(long)]
        public_key: Option<String>,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Train { job } => cerebros_trainer::train_main(&job),
        Command::Plan { job, output } => cerebros_trainer::plan_main(&job, &output),
        Command::Lengths { job, output } => cerebros_trainer::lengths_main(&job, &output),
        Command::Export {
            base,
            adapter,
            format,
            out,
        } => cerebros_trainer::export_main(&base, &adapter, format, &out),
        Command::Infer { socket } => cerebros_trainer::infer_main(&socket),
        Command::Extract { input, format, output } => cerebros_ingest::child::extract_main(&input, format, &output),
        Command::Avatar { input, output } => cerebros_api::avatar_main(&input, &output),
        Command::Diagram { input, output } => cerebros_api::diagram_main(&input, &output),
        Command::Openapi => report(openapi()),
        Command::Serve => report(run(Parts::All)),
        Command::Work => report(run(Parts::Work)),
        Command::Migrate => report(migrate()),
        Command::Admin(command) => report(admin(command)),
    }
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn openapi() -> anyhow::Result<()> {
    println!("{}", cerebros_api::openapi_document().to_pretty_json()?);
    Ok(())
}

fn migrate() -> anyhow::Result<()> {
    cerebros_api::telemetry::init()?;
    let config = Config::from_env()?;
    tokio::runtime::Runtime::new()?.block_on(cerebros_api::migrate(&config))
}

fn admin(command: Admin) -> anyhow::Result<()> {
    cerebros_api::telemetry::init()?;
    let config = Config::from_env()?;
    let mut out = std::io::stdout();
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            Admin::Import { file, owner } => cerebros_api::admin::import(&config, &file, &owner, &mut out).await,
            Admin::VerifyReceipt { file, public_key } => {
                cerebros_api::admin::verify_receipt(&config, &file, public_key, &mut out)
            }
            Admin::RotateKey => cerebros_api::admin::rotate_key(&config, &mut out).await,
            Admin::ResetLink { email } => cerebros_api::admin::reset_link(&config, &email, &mut out).await,
            Admin::VerifyAudit => cerebros_api::admin::verify_audit(&config, &mut out).await,
        }
    })
}

/// glibc gives each thread its own heap and hands none back, which made a server that reads documents twice as large. The
/// number is read when a process starts, so this one starts itself again with it; its id and its streams stay.
fn share_heaps() -> anyhow::Result<()> {
    const HEAPS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");
    if std::env::var_os(HEAPS.0).is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    // Not by its path: the file there may be a newer one by now, or gone.
    let mut again = std::process::Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(HEAPS.0, HEAPS.1).exec();
    Err(anyhow::Error::new(error).context("the server cannot start itself again"))
}

fn run(parts: Parts) -> anyhow::Result<()> {
    share_heaps()?;
    cerebros_api::telemetry::init()?;
    let config = Config::from_env()?;
    tokio::runtime::Runtime::new()?.block_on(async move {
        let running = cerebros_api::start(config, parts).await?;
        match parts {
            Parts::All => println!("Cerebros is ready at {}", running.url),
            Parts::Work => println!("Cerebros works on tasks"),
        }
        wait_for_signal().await?;
        tracing::info!("stopping");
        running.stop().await;
        Ok(())
    })
}

async fn wait_for_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
