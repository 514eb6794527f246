//! Files in a directory of this machine.

use super::{Parts, remove_directory};
use futures_util::{StreamExt, stream, stream::BoxStream};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::fs::{self, File};

#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
    /// Files in parts: `{workspace}/{upload}/`.
    uploads: PathBuf,
}

impl Directory {
    pub async fn open(data_dir: &Path) -> io::Result<Self> {
        let directory = Self {
            root: data_dir.join("blobs"),
            uploads: data_dir.join("uploads"),
        };
        fs::create_dir_all(&directory.root).await?;
        fs::create_dir_all(&directory.uploads).await?;
        Ok(directory)
    }

    /// Where the file of a key lies. Keys are made of ids and fixed names.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    pub fn parts_of(&self, parts: &Parts) -> PathBuf {
        self.uploads
            .join(parts.workspace_id.to_string())
            .join(parts.upload_id.to_string())
    }

    pub async fn remove_parts_of(&self, workspace: impl std::fmt::Display) -> io::Result<()> {
        remove_directory(&self.uploads.join(workspace.to_string())).await
    }

    pub async fn keep(&self, path: &Path, key: &str) -> io::Result<()> {
        File::open(path).await?.sync_all().await?;
        let target = self.path(key);
        let Some(directory) = target.parent() else {
            return Err(io::Error::other("a key has no directory"));
        };
        fs::create_dir_all(directory).await?;
        fs::rename(path, &target).await?;
        File::open(directory).await?.sync_all().await
    }

    /// The resources of a kind that came at least `age` ago, some at a time.
    pub fn resources(&self, kind: &'static str, age: Duration) -> BoxStream<'static, io::Result<Vec<String>>> {
        let root = self.root.clone();
        let workspaces = async move {
            let names = names(&root.join(kind), Duration::ZERO).await?;
            io::Result::Ok(names.into_iter().map(move |name| (root.clone(), name)))
        };
        stream::once(workspaces)
            .flat_map(|found| match found {
                Ok(names) => stream::iter(names.map(Ok)).boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .then(move |found| async move {
                let (root, workspace) = found?;
                let prefix = format!("{kind}/{workspace}");
                let names = names(&root.join(&prefix), age).await?;
                Ok(names.into_iter().map(|name| format!("{prefix}/{name}")).collect())
            })
            .boxed()
    }

    /// Uploads in parts to which nothing was added for `age`: workspace and upload.
    pub async fn quiet_uploads(&self, age: Duration) -> io::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for workspace in names(&self.uploads, Duration::ZERO).await? {
            let uploads = names(&self.uploads.join(&workspace), age).await?;
            found.extend(uploads.into_iter().map(|upload| (workspace.clone(), upload)));
        }
        Ok(found)
    }
}

/// What lies in a directory and did not change for `age`. One that is not there is empty.
async fn names(directory: &Path, age: Duration) -> io::Result<Vec<String>> {
    let mut entries = match fs::read_dir(directory).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let metadata = match entry.metadata().await {
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if metadata.modified()?.elapsed().unwrap_or_default() >= age {
            found.extend(entry.file_name().into_string());
        }
    }
    Ok(found)
}
