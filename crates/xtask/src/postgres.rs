//! A PostgreSQL server that lives as long as one command.

use std::{
    net::TcpListener,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

const START_DEADLINE: Duration = Duration::from_secs(60);

/// Runs `command` with `TEST_POSTGRES_URL` set and returns its exit code.
pub fn run_with(command: &[String]) -> anyhow::Result<ExitCode> {
    let server = Server::start()?;
    // The command dies with this process, however that ends.
    let mut child = Command::new("setpriv");
    child
        .args(["--pdeathsig", "TERM", "--"])
        .args(command)
        .env("TEST_POSTGRES_URL", server.url());
    for (name, _) in std::env::vars_os() {
        // Left by `cargo run`; with them a nested cargo would build dependencies again that look at them.
        if ["CARGO_MANIFEST_", "CARGO_PKG_"]
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        {
            child.env_remove(name);
        }
    }
    let status = child.status().context("cannot run setpriv (package util-linux)")?;
    Ok(exit_code(status))
}

struct Server {
    port: u16,
    /// Owns the server and its directory. It removes both when its standard input closes, so also when this process is
    /// killed.
    keeper: Child,
}

/// `$1` is the directory of PostgreSQL's programs, `$2` the port.
const KEEPER: &str = r#"
set -eu
data=$(mktemp -d /tmp/cerebros-postgres-XXXXXX)
trap 'rm -rf "$data"' EXIT
"$1/initdb" -D "$data/db" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$data/log" 2>&1 || {
    cat "$data/log" >&2
    exit 1
}
"$1/postgres" -D "$data/db" -p "$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 \
    </dev/null >>"$data/log" 2>&1 &
server=$!
word=
read -r word || true
if [ "$word" = log ]; then cat "$data/log" >&2; fi
kill -QUIT "$server" 2>/dev/null || true
wait "$server" || true
"#;

impl Server {
    fn start() -> anyhow::Result<Self> {
        let programs = find_programs()?;
        let port = free_port()?;
        let mut command = if is_root()? {
            // PostgreSQL refuses to run as root.
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let keeper = command
            .args(["-c", KEEPER, "keeper"])
            .arg(&programs)
            .arg(port.to_string())
            .current_dir("/tmp")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C must reach the command, and the server only after it.
            .process_group(0)
            .spawn()
            .context("cannot start a shell for PostgreSQL")?;
        let mut server = Self { port, keeper };
        server.wait_until_ready(&programs)?;
        Ok(server)
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn wait_until_ready(&mut self, programs: &Path) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_DEADLINE {
            if let Some(status) = self.keeper.try_wait()? {
                bail!("PostgreSQL could not be set up ({status})");
            }
            let answer = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .context("cannot run pg_isready")?;
            if answer.success() {
                return Ok(());
            }
            sleep(Duration::from_millis(30));
        }
        if let Some(input) = self.keeper.stdin.as_mut() {
            std::io::Write::write_all(input, b"log\n")?;
        }
        bail!("PostgreSQL was not ready after {START_DEADLINE:?}; its log is above");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("cannot wait for PostgreSQL to stop: {error}");
        }
    }
}

/// The newest of Debian's versions, else the one on the PATH.
fn find_programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .flatten()
        .filter(|entry| entry.path().join("bin/postgres").exists())
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    if let Some(version) = newest {
        return Ok(format!("/usr/lib/postgresql/{version}/bin").into());
    }
    let output = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .context("PostgreSQL's server is not installed: install the package postgresql")?;
    let programs = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    ensure!(
        programs.join("postgres").exists(),
        "PostgreSQL's server is not installed: install the package postgresql"
    );
    Ok(programs)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

/// As a shell tells it: 128 and the signal for a killed command.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
