//! Files on their way to the server, in parts. They belong to the app, not to a page: they go on when the page is left,
//! after a lost network, and after a reload.

mod drive;
mod kept;
mod part;

use crate::{
    api::uploads::{delete_upload, list_uploads},
    browser::{self, Claim},
    session::{Account, Session},
};
use cerebros_common::{
    documents::DocumentKind,
    ids::{AgentId, DatasetId, UploadId},
    uploads::{Upload, UploadStatus},
};
use leptos::{prelude::*, task::spawn_local};
use std::collections::HashMap;
use web_sys::{File, XmlHttpRequest};

#[derive(Debug, Clone, PartialEq)]
pub enum TransferState {
    /// Others are on their way.
    Waiting,
    Sending,
    Paused,
    /// The connection is lost; it is tried again.
    Lost,
    /// All is there; the server puts it together and looks at it.
    Checking,
    /// The browser did not keep the file.
    NeedsFile,
    /// Another tab sends it.
    Elsewhere,
    /// With a sentence for the person.
    Failed(String),
}

/// What a file is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    Document(AgentId, DocumentKind),
    Dataset,
    /// The next version of a dataset.
    Version(DatasetId),
}

impl Destination {
    fn of(upload: &Upload) -> Self {
        match (upload.agent_id, upload.kind) {
            (Some(agent_id), Some(kind)) => Self::Document(agent_id, kind),
            _ => upload.version_of.map_or(Self::Dataset, Self::Version),
        }
    }

    pub(crate) fn agent_and_kind(self) -> Option<(AgentId, DocumentKind)> {
        match self {
            Self::Document(agent_id, kind) => Some((agent_id, kind)),
            Self::Dataset | Self::Version(_) => None,
        }
    }

    pub(crate) fn version_of(self) -> Option<DatasetId> {
        match self {
            Self::Version(id) => Some(id),
            Self::Document(..) | Self::Dataset => None,
        }
    }
}

/// A file on its way.
#[derive(Clone, Copy)]
pub struct Transfer {
    pub key: u64,
    pub destination: Destination,
    pub name: StoredValue<String>,
    pub bytes: u64,
    /// 0 to 1.
    pub sent: RwSignal<f64>,
    pub state: RwSignal<TransferState>,
    inner: StoredValue<Inner, LocalStorage>,
}

#[derive(Default)]
struct Inner {
    file: Option<File>,
    /// What the server calls it, once it was begun there.
    upload: Option<UploadId>,
    /// Makes it begin once there, however often that is tried.
    key: String,
    cancelled: bool,
    /// Counts starts: a run that is not the last one ends.
    run: u64,
    active: HashMap<u32, XmlHttpRequest>,
    /// Bytes of each part that are out.
    out: HashMap<u32, u64>,
    /// Keeps other tabs from sending the same.
    claim: Option<Claim>,
}

#[derive(Clone, Copy)]
pub struct Transfers {
    shown: RwSignal<Vec<Transfer>>,
    next: StoredValue<u64>,
    owner: StoredValue<Owner>,
}

/// Files that are sent at once.
const AT_ONCE: usize = 2;

impl Transfers {
    pub fn provide() {
        let transfers = Self {
            shown: RwSignal::new(Vec::new()),
            next: StoredValue::new(0),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
        };
        let account = Session::of_app().account();
        Effect::new(move |_| {
            if account.with(|account| *account == Account::SignedOut) {
                transfers
                    .shown
                    .with_untracked(|shown| shown.iter().for_each(|transfer| transfer.stop()));
                transfers.shown.set(Vec::new());
            }
        });
        provide_context(transfers);
    }

    pub fn of_app() -> Self {
        expect_context()
    }

    /// Those that are to become the same.
    pub fn of(self, destination: Destination) -> Vec<Transfer> {
        let mine = |transfer: &&Transfer| transfer.destination == destination;
        self.shown.with(|shown| shown.iter().filter(mine).copied().collect())
    }

    /// How many of them take room.
    pub fn pending(self, destination: Destination) -> u64 {
        let failed = |transfer: &&Transfer| !matches!(transfer.state.get(), TransferState::Failed(_));
        self.of(destination).iter().filter(failed).count() as u64
    }

