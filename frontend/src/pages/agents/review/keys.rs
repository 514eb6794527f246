//! The keys of the review.

use super::state::Reviewing;
use crate::{browser, components::dialog::Dialog};
use cerebros_common::examples::ExampleStatus;
use leptos::{ev, prelude::*};

static KEYS: [(&str, &str); 7] = [
    ("j", "Next example"),
    ("k", "Previous example"),
    ("a", "Approve, and go on"),
    ("r", "Reject, and go on"),
    ("e", "Edit"),
    ("Ctrl + Enter", "Save while editing"),
    ("?", "Show these keys"),
];

/// Keys count while nothing is being typed and no dialog is open.
pub fn listen(reviewing: Reviewing, map: RwSignal<bool>) {
    let handle = window_event_listener(ev::keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || browser::is_typing(&event) {
            return;
        }
        match event.key().as_str() {
            "j" => reviewing.step(1),
            "k" => reviewing.step(-1),
            "a" => reviewing.judge(ExampleStatus::Approved),
            "r" => reviewing.judge(ExampleStatus::Rejected),
            "e" => reviewing.edit(),
            "?" => map.set(true),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || handle.remove());
}

#[component]
pub fn KeyMap(open: RwSignal<bool>) -> impl IntoView {
    view! {
        <Dialog open title="Keys">
            <dl class="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2">
                {KEYS
                    .iter()
                    .map(|(key, what)| {
                        view! {
                            <dt>
                                <kbd class="rounded-sm border border-line bg-base-200 px-2 py-1 font-mono text-sm">{*key}</kbd>
                            </dt>
                            <dd>{*what}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
        </Dialog>
    }
}
