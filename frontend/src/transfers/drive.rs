//! A transfer from its first part to its end.

use super::{Transfer, TransferState, Transfers, kept, lock_name, part::Part, remember_pause};
use crate::{
    api::{
        ApiError,
        uploads::{complete_upload, create_upload, delete_upload, find_upload, part_addresses},
    },
    browser,
};
use cerebros_common::{
    errors::ErrorCode,
    uploads::{NewUpload, PartAddress, Upload, UploadStatus},
};
use futures_util::{StreamExt, stream};
use leptos::prelude::*;
use std::time::Duration;
use web_sys::File;

/// Parts that are sent at once.
const PARTS_AT_ONCE: usize = 3;
/// Parts whose addresses are asked for at once.
const ADDRESSES_AT_ONCE: usize = 12;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often in a row an upload may get nowhere while the server is reached.
const TRIES: u32 = 8;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(400);

/// Why an attempt ended early.
enum Stop {
    /// Paused, cancelled, or begun anew.
    Superseded,
    /// The server knows nothing of it: it was cancelled elsewhere, or given up.
    Gone,
    /// To be tried again.
    Lost,
    /// The server was reached, but did not take what was sent.
    Stuck,
    Failed(String),
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        match error.code() {
            None => Self::Lost,
            Some(ErrorCode::TooManyRequests | ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::InFlight) => {
                Self::Stuck
            }
            Some(_) => Self::Failed(error.message()),
        }
    }
}

