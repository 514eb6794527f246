//! Poppler's programs as child processes with a deadline.

use std::io::{BufReader, ErrorKind, Read, Take};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::extract::{ExtractCode, ExtractError};

/// Boxes make the output some forty times as long as the text in it.
const MAX_OUTPUT_BYTES: u64 = 4 << 30;
const MAX_COMPLAINT_BYTES: u64 = 64 << 10;

/// Counting pages takes milliseconds; a file for which it takes longer is read in one piece.
const COUNTING: Duration = Duration::from_secs(2);

/// How many pages a file has; 0 where that is not easily told.
pub(super) fn pages(path: &Path) -> usize {
    let mut command = Command::new("pdfinfo");
    command.arg("--").arg(path);
    let mut info = String::new();
    let counted = Tool::start(command, COUNTING).and_then(|mut tool| {
        let read = tool.output()?.take(MAX_COMPLAINT_BYTES).read_to_string(&mut info);
        tool.finish()?;
        read.map_err(|_| ExtractCode::Crashed.into())
    });
    let line = info.lines().find_map(|line| line.strip_prefix("Pages:"));
    let count = line.and_then(|count| count.trim().parse().ok());
    counted.ok().and(count).unwrap_or(0)
}

/// A running program; dropped, it is killed and reaped.
pub(super) struct Tool {
    child: Arc<Mutex<Child>>,
    timed_out: Arc<AtomicBool>,
    complaints: Option<JoinHandle<String>>,
    /// Dropped to tell the watchdog that the tool is done.
    running: Option<Sender<()>>,
}

impl Tool {
    /// Writes the words of a file, or of its pages from one to another, with their boxes.
    pub(super) fn text(path: &Path, range: Option<(usize, usize)>, deadline: Duration) -> Result<Self, ExtractError> {
        let mut command = Command::new("pdftotext");
        command.args(["-bbox-layout", "-enc", "UTF-8"]);
        if let Some((first, last)) = range {
            command.args(["-f", &first.to_string(), "-l", &last.to_string()]);
        }
        command.arg("--").arg(path).arg("-");
        Self::start(command, deadline)
    }

    fn start(mut command: Command, deadline: Duration) -> Result<Self, ExtractError> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => ExtractCode::PdfToolMissing,
                _ => ExtractCode::Crashed,
            })?;
        let complaints = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let mut stderr = stderr;
                let read = stderr.by_ref().take(MAX_COMPLAINT_BYTES).read_to_end(&mut text);
                // The rest is drained, or the tool would wait for a reader.
                if read.is_ok() && std::io::copy(&mut stderr, &mut std::io::sink()).is_err() {
                    text.clear();
                }
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let child = Arc::new(Mutex::new(child));
        let timed_out = Arc::new(AtomicBool::new(false));
        let (running, done) = channel();
        let (watched, flag) = (Arc::clone(&child), Arc::clone(&timed_out));
        std::thread::spawn(move || {
            if done.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::SeqCst);
                kill(&watched);
            }
        });
        Ok(Self {
            child,
            timed_out,
            complaints,
            running: Some(running),
        })
    }

    pub(super) fn output(&mut self) -> Result<BufReader<Take<ChildStdout>>, ExtractError> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let stdout = child.stdout.take().ok_or(ExtractCode::Crashed)?;
        Ok(BufReader::with_capacity(1 << 16, stdout.take(MAX_OUTPUT_BYTES)))
    }

    /// Waits for the end, after the output was read to its end or given up.
    pub(super) fn finish(mut self) -> Result<(), ExtractError> {
        let status = loop {
            // The lock is not held while waiting, so that the watchdog can kill.
            match self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(_) => return Err(ExtractCode::Crashed.into()),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.running = None;
        let complaints = self
            .complaints
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        if self.timed_out.load(Ordering::SeqCst) {
            return Err(ExtractCode::TimedOut.into());
        }
        reason(status, &complaints).map_or(Ok(()), |code| Err(code.into()))
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // Both fail only where the child has already been reaped.
    if child.kill().is_ok() && child.wait().is_err() {
        child.stdout = None;
    }
}

/// `pdftotext` exits with 1 for a file that it cannot open, 3 for one that forbids copying; the words tell the rest.
fn reason(status: ExitStatus, complaints: &str) -> Option<ExtractCode> {
    use std::os::unix::process::ExitStatusExt;
    let says = |words: &str| complaints.contains(words);
    if status.success() {
        return None;
    }
    Some(match (status.code(), status.signal()) {
        (_, Some(signal)) if signal == rustix::process::Signal::XCPU.as_raw() => ExtractCode::TimedOut,
        _ if says("Out of memory") || says("bad_alloc") => ExtractCode::OutOfMemory,
        (Some(1), _) if says("Incorrect password") => ExtractCode::PdfEncrypted,
        (Some(3), _) => ExtractCode::PdfEncrypted,
        // The output was given up half way: the reader of it knows why.
        (_, Some(signal)) if signal == rustix::process::Signal::PIPE.as_raw() => return None,
        // Killed from outside: that says nothing about the file.
        (_, Some(signal)) if signal == rustix::process::Signal::KILL.as_raw() => ExtractCode::Crashed,
        _ => ExtractCode::PdfDamaged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_kill_from_outside_is_not_put_down_to_the_file() {
        assert_eq!(reason(ExitStatus::from_raw(9), ""), Some(ExtractCode::Crashed));
        assert_eq!(reason(ExitStatus::from_raw(11), ""), Some(ExtractCode::PdfDamaged));
        assert_eq!(reason(ExitStatus::from_raw(0), ""), None);
    }
}
