//! Looking for words in the document that is shown.

use crate::{
    address::Address,
    api::{ApiError, documents::search_document},
    browser,
    components::{error_view::Alert, icon::Icon},
    format,
};
use cerebros_common::{
    documents::{DocumentMatch, DocumentSearchQuery},
    ids::DocumentId,
};
use leptos::{ev, prelude::*, task::spawn_local};
use std::time::Duration;

const TYPING: Duration = Duration::from_millis(300);
/// More are not counted.
const MOST: usize = 1_000;
const FIELD: &str = "document-search";

#[derive(Clone, Copy)]
pub struct Finder {
    id: DocumentId,
    address: Address,
    /// In the order of the text.
    pub matches: RwSignal<Vec<DocumentMatch>>,
    current: RwSignal<usize>,
    /// Whether more of the document is still to be looked at.
    searching: RwSignal<bool>,
    error: RwSignal<Option<ApiError>>,
    /// The search that counts: answers to earlier ones are dropped.
    turn: StoredValue<u64>,
}

impl Finder {
    pub fn new(id: DocumentId, address: Address) -> Self {
        let finder = Self {
            id,
            address,
            matches: RwSignal::new(Vec::new()),
            current: RwSignal::new(0),
            searching: RwSignal::new(false),
            error: RwSignal::new(None),
            turn: StoredValue::new(0),
        };
        Effect::new(move |_| finder.search(finder.words()));
        let keys = window_event_listener(ev::keydown, move |event| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() || browser::is_typing(&event) {
                return;
            }
            match event.key().as_str() {
                "/" => browser::focus(FIELD),
                "n" => finder.step(1),
                "N" | "p" => finder.step(-1),
                _ => return,
            }
            event.prevent_default();
        });
        on_cleanup(move || keys.remove());
        finder
    }

    fn words(self) -> String {
        self.address
            .text("q")
            .unwrap_or_default()
            .trim()
            .chars()
            .take(200)
            .collect()
    }

    /// Where the current match stands.
    pub fn current_span(self) -> Option<(u64, u64)> {
        let current = self.current.get();
        self.matches
            .with(|matches| matches.get(current).map(|found| (found.start, found.end)))
    }

    fn step(self, by: isize) {
        let count = self.matches.with_untracked(Vec::len);
        if count > 0 {
            let count = isize::try_from(count).unwrap_or(isize::MAX);
            self.current.update(|current| {
                let next = (isize::try_from(*current).unwrap_or(0) + by).rem_euclid(count);
                *current = next.unsigned_abs();
            });
        }
    }

    fn search(self, words: String) {
        self.turn.update_value(|turn| *turn += 1);
        self.matches.set(Vec::new());
        self.current.set(0);
        self.error.set(None);
        self.searching.set(!words.is_empty());
        if words.is_empty() {
            return;
        }
        let turn = self.turn.get_value();
        spawn_local(async move {
            let mut cursor = None;
            loop {
                let query = DocumentSearchQuery {
                    q: words.clone(),
                    cursor: cursor.take(),
                    limit: Some(100),
                };
                let answer = search_document(self.id, query).await;
                if self.turn.try_get_value() != Some(turn) {
                    return;
                }
                match answer {
                    Err(error) => self.error.set(Some(error)),
                    Ok(page) => {
                        cursor = page.next_cursor;
                        if !page.items.is_empty() {
                            self.matches.update(|matches| matches.extend(page.items));
                        }
                    }
                }
                if cursor.is_none() || self.matches.with_untracked(Vec::len) >= MOST {
                    break;
                }
            }
            self.searching.set(false);
        });
    }

    /// "3 of 12", or why there is none.
    fn state(self) -> String {
        let count = self.matches.with(Vec::len);
        let searching = self.searching.get();
        match (count, searching) {
            (0, true) => "Searching…".to_owned(),
            (0, false) if self.words().is_empty() || self.error.with(Option::is_some) => String::new(),
            (0, false) => "Nothing found".to_owned(),
            (count, _) => {
                let more = if searching || count >= MOST { "+" } else { "" };
                let (at, count) = (self.current.get() as u64 + 1, count as u64);
                format!("{} of {}{more}", format::count(at), format::count(count))
            }
        }
    }
}

#[component]
pub fn SearchBar(finder: Finder) -> impl IntoView {
    let text = RwSignal::new(finder.address.untracked("q").unwrap_or_default());
    let write = browser::settled(TYPING, move || finder.address.set("q", text.get_untracked().trim()));
    let none = move || finder.matches.with(Vec::is_empty);
    let enter = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            finder.step(if event.shift_key() { -1 } else { 1 });
        }
    };
    view! {
        <div class="sticky top-0 z-10 -mx-2 mb-4 flex flex-wrap items-center gap-2 bg-base-100 px-2 py-2">
            <label class="input w-full sm:w-72">
                <span class="text-muted">
                    <Icon icon=icondata::LuSearch />
                </span>
                <input
                    id=FIELD
                    type="search"
                    aria-label="Search in this document"
                    aria-keyshortcuts="/"
                    placeholder="Search in this document"
                    maxlength="200"
                    prop:value=text
                    on:keydown=enter
                    on:input:target=move |event| {
                        text.set(event.target().value());
                        write();
                    }
                />
            </label>
            <button
                type="button"
                class="btn btn-square"
                aria-label="Previous match"
                aria-keyshortcuts="p"
                title="Previous match (p)"
                disabled=none
                on:click=move |_| finder.step(-1)
            >
                <Icon icon=icondata::LuChevronUp />
            </button>
            <button
                type="button"
                class="btn btn-square"
                aria-label="Next match"
                aria-keyshortcuts="n"
                title="Next match (n)"
                disabled=none
                on:click=move |_| finder.step(1)
            >
                <Icon icon=icondata::LuChevronDown />
            </button>
            <span role="status" class="text-sm text-muted">
                {move || finder.state()}
            </span>
        </div>
        <Alert error=finder.error />
    }
}
