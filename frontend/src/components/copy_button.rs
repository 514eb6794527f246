//! Copies a text.

use super::icon::Icon;
use crate::browser;
use leptos::{leptos_dom::helpers::set_timeout, prelude::*, task::spawn_local};
use std::time::Duration;

#[component]
pub fn CopyButton(#[prop(into)] text: Signal<String>, #[prop(default = "Copy")] label: &'static str) -> impl IntoView {
    let said = RwSignal::new("");
    let copy = move |_| {
        spawn_local(async move {
            let done = browser::copy(text.get_untracked()).await.is_ok();
            said.set(if done { "Copied" } else { "Select the text to copy it" });
            set_timeout(
                move || {
                    said.try_set("");
                },
                Duration::from_secs(2),
            );
        });
    };
    view! {
        <button type="button" class="btn btn-sm" on:click=copy>
            {move || {
                let icon = if said.with(|said| *said == "Copied") { icondata::LuCheck } else { icondata::LuCopy };
                view! { <Icon icon /> }
            }}
            <span aria-live="polite">{move || if said.get().is_empty() { label } else { said.get() }}</span>
        </button>
    }
}

/// Code to copy.
#[component]
pub fn Snippet(title: &'static str, #[prop(into)] code: Signal<String>) -> impl IntoView {
    view! {
        <section class="panel overflow-hidden">
            <div class="flex items-center justify-between border-b border-line px-4 py-2">
                <h2 class="text-base">{title}</h2>
                <CopyButton text=code />
            </div>
            <pre tabindex="0" class="overflow-x-auto bg-base-200 p-4 font-mono text-sm">{move || code.get()}</pre>
        </section>
    }
}
