//! The keys of the review.

use super::state::{Mode, Reviewing};
use crate::{browser, components::dialog::Dialog};
use cerebros_common::examples::ExampleStatus;
use leptos::{ev, prelude::*};

static KEYS: [(&str, &str); 11] = [
    ("j", "Next example"),
    ("k", "Previous example"),
    ("a", "Approve, and go on"),
    ("r", "Reject, and go on"),
    ("u", "Undo what you did last"),
    ("e", "Edit"),
    ("Shift + E", "Edit in a dialog"),
    ("s", "Split"),
    ("Ctrl + Enter", "Save while editing"),
    ("/", "Search; Enter leaves the search"),
    ("?", "Show these keys"),
];

/// Keys count while nothing is being typed and no dialog is open.
pub fn listen(reviewing: Reviewing, map: RwSignal<bool>) {
    let handle = window_event_listener(ev::keydown, move |event| {
        if matches!(event.key().as_str(), "Enter" | "Escape") && browser::leave_search(&event) {
            event.prevent_default();
            return;
        }
        if event.ctrl_key() || event.meta_key() || event.alt_key() || browser::is_typing(&event) {
            return;
        }
        match event.key().as_str() {
            "j" => reviewing.step(1),
            "k" => reviewing.step(-1),
            "a" => reviewing.judge(ExampleStatus::Approved),
            "r" => reviewing.judge(ExampleStatus::Rejected),
            "u" => reviewing.undo(),
            "e" => reviewing.edit(Mode::Inline),
            "E" => reviewing.edit(Mode::Dialog),
            "s" => reviewing.edit(Mode::Split),
            "/" => browser::focus_first("input[type=search]"),
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
