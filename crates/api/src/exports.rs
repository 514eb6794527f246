//! Everything of a workspace or a person as one ZIP archive, written while it is sent: tables as JSON Lines, files as they
//! are stored. It shows one moment and is never whole in memory.

use crate::{
    download::{Output, PIECE_BYTES},
    error::{AppError, AppResult},
    state::App,
    storage::Storage,
};
use actix_web::{HttpResponse, http::header};
use bytes::Bytes;
use cerebros_common::ids::{UserId, WorkspaceId};
use cerebros_db::transfer::{self, Snapshot, Table};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// How many are made at once: each holds a connection and a thread.
pub const AT_ONCE: usize = 2;
pub const FORMAT: u32 = 1;
/// For the whole archive.
const DEADLINE: Duration = Duration::from_secs(3600);
const RETRY_AFTER_S: u32 = 60;

/// Whose archive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Workspace(WorkspaceId),
    Account(UserId),
}

/// `manifest.json`, the last file of an archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub subject: Subject,
    /// Of the workspace.
    pub name: Option<String>,
    pub exported_at: DateTime<Utc>,
    /// Rows by file.
    pub counts: BTreeMap<String, u64>,
    pub files: u64,
    /// Files that the database names, but that were not there any more.
    pub missing: Vec<String>,
}

/// A step of the thread that writes the archive.
enum Piece {
    /// Begins a table.
    Table(String),
    Rows(Vec<u8>),
    File {
        name: String,
        key: String,
    },
    /// Ends the archive.
    Manifest(Manifest),
}

/// Starts an archive.
///
/// # Errors
/// 503 while others are being made.
pub async fn start(app: Arc<App>, subject: Subject) -> AppResult {
    let permit =
        app.exports.clone().try_acquire_owned().map_err(|_| {
            AppError::unavailable("Other archives are being made. Try again in a minute.", RETRY_AFTER_S)
        })?;
    let snapshot = transfer::snapshot_unscoped(&app.db).await?;
    let name = match subject {
        Subject::Workspace(_) => "workspace.zip",
        Subject::Account(_) => "account.zip",
    };
    let (body, reader) = mpsc::channel(4);
    tokio::spawn(make(app, subject, snapshot, body, permit));
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(ReceiverStream::new(reader)))
}

async fn make(
    app: Arc<App>,
    subject: Subject,
    snapshot: Snapshot,
    body: mpsc::Sender<io::Result<Bytes>>,
    permit: OwnedSemaphorePermit,
) {
    let (pieces, received) = mpsc::channel(16);
    let output = Output::new(body.clone());
    let storage = app.storage.clone();
    let written = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        write(received, output, &storage)
    });
    let gathered = tokio::time::timeout(DEADLINE, gather(&app, subject, &snapshot, &pieces)).await;
    drop((snapshot, pieces));
    let outcome = match (gathered, written.await) {
        (Ok(Ok(())), Ok(Ok(()))) => return,
        (Err(_), _) => "it took too long".to_owned(),
        (Ok(Err(error)), _) => format!("{error:#}"),
        (_, Ok(Err(error))) => error.to_string(),
        (_, Err(error)) => error.to_string(),
    };
    tracing::warn!(reason = outcome, "an archive was given up");
    // The reader sees that it is not whole. Whether anybody still reads makes no difference.
    let _ = body.try_send(Err(io::Error::other("the archive was given up")));
}

async fn gather(app: &App, subject: Subject, snapshot: &Snapshot, pieces: &mpsc::Sender<Piece>) -> anyhow::Result<()> {
    let mut gathering = Gathering {
        app,
        snapshot,
        pieces,
        counts: BTreeMap::new(),
        files: 0,
        missing: Vec::new(),
    };
    let name = match subject {
        Subject::Workspace(id) => {
            gathering.workspace("", id).await?;
            Some(snapshot.name_unscoped(id).await?)
        }
        Subject::Account(id) => {
            for table in transfer::PERSON {
                gathering.table("", table, id.0).await?;
            }
            for id in snapshot.owned_unscoped(id).await? {
                gathering.workspace(&format!("workspaces/{id}/"), id).await?;
            }
            None
        }
    };
    let manifest = Manifest {
        format: FORMAT,
        subject,
        name,
        exported_at: Utc::now(),
        counts: gathering.counts,
        files: gathering.files,
        missing: gathering.missing,
    };
    Ok(pieces.send(Piece::Manifest(manifest)).await?)
}

