//! Files that come in parts, in any order, each as often as it takes.

use super::{Blobs, Storage, remove_directory};
use cerebros_common::ids::{UploadId, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs as blocking,
    io::{self, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use uuid::Uuid;

/// Where the parts of a file are. It becomes the file of the document or dataset that has the upload's id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parts {
    pub workspace_id: WorkspaceId,
    pub upload_id: UploadId,
    /// What the bucket calls it; empty in a directory.
    pub multipart_id: String,
    /// It becomes a dataset's.
    pub dataset: bool,
}

impl Parts {
    pub fn key(&self) -> String {
        let (kind, file) = if self.dataset {
            ("datasets", "rows.jsonl")
        } else {
            ("documents", "original")
        };
        Storage::key(kind, self.workspace_id, self.upload_id, file)
    }
}

/// How many parts are joined before their own files go.
const JOINED_AT_ONCE: usize = 16;

impl Storage {
    pub async fn begin_parts(
        &self,
        workspace_id: WorkspaceId,
        upload_id: UploadId,
        dataset: bool,
    ) -> io::Result<Parts> {
        let mut parts = Parts {
            workspace_id,
            upload_id,
            multipart_id: String::new(),
            dataset,
        };
        match &self.blobs {
            Blobs::Directory(directory) => fs::create_dir_all(directory.parts_of(&parts)).await?,
            Blobs::Bucket(bucket) => parts.multipart_id = bucket.begin(&parts.key()).await?,
        }
        Ok(parts)
    }

    /// The address to which a part is sent if it does not go through this server.
    pub async fn part_url(&self, parts: &Parts, number: u32, size: u64, valid: Duration) -> io::Result<Option<String>> {
        match &self.blobs {
            Blobs::Directory(_) => Ok(None),
            Blobs::Bucket(bucket) => bucket.part_url(parts, number, size, valid).await.map(Some),
        }
    }

    /// Begins a part that counts when it is finished. `None`: parts go straight to the bucket.
    ///
    /// # Errors
    /// `NotFound` once the upload is over.
    pub async fn write_part(&self, parts: &Parts, number: u32) -> io::Result<Option<PartWriter>> {
        let Blobs::Directory(directory) = &self.blobs else {
            return Ok(None);
        };
        let target = directory.parts_of(parts).join(number.to_string());
        let path = target.with_extension(Uuid::now_v7().simple().to_string());
        Ok(Some(PartWriter {
            file: File::create_new(&path).await?,
            path,
            target,
            size_bytes: 0,
            finished: false,
        }))
    }

    /// The parts that are there, with their sizes.
    pub async fn received(&self, parts: &Parts) -> io::Result<BTreeMap<u32, u64>> {
        match &self.blobs {
            Blobs::Directory(directory) => {
                let path = directory.parts_of(parts);
                let found = tokio::task::spawn_blocking(move || list(&path)).await;
                found.map_err(io::Error::other)?
            }
            Blobs::Bucket(bucket) => bucket.received(&parts.key(), &parts.multipart_id).await,
        }
    }

    /// Makes one file of the parts. May be broken off and done again.
    ///
    /// # Errors
    /// `NotFound` when parts are missing.
    pub async fn join(&self, parts: &Parts, part_bytes: u64, size_bytes: u64) -> io::Result<()> {
        let key = parts.key();
        if self.size(&key).await? == Some(size_bytes) {
            return self.abandon(parts).await;
        }
        match &self.blobs {
            Blobs::Directory(directory) => {
                let path = directory.parts_of(parts);
                let joined = tokio::task::spawn_blocking(move || join(&path, part_bytes, size_bytes)).await;
                directory.keep(&joined.map_err(io::Error::other)??, &key).await?;
                remove_directory(&directory.parts_of(parts)).await
            }
            Blobs::Bucket(bucket) => match bucket.complete(&key, &parts.multipart_id).await {
                // An answer that did not reach us.
                Err(_) if self.size(&key).await? == Some(size_bytes) => Ok(()),
                completed => completed,
            },
        }
    }

    /// Removes the parts. What is not there is no error.
    pub async fn abandon(&self, parts: &Parts) -> io::Result<()> {
        match &self.blobs {
            Blobs::Directory(directory) => remove_directory(&directory.parts_of(parts)).await,
            Blobs::Bucket(bucket) => bucket.abandon(&parts.key(), &parts.multipart_id).await,
        }
    }

    /// Uploads of this machine to which nothing was added for `age`. A bucket knows them by its own rules.
    pub async fn quiet_uploads(&self, age: Duration) -> io::Result<Vec<Parts>> {
        let Blobs::Directory(directory) = &self.blobs else {
            return Ok(Vec::new());
        };
        let found = directory.quiet_uploads(age).await?;
        let parse = |(workspace, upload): (String, String)| {
            Some(Parts {
                workspace_id: workspace.parse().ok()?,
                upload_id: upload.parse().ok()?,
                multipart_id: String::new(),
                // Of no account here: those of a bucket have other rules.
                dataset: false,
            })
        };
        Ok(found.into_iter().filter_map(parse).collect())
    }
}

fn list(directory: &Path) -> io::Result<BTreeMap<u32, u64>> {
    let mut found = BTreeMap::new();
    for entry in blocking::read_dir(directory)? {
        let entry = entry?;
        // Others are being written.
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.insert(number, entry.metadata()?.len());
        }
    }
    Ok(found)
}

/// Appends part after part to one file. A part's own file goes once its bytes are safe, so that a file never lies there
/// twice, and what was broken off goes on.
fn join(directory: &Path, part_bytes: u64, size_bytes: u64) -> io::Result<PathBuf> {
    let path = directory.join("joined");
    let mut joined = blocking::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;
    let count = u32::try_from(size_bytes.div_ceil(part_bytes)).map_err(io::Error::other)?;
    let (mut end, mut done) = (0, Vec::new());
    for number in 1..=count {
        let part = directory.join(number.to_string());
        let size = part_bytes.min(size_bytes - end);
        match blocking::File::open(&part) {
            Ok(mut file) => {
                joined.seek(SeekFrom::Start(end))?;
                if io::copy(&mut file, &mut joined)? != size {
                    return Err(io::Error::other("a part has another size than it should"));
                }
                done.push(part);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && joined.metadata()?.len() >= end + size => {}
            Err(error) => return Err(error),
        }
        end += size;
        if done.len() == JOINED_AT_ONCE || number == count {
            joined.sync_data()?;
            done.drain(..).try_for_each(blocking::remove_file)?;
        }
    }
    joined.set_len(size_bytes)?;
    joined.sync_all()?;
    Ok(path)
}

/// A part that is being received. Dropped unfinished, it leaves nothing.
pub struct PartWriter {
    file: File,
    path: PathBuf,
    target: PathBuf,
    size_bytes: u64,
    finished: bool,
}

impl PartWriter {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts the part in its place, durably, instead of what came before.
    pub async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_data().await?;
        fs::rename(&self.path, &self.target).await?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if !self.finished {
            // The upload may be over, and its directory gone.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
