//! The development loop: build, start, and do both again when a source file changes.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, ExitCode},
    thread::sleep,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;

const POLL: Duration = Duration::from_millis(500);
/// What the browser's side is built from.
const SPA: [&str; 2] = ["frontend", "crates/common"];
/// What the server is built from.
const API: [&str; 3] = ["crates", "migrations", "Cargo.toml"];

/// Runs until it is interrupted; the terminal's Ctrl-C reaches the server too.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut server: Option<Child> = None;
    let mut built_spa = None;
    let mut built_api = None;
    loop {
        let (spa, api) = (newest(&SPA)?, newest(&API)?);
        if built_spa != Some(spa) || built_api != Some(api) {
            let spa_is_good = built_spa == Some(spa) || build_spa()?;
            (built_spa, built_api) = (Some(spa), Some(api));
            if spa_is_good && cargo(&["build", "-p", "cerebros-api", "--bin", "cerebros"])? {
                stop(server.take())?;
                server = Some(start()?);
            } else {
                eprintln!("The build failed: the old server goes on. Waiting for a change.");
            }
        }
        sleep(POLL);
    }
}

fn build_spa() -> anyhow::Result<bool> {
    let xtask = std::env::current_exe()?;
    let status = Command::new(xtask).args(["dist", "--dev"]).status();
    Ok(status.context("cannot run the SPA build")?.success())
}

fn cargo(arguments: &[&str]) -> anyhow::Result<bool> {
    let status = Command::new("cargo").args(arguments).status();
    Ok(status.context("cannot run cargo")?.success())
}

fn start() -> anyhow::Result<Child> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let binary = Path::new(&target).join("debug/cerebros");
    let server = Command::new(&binary).arg("serve").spawn();
    server.with_context(|| format!("cannot start {}", binary.display()))
}

/// Asks the server to leave, so that running tasks are given back.
fn stop(server: Option<Child>) -> anyhow::Result<()> {
    if let Some(mut server) = server {
        Command::new("kill")
            .arg(server.id().to_string())
            .status()
            .context("cannot run kill")?;
        server.wait()?;
    }
    Ok(())
}

/// The latest change of a file below the paths, build outputs apart.
fn newest(paths: &[&str]) -> anyhow::Result<SystemTime> {
    let mut latest = SystemTime::UNIX_EPOCH;
    for path in paths {
        visit(Path::new(path), &mut latest).with_context(|| format!("cannot watch {path}"))?;
    }
    Ok(latest)
}

fn visit(path: &Path, latest: &mut SystemTime) -> io::Result<()> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        // An editor replaces files by renaming.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !about.is_dir() {
        *latest = about.modified()?.max(*latest);
        return Ok(());
    }
    if ["dist", "node_modules", "target"]
        .iter()
        .any(|output| path.ends_with(output))
    {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        visit(&entry?.path(), latest)?;
    }
    Ok(())
}