    /// Goes on with an upload that waits for this file, or begins one. With an objection it is only shown.
    pub fn add(self, destination: Destination, file: File, objection: Option<String>) {
        let waiting = untrack(|| self.of(destination))
            .into_iter()
            .find(|transfer| transfer.state.get_untracked() == TransferState::NeedsFile && transfer.fits(&file));
        if let Some(transfer) = waiting {
            return self.take(transfer, file);
        }
        let state = objection.map_or(TransferState::Waiting, TransferState::Failed);
        let inner = Inner {
            file: Some(file.clone()),
            key: random_key(),
            ..Inner::default()
        };
        self.show(destination, file.name(), file.size() as u64, state, inner);
        self.advance();
    }

    /// Whether an upload waits for a file of this name and size.
    pub fn awaits(self, destination: Destination, file: &File) -> bool {
        untrack(|| self.of(destination))
            .iter()
            .any(|transfer| transfer.state.get_untracked() == TransferState::NeedsFile && transfer.fits(file))
    }

    /// Goes on with a file that was chosen again. `false`: it is another one.
    pub fn go_on(self, transfer: Transfer, file: File) -> bool {
        let fits = transfer.fits(&file);
        if fits {
            self.take(transfer, file);
        }
        fits
    }

    /// Goes on with the file that the browser did not keep.
    fn take(self, transfer: Transfer, file: File) {
        transfer.inner.update_value(|inner| inner.file = Some(file.clone()));
        transfer.state.set(TransferState::Waiting);
        if let Some(id) = transfer.inner.with_value(|inner| inner.upload) {
            spawn_local(async move { kept::keep(id, &file).await });
        }
        self.advance();
    }

    fn show(self, destination: Destination, name: String, bytes: u64, state: TransferState, inner: Inner) -> Transfer {
        let key = self.next.get_value();
        self.next.set_value(key + 1);
        // What is made in a page goes with it; this stays.
        let transfer = self.owner.get_value().with(|| Transfer {
            key,
            destination,
            name: StoredValue::new(name),
            bytes,
            sent: RwSignal::new(0.0),
            state: RwSignal::new(state),
            inner: StoredValue::new_local(inner),
        });
        self.shown.update(|shown| shown.push(transfer));
        transfer
    }

    /// Takes up what was begun before the page was loaded: for an agent's documents, or for datasets.
    pub fn recover(self, agent_id: Option<AgentId>) {
        spawn_local(async move {
            let Ok(uploads) = list_uploads(agent_id).await else {
                return;
            };
            for upload in uploads.into_iter().rev() {
                self.recover_one(upload).await;
            }
            self.advance();
        });
    }

    async fn recover_one(self, upload: Upload) {
        let known = |transfer: &Transfer| transfer.inner.with_value(|inner| inner.upload) == Some(upload.id);
        if self.shown.with_untracked(|shown| shown.iter().any(known)) {
            return;
        }
        let destination = Destination::of(&upload);
        let file = kept::find(upload.id).await;
        let claim = browser::claim(&lock_name(upload.id)).await;
        let state = match (upload.status, &file) {
            (UploadStatus::Failed, _) => TransferState::Failed(
                upload
                    .error
                    .map_or_else(|| "The upload failed.".to_owned(), |error| error.message),
            ),
            _ if claim.is_none() => TransferState::Elsewhere,
            (UploadStatus::Open, None) => TransferState::NeedsFile,
            _ if is_paused(upload.id) => TransferState::Paused,
            _ => TransferState::Waiting,
        };
        // Somebody may have begun it while the browser looked for the file.
        if self.shown.with_untracked(|shown| shown.iter().any(known)) {
            return;
        }
        let inner = Inner {
            file,
            upload: Some(upload.id),
            claim,
            ..Inner::default()
        };
        let elsewhere = state == TransferState::Elsewhere;
        let transfer = self.show(destination, upload.name, upload.size_bytes, state, inner);
        if elsewhere {
            spawn_local(self.follow(transfer, upload.id));
        }
    }

