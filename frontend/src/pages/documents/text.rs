//! The text of a document, in stretches. `?start=..&end=..` marks a span and scrolls to it.

use crate::{
    address::Address,
    api::{Answer, documents::find_text},
    components::{button::Button, error_view::Alert, loaded::Loaded, page_head::Panel, passage::Passage},
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    documents::{DocumentText, DocumentTextQuery},
    ids::DocumentId,
};
use leptos::prelude::*;

const STRETCH: u64 = 20_000;
/// Characters shown before a marked span.
const BEFORE: u64 = 2_000;

#[component]
pub fn TextPanel(id: DocumentId) -> impl IntoView {
    let address = Address::of_page();
    let span = Memo::new(move |_| {
        address
            .number("start")
            .zip(address.number("end"))
            .filter(|(start, end)| start < end)
    });
    let text = Remote::new(move || {
        read(
            id,
            span.get().map_or(0, |(start, _)| start.saturating_sub(BEFORE)),
            STRETCH,
        )
    });
    view! {
        <Panel title="Text">
            <Loaded remote=text let:shown>
                <Earlier id shown text />
                {move || {
                    let shown = shown.get();
                    view! { <Passage text=shown.text offset=shown.offset pages=shown.pages span=span.get() reveal=true /> }
                }}
                <Later id shown text />
            </Loaded>
        </Panel>
    }
}

async fn read(id: DocumentId, offset: u64, length: u64) -> Answer<DocumentText> {
    let query = DocumentTextQuery {
        offset: Some(offset),
        length: Some(length),
    };
    find_text(id, query).await
}

fn end(text: &DocumentText) -> u64 {
    text.offset + text.text.chars().count() as u64
}

/// Two neighbouring stretches as one.
fn joined(first: DocumentText, second: DocumentText) -> DocumentText {
    let mut pages = first.pages;
    pages.extend(second.pages.into_iter().filter(|page| page.start > first.offset));
    pages.dedup_by_key(|page| page.number);
    DocumentText {
        text: first.text + &second.text,
        offset: first.offset,
        total: second.total,
        pages,
    }
}

#[component]
fn Earlier(id: DocumentId, shown: Signal<DocumentText>, text: Remote<DocumentText>) -> impl IntoView {
    let sending = Sending::new();
    let load = Callback::new(move |()| {
        let now = shown.get_untracked();
        let offset = now.offset.saturating_sub(STRETCH);
        sending.start(read(id, offset, now.offset - offset), move |before| {
            text.set(joined(before, now))
        });
    });
    view! {
        <Show when=move || { shown.with(|shown| shown.offset > 0) }>
            <Button busy=sending.busy class="btn btn-sm mb-4" on_click=load>
                "Load earlier text"
            </Button>
        </Show>
        <Alert error=sending.error />
    }
}

#[component]
fn Later(id: DocumentId, shown: Signal<DocumentText>, text: Remote<DocumentText>) -> impl IntoView {
    let sending = Sending::new();
    let load = Callback::new(move |()| {
        let now = shown.get_untracked();
        sending.start(read(id, end(&now), STRETCH), move |after| text.set(joined(now, after)));
    });
    let rest = move || shown.with(|shown| shown.total.saturating_sub(end(shown)));
    view! {
        <Alert error=sending.error />
        <Show when=move || { rest() > 0 }>
            <div class="mt-4 flex flex-wrap items-center gap-4">
                <Button busy=sending.busy class="btn btn-sm" on_click=load>
                    "Load more text"
                </Button>
                <span class="text-sm text-muted">{move || format!("{} characters follow", format::count(rest()))}</span>
            </div>
        </Show>
    }
}
