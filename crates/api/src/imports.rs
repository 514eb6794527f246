//! A workspace from an archive, on this server or another: under new ids, checked row by row, whole or not at all.

use crate::{
    bases,
    config::Config,
    exports::{self, Manifest, Subject},
    keys::Keys,
    server,
    storage::Storage,
};
use anyhow::{Context, bail, ensure};
use cerebros_common::ids::WorkspaceId;
use cerebros_db::{
    Write,
    transfer::{CONTENT, Import, Table},
    workspaces,
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};
use uuid::Uuid;
use zip::ZipArchive;

const MAX_ENTRIES: usize = 1_000_000;
const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;
const MAX_LINE_BYTES: u64 = 256 * 1024 * 1024;
/// Tables pack about five to one; beyond this somebody means harm.
const MAX_RATIO: u64 = 200;
const ALWAYS_ALLOWED_BYTES: u64 = 16 * 1024 * 1024;

/// Makes a workspace of the archive, owned by the account with the address.
///
/// # Errors
/// When a server uses the embedded database, when nobody has the address, and whatever is wrong with the archive. Then
/// nothing is kept.
pub async fn import(config: &Config, file: &Path, owner: &str) -> anyhow::Result<WorkspaceId> {
    let connection = server::connect(config, &Keys::load(config)?).await?;
    let _lock = server::lock_data_dir(config, &connection)?;
    let owner = cerebros_db::users::find_credentials_unscoped(&connection, owner).await?;
    let owner = owner.context("nobody has an account with this address")?.user;
    let storage = Storage::open(config).await?;
    let file = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut archive = ZipArchive::new(file).context("the file is no ZIP archive")?;
    let manifest = manifest(&mut archive)?;
    let scope = workspaces::personal_scope_unscoped(&connection, owner.id).await?;
    let mut write = connection.write(&scope).await?;
    let Subject::Workspace(old) = manifest.subject else {
        bail!("the archive holds an account; import the workspaces in it one by one, each exported by itself");
    };
    let name = manifest.name.clone().unwrap_or_default();
    ensure!(
        (1..=120).contains(&name.trim().chars().count()),
        "the workspace's name does not fit"
    );
    let import = Import::begin(&mut write, name.trim(), old.0).await?;
    let id = import.workspace_id;
    let read = Reading {
        archive,
        storage: &storage,
        import,
        old: old.0,
    };
    let outcome = read.all(write, &manifest).await;
    if outcome.is_err() {
        storage.remove_workspace(id).await?;
    }
    outcome.map(|()| id)
}

fn manifest(archive: &mut ZipArchive<File>) -> anyhow::Result<Manifest> {
    ensure!(archive.len() <= MAX_ENTRIES, "the archive has too many files");
    for name in archive.file_names() {
        let name = name?;
        let known = name == "manifest.json"
            || name.starts_with("files/")
            || name.strip_suffix(".jsonl").is_some_and(|table| !table.contains('/'));
        ensure!(
            known,
            "the archive holds `{}`, which no export makes",
            name.escape_debug()
        );
    }
    let entry = archive
        .by_name("manifest.json")
        .context("the archive has no manifest.json")?;
    let mut text = Vec::new();
    entry.take(MAX_MANIFEST_BYTES).read_to_end(&mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text).context("manifest.json cannot be understood")?;
    ensure!(
        manifest.format == exports::FORMAT,
        "the archive has format {}, but this version reads format {}",
        manifest.format,
        exports::FORMAT
    );
    ensure!(
        manifest.missing.is_empty(),
        "{} files were missing when the archive was made",
        manifest.missing.len()
    );
    Ok(manifest)
}

/// A file that the rows name.
struct Expected {
    table: &'static str,
    id: Uuid,
    size_bytes: u64,
    /// Of the file itself; an adapter's is that of the weights in it.
    sha256: Option<String>,
}

struct Reading<'a> {
    archive: ZipArchive<File>,
    storage: &'a Storage,
    import: Import,
    old: Uuid,
}

