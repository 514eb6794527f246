//! Files by key: in a directory, or in an S3 bucket. A file appears whole or not at all.

mod bucket;
mod directory;
mod parts;

pub use parts::Parts;

use crate::config::Config;
use bucket::Bucket;
use bytes::Bytes;
use directory::Directory;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

#[derive(Debug, Clone)]
pub struct Storage {
    /// Files that are being received or read by a child.
    incoming: PathBuf,
    /// What stands in archives, where a process can read it.
    unpacked: PathBuf,
    blobs: Blobs,
}

#[derive(Debug, Clone)]
enum Blobs {
    Directory(Directory),
    Bucket(Bucket),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// A file that is being read.
pub struct Blob {
    pub size_bytes: u64,
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// A file where another process can read it. Of a bucket it is a copy that goes when this is dropped.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    is_copy: bool,
}

impl Local {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.is_copy
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(error = %error, "a copy of a file could not be removed");
        }
    }
}

/// What keys begin with.
pub const BUCKETS: [&str; 4] = ["documents", "datasets", "models", "checkpoints"];

impl Storage {
    /// Opens the store that is configured.
    ///
    /// # Errors
    /// When DATA_DIR cannot be written, or the bucket cannot be reached.
    pub async fn open(config: &Config) -> io::Result<Self> {
        let data = &config.data_dir;
        let blobs = match &config.s3 {
            None => Blobs::Directory(Directory::open(data).await?),
            Some(s3) => Blobs::Bucket(Bucket::open(s3).await?),
        };
        let storage = Self {
            incoming: data.join("incoming"),
            unpacked: data.join("unpacked"),
            blobs,
        };
        fs::create_dir_all(&storage.incoming).await?;
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

    /// Begins a file that appears at its key when it is finished.
    pub async fn create(&self) -> io::Result<Writer> {
        let path = self.incoming.join(Uuid::now_v7().to_string());
        let file = File::create(&path).await?;
        Ok(Writer {
            file,
            path,
            storage: self.clone(),
            hash: Sha256::new(),
            size_bytes: 0,
            finished: false,
        })
    }

    /// Moves a file of this machine to its key, durably.
    pub async fn keep(&self, path: &Path, key: &str) -> io::Result<()> {
        match &self.blobs {
            Blobs::Directory(directory) => directory.keep(path, key).await,
            Blobs::Bucket(bucket) => {
                bucket.put(path, key).await?;
                fs::remove_file(path).await
            }
        }
    }

    pub async fn read(&self, key: &str) -> io::Result<Blob> {
        match &self.blobs {
            Blobs::Directory(directory) => {
                let file = File::open(directory.path(key)).await?;
                Ok(Blob {
                    size_bytes: file.metadata().await?.len(),
                    bytes: ReaderStream::with_capacity(file, 64 * 1024).boxed(),
                })
            }
            Blobs::Bucket(bucket) => bucket.read(key).await,
        }
    }

    /// `length` bytes of a file from `offset` on, all of which it has.
    pub async fn read_part(&self, key: &str, offset: u64, length: u64) -> io::Result<Blob> {
        match &self.blobs {
            Blobs::Directory(directory) => {
                let mut file = File::open(directory.path(key)).await?;
                file.seek(io::SeekFrom::Start(offset)).await?;
                Ok(Blob {
                    size_bytes: length,
                    bytes: ReaderStream::with_capacity(file.take(length), 64 * 1024).boxed(),
                })
            }
            Blobs::Bucket(bucket) => bucket.read_part(key, offset, length).await,
        }
    }

    pub async fn exists(&self, key: &str) -> io::Result<bool> {
        Ok(self.size(key).await?.is_some())
    }

    /// `None`: it is not there.
    async fn size(&self, key: &str) -> io::Result<Option<u64>> {
        match &self.blobs {
            Blobs::Directory(directory) => match fs::metadata(directory.path(key)).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                found => Ok(Some(found?.len())),
            },
            Blobs::Bucket(bucket) => bucket.size(key).await,
        }
    }

