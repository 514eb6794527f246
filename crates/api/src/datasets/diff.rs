//! Which rows two datasets share. Both files are read; of each different row, its hash and a count are in memory.

use super::written::{self, Opened};
use crate::{
    error::{AppError, AppResult},
    state::App,
};
use actix_web::web;
use cerebros_common::{
    datasets::{DatasetDiff, DatasetRow, DiffRowsQuery, DiffSide},
    ids::DatasetId,
    wire::CursorPage,
};
use cerebros_datasets::{AcceptedRow, Options};
use cerebros_db::Scope;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, io};

/// Long rows make a stretch shorter; one row always fits.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How often a file has each row.
type Counts = HashMap<[u8; 16], u32>;

async fn open(app: &App, scope: &Scope, from: DatasetId, to: DatasetId) -> AppResult<(Opened, Opened)> {
    let from = written::open(app, scope, from).await?;
    let to = written::open(app, scope, to).await?;
    if from.form.format.kind() != to.form.format.kind() {
        return Err(AppError::conflict(
            "Their rows are of different kinds, so no row of one can be in the other.",
        ));
    }
    Ok((from, to))
}

pub async fn count(app: &App, scope: &Scope, from: DatasetId, to: DatasetId) -> AppResult<DatasetDiff> {
    let (from, to) = open(app, scope, from, to).await?;
    let counting = web::block(move || {
        let mut before = counts(&from)?;
        let rows_before: u64 = before.values().map(|count| u64::from(*count)).sum();
        let (mut added, mut unchanged) = (0, 0);
        written::read(
            &to,
            &Options::new(to.form),
            |row| {
                match take(&mut before, &row) {
                    true => unchanged += 1,
                    false => added += 1,
                }
                Ok(())
            },
            |_| Ok(()),
        )?;
        io::Result::Ok(DatasetDiff {
            added,
            removed: rows_before - unchanged,
            unchanged,
        })
    });
    let counted = counting.await.map_err(AppError::internal)?;
    counted.map_err(AppError::internal)
}

/// Those of one side, after as many as the cursor says.
pub async fn rows(
    app: &App,
    scope: &Scope,
    id: DatasetId,
    query: &DiffRowsQuery,
    skipped: u64,
    limit: usize,
) -> AppResult<CursorPage<DatasetRow>> {
    let (from, to) = open(app, scope, query.from_id, id).await?;
    let (other, shown) = match query.side {
        DiffSide::Added => (from, to),
        DiffSide::Removed => (to, from),
    };
    let reading = web::block(move || stretch(&other, &shown, skipped, limit));
    let read = reading.await.map_err(AppError::internal)?;
    read.map_err(AppError::internal)
}

fn stretch(other: &Opened, shown: &Opened, skipped: u64, limit: usize) -> io::Result<CursorPage<DatasetRow>> {
    let mut there = counts(other)?;
    let (mut met, mut bytes) = (0, 0);
    let mut items: Vec<DatasetRow> = Vec::new();
    let more = written::read_until(shown, &Options::new(shown.form), |row| {
        if take(&mut there, &row) {
            return Ok(true);
        }
        met += 1;
        if met <= skipped {
            return Ok(true);
        }
        bytes += row.json.len();
        if items.len() == limit || (bytes > MAX_BYTES && !items.is_empty()) {
            return Ok(false);
        }
        items.push(DatasetRow {
            line: row.line,
            row: serde_json::from_slice(row.json)?,
        });
        Ok(true)
    })?;
    let next_cursor = more.then(|| (skipped + items.len() as u64).to_string());
    Ok(CursorPage { items, next_cursor })
}

fn counts(opened: &Opened) -> io::Result<Counts> {
    let mut counts = Counts::new();
    written::read(
        opened,
        &Options::new(opened.form),
        |row| {
            *counts.entry(hash(&row)).or_default() += 1;
            Ok(())
        },
        |_| Ok(()),
    )?;
    Ok(counts)
}

/// Whether one more of a row is there, which then is there no more.
fn take(counts: &mut Counts, row: &AcceptedRow<'_>) -> bool {
    match counts.get_mut(&hash(row)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

/// The same for rows that are the same, however they are written.
fn hash(row: &AcceptedRow<'_>) -> [u8; 16] {
    let mut hash = Sha256::new();
    match serde_json::from_slice::<Value>(row.json) {
        Ok(mut value) => {
            value.sort_all_objects();
            hash.update(value.to_string().as_bytes());
        }
        Err(_) => hash.update(row.json),
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}