impl Reading<'_> {
    async fn all(mut self, write: Write, manifest: &Manifest) -> anyhow::Result<()> {
        let mut counts = BTreeMap::new();
        let mut files = Vec::new();
        for table in CONTENT {
            let count = self.table(&write, table, &mut files).await;
            counts.insert(format!("{}.jsonl", table.name), count.context(table.name)?);
        }
        for (name, count) in &counts {
            let said = manifest.counts.get(name).copied().unwrap_or_default();
            ensure!(said == *count, "{name} has {count} rows, but the manifest says {said}");
        }
        let held = self.archive.file_names().flatten();
        let held = held.filter(|name| name.starts_with("files/")).count();
        ensure!(
            held == files.len() && held as u64 == manifest.files,
            "the archive holds {held} files, but its rows name {}",
            files.len()
        );
        for file in &files {
            self.file(file).await?;
        }
        for base in self.import.finish(&write).await? {
            bases::enqueue_fetch(&write, base).await.map_err(anyhow::Error::new)?;
        }
        Ok(write.commit().await?)
    }

    async fn table(&mut self, write: &Write, table: &'static Table, files: &mut Vec<Expected>) -> anyhow::Result<u64> {
        let entry = self.archive.by_name(&format!("{}.jsonl", table.name));
        let entry = entry.context("it is missing")?;
        let allowed = (entry.compressed_size().saturating_mul(MAX_RATIO)).max(ALWAYS_ALLOWED_BYTES);
        let mut lines = BufReader::new(entry.take(allowed + 1));
        let (mut count, mut bytes, mut line) = (0, 0, Vec::new());
        loop {
            line.clear();
            let read = (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(count);
            }
            count += 1;
            bytes += read as u64;
            ensure!(bytes <= allowed, "it unpacks to far more than a table does");
            ensure!(line.ends_with(b"\n"), "line {count} breaks off or is too long");
            let mut row: Map<String, Value> =
                serde_json::from_slice(&line).with_context(|| format!("line {count} is no JSON object"))?;
            expect_file(&self.import, self.old, table.name, &mut row, files)
                .with_context(|| format!("line {count}"))?;
            let inserted = self.import.insert(write, table, &row).await;
            inserted.with_context(|| format!("line {count}"))?;
        }
    }

    async fn file(&mut self, expected: &Expected) -> anyhow::Result<()> {
        let key = |workspace, id| exports::key_of(expected.table, workspace, id).unwrap_or_default();
        let name = format!("files/{}", key(self.old, expected.id));
        let here = key(self.import.workspace_id.0, self.import.id(expected.id));
        let mut entry = self
            .archive
            .by_name(&name)
            .with_context(|| format!("{name} is missing"))?;
        let mut writer = self.storage.create().await?;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let count = entry.read(&mut piece).with_context(|| format!("{name} is damaged"))?;
            if count == 0 {
                break;
            }
            writer.write(&piece[..count]).await?;
            ensure!(
                writer.size_bytes() <= expected.size_bytes,
                "{name} is longer than its row says"
            );
        }
        drop(entry);
        let stored = writer.finish(&here).await?;
        let fits = expected.sha256.as_ref().is_none_or(|sha256| *sha256 == stored.sha256);
        ensure!(
            stored.size_bytes == expected.size_bytes && fits,
            "{name} is not the file that its row tells of"
        );
        if expected.table == "models" {
            self.storage.unpacked(&here).await.with_context(|| name)?;
        }
        Ok(())
    }
}

/// Notes the file that a row names, and names it as it will be called here.
fn expect_file(
    import: &Import,
    old: Uuid,
    table: &'static str,
    row: &mut Map<String, Value>,
    files: &mut Vec<Expected>,
) -> anyhow::Result<()> {
    if table == "bases" && row.get("source").is_some_and(|source| source == "hub") {
        let location = row.get("location").and_then(Value::as_str).unwrap_or_default();
        bases::check_hub_id(location).map_err(anyhow::Error::new)?;
    }
    let id = row.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let Some(id) = id else { return Ok(()) };
    let Some(key) = exports::key_of(table, old, id) else {
        return Ok(());
    };
    ensure!(
        row.get("blob_key").and_then(Value::as_str) == Some(&key),
        "`blob_key` does not belong to the row"
    );
    let here = exports::key_of(table, import.workspace_id.0, import.id(id));
    row.insert("blob_key".to_owned(), here.into());
    if row.get("status").is_some_and(exports::has_no_file) {
        return Ok(());
    }
    let sha256 = row.get("sha256").and_then(Value::as_str).map(str::to_owned);
    files.push(Expected {
        table,
        id,
        size_bytes: row.get("size_bytes").and_then(Value::as_u64).unwrap_or_default(),
        sha256: sha256.filter(|_| table != "models"),
    });
    Ok(())
}
