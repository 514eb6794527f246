//! How this program starts itself as a child.

use crate::config::Config;
use cerebros_ingest::child::Exit;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{io, process::Stdio, time::Duration};
use tokio::process::{Child, Command};

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

/// A child that leads a process group. Dropped, the whole group is killed.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // No id: it was waited for, and the number may be another's by now.
        let pid = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process_group(pid, Signal::KILL)
        {
            tracing::warn!(error = %error, "a child could not be killed");
        }
    }
}