    /// The file where a process of this machine can read it.
    pub async fn local(&self, key: &str) -> io::Result<Local> {
        if let Blobs::Directory(directory) = &self.blobs {
            return Ok(Local {
                path: directory.path(key),
                is_copy: false,
            });
        }
        let mut blob = self.read(key).await?;
        let path = self.incoming.join(Uuid::now_v7().to_string());
        let mut file = File::create(&path).await?;
        let local = Local { path, is_copy: true };
        while let Some(bytes) = blob.bytes.try_next().await? {
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        Ok(local)
    }

    /// A directory with the files of an archive that holds them as they are, made when it is first asked for.
    ///
    /// # Errors
    /// `InvalidData` for an archive that no adapter comes in.
    pub async fn unpacked(&self, key: &str) -> io::Result<PathBuf> {
        let target = self.unpacked_at(key);
        if fs::try_exists(&target).await? {
            return Ok(target);
        }
        let archive = self.local(key).await?;
        let made = target.clone();
        let unpacking = tokio::task::spawn_blocking(move || unpack(archive.path(), &made)).await;
        unpacking.map_err(io::Error::other)??;
        Ok(target)
    }

    fn unpacked_at(&self, key: &str) -> PathBuf {
        let path = self.unpacked.join(key);
        path.parent().map(Path::to_owned).unwrap_or(path)
    }

    /// Removes all files of a key's resource. What is not there is no error.
    pub async fn remove(&self, key: &str) -> io::Result<()> {
        remove_directory(&self.unpacked_at(key)).await?;
        let resource = key.rsplit_once('/').map_or(key, |(resource, _)| resource);
        self.remove_below(resource).await
    }

    /// Removes every file of a workspace. What is not there is no error.
    pub async fn remove_workspace(&self, workspace: impl std::fmt::Display) -> io::Result<()> {
        for bucket in BUCKETS {
            let prefix = format!("{bucket}/{workspace}");
            remove_directory(&self.unpacked.join(&prefix)).await?;
            self.remove_below(&prefix).await?;
        }
        if let Blobs::Directory(directory) = &self.blobs {
            directory.remove_parts_of(workspace).await?;
        }
        Ok(())
    }

    async fn remove_below(&self, prefix: &str) -> io::Result<()> {
        match &self.blobs {
            Blobs::Directory(directory) => remove_directory(&directory.path(prefix)).await,
            Blobs::Bucket(bucket) => bucket.remove_below(&format!("{prefix}/")).await,
        }
    }

    /// What was kept of a kind (`documents`) at least `age` ago, some at a time.
    pub fn resources(&self, kind: &'static str, age: Duration) -> BoxStream<'static, io::Result<Vec<Resource>>> {
        let prefixes = match &self.blobs {
            Blobs::Directory(directory) => directory.resources(kind, age),
            Blobs::Bucket(bucket) => bucket.resources(kind, age),
        };
        prefixes
            .map_ok(|some| some.into_iter().filter_map(Resource::parse).collect())
            .boxed()
    }

    pub async fn remove_resource(&self, resource: &Resource) -> io::Result<()> {
        self.remove_below(&resource.prefix).await
    }
}

/// What the files below `{bucket}/{workspace}/{resource}` belong to.
pub struct Resource {
    pub id: Uuid,
    prefix: String,
}

impl Resource {
    fn parse(prefix: String) -> Option<Self> {
        let id = prefix.rsplit('/').next()?.parse().ok()?;
        Some(Self { id, prefix })
    }
}

/// Removes a directory with all that is in it. One that is not there is no error.
pub async fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts the files of a directory into an archive, as they are; gives its size. The same files give the same archive.
pub fn pack(source: &Path, archive: &Path) -> io::Result<u64> {
    let mut names: Vec<_> = std::fs::read_dir(source)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    pack_some(source, &names, archive)
}

/// The same of the files with these names alone.
pub fn pack_some(source: &Path, names: &[impl AsRef<Path>], archive: &Path) -> io::Result<u64> {
    let mut zip = ZipWriter::new(std::fs::File::create(archive)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for name in names {
        let mut file = std::fs::File::open(source.join(name))?;
        let is_large = file.metadata()?.len() >= u64::from(u32::MAX);
        zip.start_file(name.as_ref().to_string_lossy(), options.large_file(is_large))
            .map_err(io::Error::other)?;
        io::copy(&mut file, &mut zip)?;
    }
    let mut file = zip.finish().map_err(io::Error::other)?;
    io::Write::flush(&mut file)?;
    Ok(file.metadata()?.len())
}

/// Size and SHA-256 of a file of this machine.
pub fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1024 * 1024];
    let mut size = 0;
    loop {
        let count = io::Read::read(&mut file, &mut piece)?;
        if count == 0 {
            return Ok((size, hex::encode(hash.finalize())));
        }
        hash.update(&piece[..count]);
        size += count as u64;
    }
}

/// Puts the files of an archive into a directory that appears whole. They are stored in it as they are.
fn unpack(archive: &Path, target: &Path) -> io::Result<()> {
    let wrong = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let parent = target
        .parent()
        .ok_or_else(|| wrong("a key has no directory".to_owned()))?;
    let mut zip = ZipArchive::new(std::fs::File::open(archive)?).map_err(|error| wrong(error.to_string()))?;
    let limit = archive.metadata()?.len();
    std::fs::create_dir_all(parent)?;
    let directory = tempfile::Builder::new().prefix(".new-").tempdir_in(parent)?;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|error| wrong(error.to_string()))?;
        let name = entry.name().map_err(|error| wrong(error.to_string()))?.into_owned();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if !name.bytes().all(plain) || name.starts_with('.') {
            let message = format!("it holds `{}`, which no adapter does", name.escape_debug());
            return Err(wrong(message));
        }
        let mut out = std::fs::File::create_new(directory.path().join(name))?;
        let copied = io::copy(&mut io::Read::take(entry, limit + 1), &mut out)?;
        if copied > limit {
            return Err(wrong("it unpacks to more than it is".to_owned()));
        }
        out.sync_all()?;
    }
    let directory = directory.keep();
    match std::fs::rename(&directory, target) {
        // Somebody else was faster.
        Err(_) if target.exists() => std::fs::remove_dir_all(&directory),
        renamed => renamed,
    }
}

/// A file that is being written. Dropped unfinished, it leaves nothing.
pub struct Writer {
    file: File,
    path: PathBuf,
    storage: Storage,
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
        self.storage.keep(&self.path, key).await?;
        self.finished = true;
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
