//! The documents of one kind of an assistant: uploading, following, deleting.

use crate::{
    address::word,
    api::documents::{list_documents, retry_document},
    components::{
        dialog::About,
        document_row::DocumentRow,
        drop_zone::DropZone,
        loaded::{Loaded, no_items},
        may::May,
        transfer_list::TransferList,
    },
    facts::Facts,
    format,
    pages::deletions::{DeleteDialog, Doomed},
    remote::Remote,
    session::Session,
    toasts::Toasts,
    transfers::{Destination, Transfers},
    uploads::DOCUMENTS,
};
use cerebros_common::{
    documents::{Document, DocumentKind, DocumentQuery, MAX_DOCUMENTS_PER_KIND},
    events::EventKind,
    ids::AgentId,
    wire::Page,
    workspaces::Role,
};
use leptos::{prelude::*, task::spawn_local};
use web_sys::File;

#[component]
pub fn DocumentsPart(id: AgentId, kind: DocumentKind, title: &'static str) -> impl IntoView {
    let documents = Remote::new(move || {
        list_documents(DocumentQuery {
            agent_id: Some(id),
            kind: Some(kind),
            limit: Some(100),
            ..DocumentQuery::default()
        })
    })
    .live(move |event| {
        event.agent_id == Some(id)
            && matches!(
                event.kind,
                EventKind::DocumentChanged | EventKind::DocumentDeleted | EventKind::ExamplesChanged
            )
    });
    let destination = Destination::Document(id, kind);
    let transfers = Transfers::of_app();
    let session = Session::of_app();
    if session.may(Role::Editor) {
        transfers.recover(Some(id));
    }
    let facts = Facts::of_app();
    let limits = move || DOCUMENTS.up_to(facts.max_document_bytes());
    let stored = move || documents.with(|page| page.total).unwrap_or_default();
    let add = UnsyncCallback::new(move |files: Vec<File>| {
        let mut room = untrack(|| MAX_DOCUMENTS_PER_KIND.saturating_sub(stored() + transfers.pending(destination)));
        for file in files {
            if transfers.awaits(destination, &file) {
                transfers.add(destination, file, None);
                continue;
            }
            let mut objection = untrack(limits).objection(&file.name(), file.size() as u64);
            if objection.is_none() && room == 0 {
                objection = Some(format!(
                    "There is room for {MAX_DOCUMENTS_PER_KIND} files here. Delete one first."
                ));
            } else if objection.is_none() {
                room -= 1;
            }
            transfers.add(destination, file, objection);
        }
    });
    let note = Signal::derive(move || {
        format!(
            "PDF, DOCX, TXT, MD, CSV, JSON or XML, up to {} each. {} of {MAX_DOCUMENTS_PER_KIND} used.",
            format::size(limits().bytes),
            format::count(stored())
        )
    });
    view! {
        <section aria-labelledby=word(&kind) class="space-y-4">
            <h2 id=word(&kind)>{title}</h2>
            <May role=Role::Editor>
                <DropZone limits=DOCUMENTS note on_files=add />
                <TransferList destination />
            </May>
            <Stored documents />
        </section>
    }
}

#[component]
fn Stored(documents: Remote<Page<Document>>) -> impl IntoView {
    let toasts = Toasts::of_app();
    let session = Session::of_app();
    let changes = Signal::derive(move || session.may(Role::Editor));
    let empty = move || (!changes.get()).then(|| view! { <p class="text-muted">"No files here."</p> });
    let removing = About::new();
    let retry = Callback::new(move |document: Document| {
        spawn_local(async move {
            match retry_document(document.id).await {
                Ok(_) => documents.refetch(),
                Err(error) => toasts.bad(&error),
            }
        });
    });
    let remove = Callback::new(move |document: Document| {
        removing.ask(Doomed::document(document.id, document.name));
    });
    view! {
        <Loaded remote=documents is_empty=no_items empty let:page>
            <ul class="panel divide-y divide-line" aria-live="polite">
                <For
                    each=move || page.get().items
                    key=|document| (document.id, document.status, document.examples, document.updated_at)
                    let:document
                >
                    <DocumentRow document retry remove changes />
                </For>
            </ul>
        </Loaded>
        <DeleteDialog about=removing done=move |()| documents.refetch() />
    }
}