    /// Takes an upload over from another tab when that is closed, and ends with it.
    async fn follow(self, transfer: Transfer, id: UploadId) {
        let claim = browser::claim_when_free(&lock_name(id)).await;
        transfer.inner.update_value(|inner| inner.claim = claim);
        let paused = is_paused(id);
        transfer.state.set(if paused {
            TransferState::Paused
        } else {
            TransferState::Waiting
        });
        self.advance();
    }

    /// Starts as many as may run at once.
    fn advance(self) {
        loop {
            let next = self.shown.with_untracked(|shown| {
                let is = |transfer: &&Transfer, state: TransferState| transfer.state.get_untracked() == state;
                let running = shown
                    .iter()
                    .filter(|transfer| is(transfer, TransferState::Sending))
                    .count();
                let waiting = shown.iter().find(|transfer| is(transfer, TransferState::Waiting));
                waiting.copied().filter(|_| running < AT_ONCE)
            });
            let Some(transfer) = next else { return };
            transfer.state.set(TransferState::Sending);
            let run = transfer.begin_run();
            spawn_local(async move { self.drive(transfer, run).await });
        }
    }

    pub fn pause(self, transfer: Transfer) {
        transfer.stop();
        transfer.state.set(TransferState::Paused);
        remember_pause(transfer, true);
        self.advance();
    }

    pub fn resume(self, transfer: Transfer) {
        remember_pause(transfer, false);
        transfer.stop();
        transfer.state.set(TransferState::Waiting);
        self.advance();
    }

    /// Cancels it, or takes one that is over out of sight.
    pub fn remove(self, transfer: Transfer) {
        transfer.stop();
        remember_pause(transfer, false);
        transfer.inner.update_value(|inner| inner.cancelled = true);
        self.forget(transfer);
        if let Some(id) = transfer.inner.with_value(|inner| inner.upload) {
            spawn_local(async move {
                // What the server keeps expires there.
                let _ = delete_upload(id).await;
            });
        }
        self.advance();
    }

    /// It is over.
    fn forget(self, transfer: Transfer) {
        if let Some(id) = transfer.inner.with_value(|inner| inner.upload) {
            spawn_local(kept::forget(id));
        }
        transfer.inner.update_value(|inner| inner.claim = None);
        self.shown
            .update(|shown| shown.retain(|shown| shown.key != transfer.key));
    }
}

impl Transfer {
    fn fits(&self, file: &File) -> bool {
        file.size() as u64 == self.bytes && self.name.with_value(|name| *name == file.name())
    }

    fn begin_run(self) -> u64 {
        let mut run = 0;
        self.inner.update_value(|inner| {
            inner.run += 1;
            run = inner.run;
        });
        run
    }

    /// Ends the present run.
    fn stop(self) {
        self.inner.update_value(|inner| {
            inner.run += 1;
            for (_, request) in inner.active.drain() {
                // It may be over by now.
                drop(request.abort());
            }
        });
    }

    /// How much of a part is out.
    fn note_out(self, number: u32, bytes: u64) {
        self.inner.update_value(|inner| {
            inner.out.insert(number, bytes);
        });
    }

    fn is_current(self, run: u64) -> bool {
        self.inner.with_value(|inner| inner.run == run)
    }
}

/// Forgets what the browser keeps, for a person who leaves it.
pub async fn forget_files() {
    kept::clear().await;
}

fn random_key() -> String {
    let some = || format!("{:013x}", (js_sys::Math::random() * 2_f64.powi(52)) as u64);
    [some(), some()].concat()
}

fn lock_name(id: UploadId) -> String {
    format!("cerebros-upload-{id}")
}

fn pause_key(id: UploadId) -> String {
    format!("upload-paused-{id}")
}

fn is_paused(id: UploadId) -> bool {
    browser::recall(browser::storage(), &pause_key(id)).is_some()
}

fn remember_pause(transfer: Transfer, paused: bool) {
    if let Some(id) = transfer.inner.with_value(|inner| inner.upload) {
        browser::remember(browser::storage(), &pause_key(id), paused.then_some("1"));
    }
}
