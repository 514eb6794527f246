//! The text of a document, in stretches. `?at=START-END` marks a passage and scrolls to it; `?q=` marks words.

mod search;

use crate::{
    address::Address,
    api::{Answer, documents::find_text},
    components::{
        button::Button,
        error_view::Alert,
        loaded::Loaded,
        page_head::Panel,
        reading::{Mark, Reading},
    },
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    documents::{DocumentText, DocumentTextQuery},
    ids::DocumentId,
};
use leptos::prelude::*;
use search::{Finder, SearchBar};

const STRETCH: u64 = 20_000;
/// Characters shown before what is marked.
const BEFORE: u64 = 2_000;

#[component]
pub fn TextPanel(id: DocumentId) -> impl IntoView {
    let address = Address::of_page();
    let at = Memo::new(move |_| address.text("at").and_then(|text| passage(&text)));
    let finder = Finder::new(id, address);
    // Where the shown stretch starts; another one is read when what is to be seen lies outside.
    let from = RwSignal::new(0);
    let text = Remote::new(move || read(id, from.get(), STRETCH));
    Effect::new(move |_| {
        let Some((start, end)) = finder.current_span().or(at.get()) else {
            return;
        };
        let is_shown = untrack(|| text.with(|shown| shown.offset <= start && end <= end_of(shown))).unwrap_or(false);
        if !is_shown {
            from.set(start.saturating_sub(BEFORE));
        }
    });
    view! {
        <Panel title="Text">
            <SearchBar finder />
            <Loaded remote=text let:shown>
                <Earlier id shown text />
                {move || {
                    let shown = shown.get();
                    let marks = marks(&shown, at.get(), finder);
                    view! { <Reading text=shown marks reveal=crate::browser::reveal /> }
                }}
                <Later id shown text />
            </Loaded>
        </Panel>
    }
}

/// `START-END`.
fn passage(text: &str) -> Option<(u64, u64)> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start < end).then_some((start, end))
}

/// The marks in a stretch: all matches, and the passage that the address names.
fn marks(shown: &DocumentText, at: Option<(u64, u64)>, finder: Finder) -> Vec<Mark> {
    let current = finder.current_span();
    let end = end_of(shown);
    let mut marks = finder.matches.with(|matches| {
        let first = matches.partition_point(|found| found.end <= shown.offset);
        let inside = matches[first..].iter().take_while(|found| found.start < end);
        inside
            .map(|found| Mark {
                start: found.start,
                end: found.end,
                current: current == Some((found.start, found.end)),
            })
            .collect::<Vec<_>>()
    });
    marks.extend(at.map(|(start, end)| Mark {
        start,
        end,
        current: current.is_none(),
    }));
    marks
}

async fn read(id: DocumentId, offset: u64, length: u64) -> Answer<DocumentText> {
    let query = DocumentTextQuery {
        offset: Some(offset),
        length: Some(length),
    };
    find_text(id, query).await
}

fn end_of(text: &DocumentText) -> u64 {
    text.offset + text.text.chars().count() as u64
}

/// Two neighbouring stretches as one.
fn joined(first: DocumentText, second: DocumentText) -> DocumentText {
    let mut pages = first.pages;
    pages.extend(second.pages.into_iter().filter(|page| page.start > first.offset));
    pages.dedup_by_key(|page| page.number);
    let mut blocks = first.blocks;
    // The block across the border is in both.
    let covered = blocks.last().map_or(0, |block| block.end);
    blocks.extend(second.blocks.into_iter().filter(|block| block.start >= covered));
    DocumentText {
        text: first.text + &second.text,
        offset: first.offset,
        total: second.total,
        pages,
        blocks,
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
        sending.start(read(id, end_of(&now), STRETCH), move |after| {
            text.set(joined(now, after))
        });
    });
    let rest = move || shown.with(|shown| shown.total.saturating_sub(end_of(shown)));
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
