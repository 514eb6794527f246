//! How this program starts itself as a child.

use crate::config::Config;
use std::process::Stdio;
use tokio::process::Command;

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
