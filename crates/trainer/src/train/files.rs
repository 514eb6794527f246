//! The job's directory: its lock, and writes that are whole or not there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::protocol::{AdapterFile, FailureCode};

/// How long an orphaned trainer gets to leave.
const LOCK_PATIENCE: Duration = Duration::from_secs(8);

/// Locks the directory for as long as the file stays open.
pub fn lock(job_dir: &Path) -> Result<File, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(
            FailureCode::InvalidJob,
            format!("The job's directory {} cannot be used: {error}.", job_dir.display()),
            "Give an existing, writable directory that holds job.json.",
        )
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(job_dir.join("lock"))
        .map_err(unreadable)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(
                    FailureCode::Locked,
                    "Another trainer is working on this job.",
                    "Wait for it to leave, or end it, and start the job again.",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(unreadable(error)),
        }
    }
}

/// Writes `dir` as a whole: made beside its place, synced, then renamed there.
pub fn write_directory(dir: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let parent = dir.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let staging = parent.join(format!(".{name}.tmp"));
    remove_directory(&staging)?;
    fs::create_dir(&staging)?;
    for (name, bytes) in files {
        write_synced(&staging.join(name), bytes)?;
    }
    File::open(&staging)?.sync_all()?;
    remove_directory(dir)?;
    fs::rename(&staging, dir)?;
    File::open(parent)?.sync_all()
}

pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let staging = path.with_extension("tmp");
    write_synced(&staging, bytes)?;
    fs::rename(&staging, path)?;
    File::open(parent)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub fn remove_directory(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub fn describe(files: &[(&str, Vec<u8>)]) -> Vec<AdapterFile> {
    let describe = |(name, bytes): &(&str, Vec<u8>)| AdapterFile {
        name: (*name).to_owned(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
    };
    files.iter().map(describe).collect()
}

/// Every file of a directory, by name.
pub fn list(dir: &Path) -> io::Result<Vec<AdapterFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.push(AdapterFile {
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: entry.metadata()?.len(),
            sha256: hash_file(&entry.path())?,
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Whether every file stands in `dir` as it was described.
pub fn intact(dir: &Path, files: &[AdapterFile]) -> bool {
    files
        .iter()
        .all(|file| hash_file(&dir.join(&file.name)).is_ok_and(|hash| hash == file.sha256))
}

/// The SHA-256 of a file's content, read piece by piece.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}
