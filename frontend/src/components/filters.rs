//! Controls that write to the address.

use super::icon::Icon;
use crate::{address::Address, browser};
use leptos::prelude::*;
use std::time::Duration;

const TYPING: Duration = Duration::from_millis(300);

/// `options` are words of the wire vocabulary and what the screen says.
#[component]
pub fn Choice(
    address: Address,
    key: &'static str,
    label: &'static str,
    /// What stands there when nothing is chosen.
    all: &'static str,
    #[prop(into)] options: Signal<Vec<(String, String)>>,
) -> impl IntoView {
    let chosen = Memo::new(move |_| address.text(key).unwrap_or_default());
    view! {
        <select
            class="select w-full sm:w-auto"
            aria-label=label
            on:change:target=move |event| address.set(key, &event.target().value())
        >
            <option value="" selected=move || chosen.with(String::is_empty)>
                {all}
            </option>
            {move || {
                options
                    .get()
                    .into_iter()
                    .map(|(value, name)| {
                        let here = value.clone();
                        view! {
                            <option value=value selected=move || chosen.with(|chosen| *chosen == here)>
                                {name}
                            </option>
                        }
                    })
                    .collect_view()
            }}
        </select>
    }
}

/// A day of the calendar, as `2031-05-17`.
#[component]
pub fn Day(address: Address, key: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <label class="input w-auto">
            <span class="text-muted">{label}</span>
            <input
                type="date"
                prop:value=move || address.text(key).unwrap_or_default()
                on:change:target=move |event| address.set(key, &event.target().value())
            />
        </label>
    }
}

#[component]
pub fn Search(address: Address, label: &'static str) -> impl IntoView {
    let text = RwSignal::new(address.untracked("search").unwrap_or_default());
    let write = browser::settled(TYPING, move || address.set("search", text.get_untracked().trim()));
    view! {
        <label class="input w-full sm:w-64">
            <span class="text-muted">
                <Icon icon=icondata::LuSearch />
            </span>
            <input
                type="search"
                aria-label=label
                placeholder=label
                maxlength="120"
                prop:value=text
                on:input:target=move |event| {
                    text.set(event.target().value());
                    write();
                }
            />
        </label>
    }
}
