//! Deleting for good: what would go, the confirmation, how far it is, and the receipt.

mod counts;
mod preview;
pub mod receipt;

use crate::{
    api::deletions::{create_deletion, find_deletion},
    browser,
    components::{
        button::Button,
        dialog::{About, Dialog},
        error_view::Alert,
        field::Field,
        icon::Icon,
    },
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    deletions::{Deletion, DeletionPreview, DeletionStatus, DeletionSubject, DeletionTarget, NewDeletion},
    ids::{AgentId, DocumentId},
};
use leptos::prelude::*;
use preview::Preview;
use std::time::Duration;
use uuid::Uuid;

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is to be deleted, and what it is called.
#[derive(Clone)]
pub struct Doomed {
    target: DeletionTarget,
    name: String,
}

impl Doomed {
    pub fn document(id: DocumentId, name: String) -> Self {
        Self::new(DeletionSubject::Document, id.0, name)
    }

    pub fn agent(id: AgentId, name: String) -> Self {
        Self::new(DeletionSubject::Agent, id.0, name)
    }

    pub fn new(subject: DeletionSubject, id: Uuid, name: String) -> Self {
        Self {
            target: DeletionTarget { subject, id },
            name,
        }
    }
}

/// Calls `done` when it is closed after a deletion. A deleted workspace or account leads to the receipt instead.
#[component]
pub fn DeleteDialog(about: About<Doomed>, #[prop(into)] done: Callback<()>) -> impl IntoView {
    let started = RwSignal::new(None::<Deletion>);
    let title = about.title(|doomed| format!("Delete {}?", doomed.name));
    Effect::new(move |_| {
        if !about.open.get() && started.try_update_untracked(Option::take).flatten().is_some() {
            done.run(());
        }
    });
    let accepted = Callback::new(move |deletion: Deletion| match deletion.subject {
        DeletionSubject::Document | DeletionSubject::Agent => started.set(Some(deletion)),
        DeletionSubject::Workspace | DeletionSubject::Account => {
            browser::load(&format!("/receipts/{}", deletion.receipt_id));
        }
    });
    view! {
        <Dialog open=about.open title>
            {move || match (started.get(), about.now()) {
                (Some(deletion), _) => view! { <Progress deletion about /> }.into_any(),
                (None, Some(doomed)) => view! { <Preview target=doomed.target accepted /> }.into_any(),
                (None, None) => ().into_any(),
            }}
        </Dialog>
    }
}

/// What the preview asks for.
#[component]
fn Ask(preview: DeletionPreview, accepted: Callback<Deletion>) -> impl IntoView {
    let [typed, password] = [(); 2].map(|()| RwSignal::new(String::new()));
    let sending = Sending::new();
    let (subject, id, wanted) = (preview.subject, preview.id, preview.confirmation);
    let account = subject == DeletionSubject::Account;
    let blocked = !preview.blocking.is_empty();
    let shown = wanted.clone();
    let unlike = Signal::derive(move || blocked || typed.with(|typed| typed.trim() != wanted.trim()));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewDeletion {
            subject,
            id,
            confirmation: typed.get_untracked(),
            password: account.then(|| password.get_untracked()),
        };
        sending.submit(body, create_deletion, move |deletion| accepted.run(deletion));
    };
    view! {
        <form class="mt-4 space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <p class="break-words">"To confirm, type " <b class="select-all">{shown}</b></p>
            <Field label="Confirmation" name="deletion-confirmation" value=typed error=sending.field("confirmation") autocomplete="off" />
            {account
                .then(|| {
                    view! {
                        <Field
                            label="Your password"
                            name="deletion-password"
                            kind="password"
                            value=password
                            error=sending.field("password")
                            autocomplete="current-password"
                        />
                    }
                })}
            <div class="flex justify-end">
                <Button busy=sending.busy disabled=unlike kind="submit" class="btn btn-error">
                    "Delete for good"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn Progress(deletion: Deletion, about: About<Doomed>) -> impl IntoView {
    let id = deletion.id;
    let receipt = format!("/receipts/{}", deletion.receipt_id);
    let state = Remote::new(move || find_deletion(id));
    let is_done = move || {
        state
            .with(|deletion| deletion.status == DeletionStatus::Done)
            .unwrap_or_default()
    };
    if let Ok(timer) = set_interval_with_handle(
        move || {
            if !untrack(is_done) {
                state.refetch();
            }
        },
        LOOK_AGAIN,
    ) {
        on_cleanup(move || timer.clear());
    }
    view! {
        <div role="status">
            <Show
                when=is_done
                fallback=|| {
                    view! {
                        <p class="flex items-center gap-2">
                            <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
                            "It is out of reach. Files and rows are being removed; you can close this."
                        </p>
                    }
                }
            >
                <p class="flex items-center gap-2">
                    <span class="text-success">
                        <Icon icon=icondata::LuCircleCheck class="size-5" />
                    </span>
                    "It is gone."
                </p>
            </Show>
        </div>
        <div class="mt-6 flex flex-wrap justify-end gap-2">
            <a href=receipt class="btn">
                "See the receipt"
            </a>
            <button type="button" class="btn btn-primary" on:click=move |_| about.close()>
                "Close"
            </button>
        </div>
    }
}
