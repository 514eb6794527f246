//! How this program starts itself as a child.

use crate::config::Config;
use cerebros_ingest::child::Exit;
use cerebros_trainer::protocol::ExportFormat;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use std::{io, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

/// More than any child says in the end.
const MAX_SAID_BYTES: u64 = 1024 * 1024;

/// A command for a part of this program, killed when dropped. Its stdin is a pipe: keep it open, by its end the child learns
/// of ours. The settings hold secrets, which a child that reads others' files has no use for: it gets none of them.
pub fn command(config: &Config, part: &str) -> Command {
    let mut command = Command::new(&config.child_program);
    command
        .arg(part)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command that reads somebody's file to its end. It gets at most `deadline`, and no chance to say anything but by its
/// exit. Given up, it is killed with all that it started.
pub async fn run(mut command: Command, deadline: Duration) -> io::Result<Exit> {
    command.stderr(Stdio::null()).process_group(0);
    let mut child = Group(command.spawn()?);
    // `wait` would close it.
    let leash = child.0.stdin.take();
    let exit = tokio::select! {
        status = child.0.wait() => Ok(Exit::from(status?)),
        () = tokio::time::sleep(deadline) => Ok(Exit::TimedOut),
    };
    drop(child);
    drop(leash);
    exit
}

/// Runs a child that writes `adapter` over `base` into `out`; gives what it said. It may take `memory` bytes, and as long as
/// the configuration allows. Dropped half-way, it is killed.
pub async fn export(
    config: &Config,
    (base, adapter): (&Path, &Path),
    format: ExportFormat,
    out: &Path,
    memory: Option<u64>,
) -> io::Result<(Exit, Vec<u8>)> {
    let mut command = command(config, "export");
    command.args([base, adapter]).arg(format.name()).arg(out);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = Group(command.spawn()?);
    if let Some(memory) = memory {
        child.limit_memory(memory)?;
    }
    let leash = child.0.stdin.take();
    let stdout = child.0.stdout.take();
    let ran = async {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_SAID_BYTES).read_to_end(&mut said).await?;
        }
        Ok((Exit::from(child.0.wait().await?), said))
    };
    let ran = tokio::time::timeout(config.deadlines.export, ran).await;
    drop(leash);
    ran.unwrap_or_else(|_| Ok((Exit::TimedOut, Vec::new())))
}

/// A child that leads a process group. Dropped, the whole group is killed.
struct Group(Child);

impl Group {
    /// `None`: it was waited for, and the number may be another's by now.
    fn pid(&self) -> Option<Pid> {
        let id = i32::try_from(self.0.id()?).ok()?;
        Pid::from_raw(id)
    }

    /// Of its own memory. Files that it maps, and room that it reserves without using it, do not count.
    fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        if let Some(pid) = self.pid() {
            prlimit(Some(pid), Resource::Data, limit)?;
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.pid()
            && let Err(error) = kill_process_group(pid, Signal::KILL)
        {
            tracing::warn!(error = %error, "a child could not be killed");
        }
    }
}
