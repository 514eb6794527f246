//! Files by key, in a directory. A file appears whole or not at all.

use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Storage {
    root: PathBuf,
    incoming: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

impl Storage {
    /// Opens the store below `data_dir`.
    pub async fn open(data_dir: &Path) -> io::Result<Self> {
        let storage = Self {
            root: data_dir.join("blobs"),
            incoming: data_dir.join("incoming"),
        };
        fs::create_dir_all(&storage.incoming).await?;
        fs::create_dir_all(&storage.root).await?;
        Ok(storage)
    }

    /// Removes what interrupted uploads left, if nothing was written to it for `age`.
    pub async fn remove_unfinished(&self, age: Duration) -> io::Result<()> {
        let mut entries = fs::read_dir(&self.incoming).await?;
        while let Some(entry) = entries.next_entry().await? {
            let idle = entry.metadata().await?.modified()?.elapsed().unwrap_or_default();
            if idle >= age {
                fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }

    /// `{bucket}/{workspace}/{resource}/{file}`
    pub fn key(
        bucket: &str,
        workspace: impl std::fmt::Display,
        resource: impl std::fmt::Display,
        file: &str,
    ) -> String {
        format!("{bucket}/{workspace}/{resource}/{file}")
    }

    /// Where the file of a key lies. Keys are made by [`Storage::key`] from ids and fixed names.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Begins a file that appears at its key when it is finished.
    pub async fn create(&self) -> io::Result<Writer> {
        let path = self.incoming.join(Uuid::now_v7().to_string());
        let file = File::create(&path).await?;
        Ok(Writer {
            file,
            path,
            root: self.root.clone(),
            hash: Sha256::new(),
            size_bytes: 0,
            finished: false,
        })
    }

    pub async fn open_file(&self, key: &str) -> io::Result<File> {
        File::open(self.path(key)).await
    }

    /// Removes the directory of a key's resource. What is not there is no error.
    pub async fn remove(&self, key: &str) -> io::Result<()> {
        let path = self.path(key);
        let directory = path.parent().unwrap_or(&path);
        remove_directory(directory).await
    }
}

/// What keys begin with.
const BUCKETS: [&str; 3] = ["documents", "datasets", "models"];

impl Storage {
    /// Removes every file of a workspace. What is not there is no error.
    pub async fn remove_workspace(&self, workspace: impl std::fmt::Display) -> io::Result<()> {
        for bucket in BUCKETS {
            remove_directory(&self.root.join(format!("{bucket}/{workspace}"))).await?;
        }
        Ok(())
    }
}

/// Removes a directory with all that is in it. One that is not there is no error.
pub async fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that is being written. Dropped unfinished, it leaves nothing.
pub struct Writer {
    file: File,
    path: PathBuf,
    root: PathBuf,
    hash: Sha256,
    size_bytes: u64,
    finished: bool,
}

impl Writer {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Of what was written so far, hexadecimal.
    pub fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// Where the unfinished file lies, for a look at its content.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes what was written visible to readers of [`Writer::path`].
    pub async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await
    }

    /// Puts the file in its place, durably.
    pub async fn finish(mut self, key: &str) -> io::Result<Stored> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let target = self.root.join(key);
        if let Some(directory) = target.parent() {
            fs::create_dir_all(directory).await?;
        }
        fs::rename(&self.path, &target).await?;
        self.finished = true;
        if let Some(directory) = target.parent() {
            File::open(directory).await?.sync_all().await?;
        }
        Ok(Stored {
            size_bytes: self.size_bytes,
            sha256: hex::encode(self.hash.finalize_reset()),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(error = %error, "an unfinished upload could not be removed");
        }
    }
}