impl Transfers {
    pub(super) async fn drive(self, transfer: Transfer, run: u64) {
        let (mut wait, mut stuck) = (FIRST_WAIT, 0);
        loop {
            let before = transfer.sent.get_untracked();
            let stop = match attempt(transfer, run).await {
                Ok(()) => {
                    self.forget(transfer);
                    break self.advance();
                }
                Err(stop) => stop,
            };
            if !transfer.is_current(run) {
                return;
            }
            if transfer.sent.get_untracked() > before {
                (wait, stuck) = (FIRST_WAIT, 0);
            }
            match stop {
                Stop::Superseded => break self.advance(),
                Stop::Gone => {
                    transfer.stop();
                    self.forget(transfer);
                    break self.advance();
                }
                Stop::Failed(message) => {
                    transfer.stop();
                    transfer.state.set(TransferState::Failed(message));
                    break self.advance();
                }
                Stop::Stuck if stuck >= TRIES => {
                    transfer.stop();
                    let message = "The server does not take this file right now. Try again later.";
                    transfer.state.set(TransferState::Failed(message.to_owned()));
                    break self.advance();
                }
                Stop::Stuck => stuck += 1,
                Stop::Lost => transfer.state.set(TransferState::Lost),
            }
            browser::pass_or_online(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            if !transfer.is_current(run) {
                return;
            }
            transfer.state.set(TransferState::Sending);
        }
    }
}

async fn attempt(transfer: Transfer, run: u64) -> Result<(), Stop> {
    let file = transfer.inner.with_value(|inner| inner.file.clone());
    let mut upload = match transfer.inner.with_value(|inner| inner.upload) {
        Some(id) => find_upload(id).await.map_err(|error| match error.is_missing() {
            true => Stop::Gone,
            false => error.into(),
        })?,
        None => begin(transfer, file.as_ref().ok_or(Stop::Superseded)?).await?,
    };
    current(transfer, run)?;
    if upload.status == UploadStatus::Open {
        let file = match file {
            Some(file) => Some(file),
            None => kept::find(upload.id).await,
        };
        let Some(file) = file else {
            transfer.state.set(TransferState::NeedsFile);
            return Err(Stop::Superseded);
        };
        send_missing(transfer, run, &upload, &file).await?;
        transfer.state.set(TransferState::Checking);
        upload = complete_upload(upload.id).await?;
    }
    transfer.state.set(TransferState::Checking);
    transfer.sent.set(1.0);
    loop {
        current(transfer, run)?;
        match upload.status {
            UploadStatus::Done => return Ok(()),
            UploadStatus::Failed => {
                let error = upload.error.map(|error| error.message);
                return Err(Stop::Failed(error.unwrap_or_else(|| "The upload failed.".to_owned())));
            }
            UploadStatus::Completing => browser::pass(LOOK_AGAIN_AFTER).await,
            // Somebody else's part replaced one meanwhile.
            UploadStatus::Open => return Err(Stop::Stuck),
        }
        upload = find_upload(upload.id).await?;
    }
}

fn current(transfer: Transfer, run: u64) -> Result<(), Stop> {
    transfer.is_current(run).then_some(()).ok_or(Stop::Superseded)
}

async fn begin(transfer: Transfer, file: &File) -> Result<Upload, Stop> {
    let becomes = transfer.destination.agent_and_kind();
    let new = NewUpload {
        agent_id: becomes.map(|(agent_id, _)| agent_id),
        kind: becomes.map(|(_, kind)| kind),
        version_of: transfer.destination.version_of(),
        name: file.name(),
        size_bytes: transfer.bytes,
        sha256: None,
    };
    let key = transfer.inner.with_value(|inner| inner.key.clone());
    let upload = create_upload(&new, &key).await?;
    if transfer.inner.with_value(|inner| inner.cancelled) {
        // What the server keeps expires there.
        let _ = delete_upload(upload.id).await;
        return Err(Stop::Superseded);
    }
    let claim = browser::claim(&lock_name(upload.id)).await;
    transfer.inner.update_value(|inner| {
        inner.upload = Some(upload.id);
        inner.claim = claim;
    });
    if transfer.state.get_untracked() == TransferState::Paused {
        remember_pause(transfer, true);
    }
    kept::keep(upload.id, file).await;
    Ok(upload)
}

async fn send_missing(transfer: Transfer, run: u64, upload: &Upload, file: &File) -> Result<(), Stop> {
    let there = upload.received.clone().unwrap_or_default();
    let size = |number: u32| upload.part_size(number).unwrap_or_default();
    transfer.inner.update_value(|inner| {
        inner.out = there.iter().map(|number| (*number, size(*number))).collect();
    });
    show_progress(transfer);
    let missing: Vec<u32> = (1..=upload.parts).filter(|number| !there.contains(number)).collect();
    for some in missing.chunks(ADDRESSES_AT_ONCE) {
        let addresses = part_addresses(upload.id, some.to_vec()).await?;
        let mut sending = stream::iter(addresses)
            .map(|address| send(transfer, run, upload.part_bytes, file, address))
            .buffer_unordered(PARTS_AT_ONCE);
        while let Some(sent) = sending.next().await {
            if let Err(stop) = sent {
                // The others would end in a run that is over.
                transfer.inner.update_value(|inner| {
                    for (_, request) in inner.active.drain() {
                        drop(request.abort());
                    }
                });
                return Err(stop);
            }
        }
    }
    Ok(())
}

async fn send(transfer: Transfer, run: u64, part_bytes: u64, file: &File, address: PartAddress) -> Result<(), Stop> {
    current(transfer, run)?;
    let number = address.number;
    let start = (u64::from(number - 1) * part_bytes) as f64;
    let unreadable = |_| Stop::Failed("The browser cannot read the file any more. Add it again.".to_owned());
    let bytes = file
        .slice_with_f64_and_f64(start, start + address.size_bytes as f64)
        .map_err(unreadable)?;
    let progress = move |out| {
        if transfer.inner.try_with_value(|inner| inner.run == run) == Some(true) {
            transfer.note_out(number, out);
            show_progress(transfer);
        }
    };
    let part = Part::send(&address.url, &bytes, progress).map_err(|_| Stop::Lost)?;
    transfer
        .inner
        .update_value(|inner| drop(inner.active.insert(number, part.request())));
    let status = part.status().await;
    current(transfer, run)?;
    transfer.inner.update_value(|inner| drop(inner.active.remove(&number)));
    let arrived = status.is_some_and(|status| (200..300).contains(&status));
    let out = if arrived { address.size_bytes } else { 0 };
    transfer.note_out(number, out);
    show_progress(transfer);
    match status {
        _ if arrived => Ok(()),
        None => Err(Stop::Lost),
        // An address may have expired; the next attempt asks for new ones.
        Some(_) => Err(Stop::Stuck),
    }
}

fn show_progress(transfer: Transfer) {
    let out: u64 = transfer.inner.with_value(|inner| inner.out.values().sum());
    let part = out as f64 / (transfer.bytes.max(1)) as f64;
    transfer.sent.set(part.min(1.0));
}
