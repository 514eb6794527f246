//! One document: what it is, and its text.

mod chunks;
mod text;

use crate::{
    address::{Address, word},
    api::documents::{content_address, find_document, retry_document},
    browser,
    components::{
        button::Button,
        dialog::About,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
        status::DocumentTag,
        time::Ago,
    },
    format,
    forms::Sending,
    pages::{
        by_id::by_id,
        deletions::{DeleteDialog, Doomed},
    },
    remote::Remote,
};
use cerebros_common::{
    documents::{Document, DocumentKind, DocumentStatus, Scan},
    events::EventKind,
    ids::DocumentId,
    workspaces::Role,
};
use chunks::ChunksPanel;
use leptos::prelude::*;
use text::TextPanel;

#[component]
pub fn DocumentPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <OneDocument id /> })}
    }
}

#[component]
fn OneDocument(id: DocumentId) -> impl IntoView {
    let document = Remote::new(move || find_document(id))
        .live(move |event| event.kind == EventKind::DocumentChanged && event.id == id.0);
    view! {
        <Loaded remote=document let:current>
            <Head document=current remote=document />
            <div class="space-y-6">
                <Facts document=current />
                <Show when=move || current.with(|document| document.status == DocumentStatus::Ready)>
                    <TextPanel id />
                    <ChunksPanel id />
                </Show>
            </div>
        </Loaded>
    }
}

fn scan_says(scan: Option<Scan>) -> &'static str {
    match scan {
        None => "Not yet",
        Some(Scan::Clean) => "Nothing found",
        Some(Scan::Infected) => "Something found",
        Some(Scan::NotScanned) => "No scanner on this server",
        Some(Scan::TooLarge) => "Too large to scan",
    }
}

pub fn kind_name(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::WorkProduct => "Work product",
        DocumentKind::Communication => "Communication",
        DocumentKind::Reference => "Reference",
    }
}

#[component]
fn Head(document: Signal<Document>, remote: Remote<Document>) -> impl IntoView {
    let address = Address::of_page();
    let deleting = About::new();
    let (id, agent) = document.with_untracked(|document| (document.id, document.agent_id));
    let name = Signal::derive(move || document.with(|document| document.name.clone()));
    Effect::new(move |_| browser::title(name.get()));
    let again = Sending::new();
    let retry = Callback::new(move |()| again.start(retry_document(id), move |document| remote.set(document)));
    let parents = vec![
        ("Dashboard".to_owned(), "/dashboard".to_owned()),
        ("Assistant".to_owned(), format!("/assistants/{agent}?tab=documents")),
    ];
    view! {
        <PageHead title=name parents>
            <Show when=move || document.with(|document| document.status != DocumentStatus::Quarantined)>
                <a href=content_address(id) download class="btn">
                    <Icon icon=icondata::LuDownload />
                    "Download"
                </a>
            </Show>
            <May role=Role::Editor>
                <button type="button" class="btn" on:click=move |_| deleting.ask(Doomed::document(id, name.get_untracked()))>
                    <Icon icon=icondata::LuTrash2 />
                    "Delete"
                </button>
            </May>
        </PageHead>
        {move || {
            document
                .with(|document| document.error.clone())
                .map(|error| {
                    view! {
                        <div role="alert" class="mb-6 flex flex-wrap items-center gap-4 rounded-field bg-tint-red p-4 text-ink-red">
                            <p class="grow basis-64">{error.message}</p>
                            <Show when=move || document.with(|document| document.status == DocumentStatus::Error)>
                                <May role=Role::Editor>
                                    <Button busy=again.busy class="btn btn-sm" on_click=retry>
                                        <Icon icon=icondata::LuRotateCcw />
                                        "Retry"
                                    </Button>
                                </May>
                            </Show>
                        </div>
                    }
                })
        }}
        <DeleteDialog about=deleting done=move |()| address.leave_for(&format!("/assistants/{agent}?tab=documents")) />
    }
}

#[component]
fn Facts(document: Signal<Document>) -> impl IntoView {
    view! {
        <Panel title="About">
            {move || {
                let document = document.get();
                let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
                view! {
                    <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
                        <Fact name="Status">
                            <DocumentTag status=document.status />
                        </Fact>
                        <Fact name="Kind">{kind_name(document.kind)}</Fact>
                        <Fact name="Format">{word(&document.format).to_uppercase()}</Fact>
                        <Fact name="Size">{format::size(document.size_bytes)}</Fact>
                        <Fact name="Pages">{or_dash(document.pages.map(|pages| format::count(u64::from(pages))))}</Fact>
                        <Fact name="Characters">{or_dash(document.characters.map(format::count))}</Fact>
                        <Fact name="Virus scan">{scan_says(document.scan)}</Fact>
                        <Fact name="Tokens">{or_dash(document.tokens.map(format::count))}</Fact>
                        <Fact name="Examples">{format::count(document.examples)}</Fact>
                        <Fact name="Uploaded">
                            <Ago at=document.created_at />
                        </Fact>
                        <div class="col-span-full min-w-0">
                            <dt class="text-sm text-muted">"SHA-256"</dt>
                            <dd class="font-mono text-sm break-all">{document.sha256}</dd>
                        </div>
                    </dl>
                }
            }}
        </Panel>
    }
}