struct Gathering<'a> {
    app: &'a App,
    snapshot: &'a Snapshot,
    pieces: &'a mpsc::Sender<Piece>,
    counts: BTreeMap<String, u64>,
    files: u64,
    missing: Vec<String>,
}

impl Gathering<'_> {
    async fn workspace(&mut self, prefix: &str, id: WorkspaceId) -> anyhow::Result<()> {
        for table in transfer::CONTENT.iter().chain(transfer::AROUND) {
            let keys = self.table(prefix, table, id.0).await?;
            for key in keys {
                let name = format!("{prefix}files/{key}");
                if !self.app.storage.exists(&key).await? {
                    self.missing.push(name);
                    continue;
                }
                self.files += 1;
                self.pieces.send(Piece::File { name, key }).await?;
            }
        }
        Ok(())
    }

    /// Sends a table's rows; gives the keys of the files that they name.
    async fn table(&mut self, prefix: &str, table: &'static Table, id: Uuid) -> anyhow::Result<Vec<String>> {
        let name = format!("{prefix}{}.jsonl", table.name);
        let (mut keys, mut count, mut lines) = (Vec::new(), 0, Vec::new());
        self.pieces.send(Piece::Table(name.clone())).await?;
        let mut rows = self.snapshot.rows_unscoped(table, id).await?;
        while let Some(row) = rows.try_next().await? {
            count += 1;
            let without = row.get("status").is_some_and(has_no_file);
            if let Some(key) = row.get("blob_key").and_then(Value::as_str).filter(|_| !without) {
                keys.push(key.to_owned());
            }
            serde_json::to_writer(&mut lines, &row)?;
            lines.push(b'\n');
            if lines.len() >= PIECE_BYTES {
                self.pieces.send(Piece::Rows(std::mem::take(&mut lines))).await?;
            }
        }
        drop(rows);
        self.pieces.send(Piece::Rows(lines)).await?;
        self.counts.insert(name, count);
        Ok(keys)
    }
}

fn write(mut pieces: mpsc::Receiver<Piece>, output: Output, storage: &Storage) -> io::Result<()> {
    let handle = Handle::current();
    let mut zip = ZipWriter::new_stream(output);
    let packed = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(true);
    let as_is = packed.compression_method(CompressionMethod::Stored);
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Table(name) => zip.start_file(name, packed).map_err(io::Error::other)?,
            Piece::Rows(lines) => zip.write_all(&lines)?,
            Piece::File { name, key } => {
                let file = handle.block_on(storage.local(&key))?;
                zip.start_file(name, as_is).map_err(io::Error::other)?;
                io::copy(&mut File::open(file.path())?, &mut zip)?;
            }
            Piece::Manifest(manifest) => {
                zip.start_file("manifest.json", packed).map_err(io::Error::other)?;
                zip.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
                return zip.finish().map_err(io::Error::other)?.into_inner().flush();
            }
        }
    }
    Err(io::Error::other("the archive breaks off"))
}

/// Whether rows in this status have no file to give out: what was deleted, and what the virus scanner holds back.
pub fn has_no_file(status: &Value) -> bool {
    status == "erased" || status == "quarantined"
}

/// Where a row's file lies in an archive of a workspace.
pub fn key_of(table: &str, workspace: Uuid, id: Uuid) -> Option<String> {
    let file = match table {
        "documents" => "original",
        "datasets" => "rows.jsonl",
        "models" | "checkpoints" => "adapter.zip",
        _ => return None,
    };
    Some(Storage::key(table, workspace, id, file))
}
