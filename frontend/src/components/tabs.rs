//! Parts of a page. Which one is open stands in the address.

use crate::address::Address;
use leptos::prelude::*;

/// `tabs` are keys and names; the first one is open when the address names none.
#[component]
pub fn Tabs(address: Address, tabs: &'static [(&'static str, &'static str)]) -> impl IntoView {
    let open = open_tab(address, tabs);
    view! {
        <nav aria-label="Parts of this page" class="mb-6 overflow-x-auto border-b border-line">
            <ul class="flex gap-2 sm:gap-6">
                {tabs
                    .iter()
                    .map(|(key, name)| {
                        let here = move || open.get() == *key;
                        view! {
                            <li>
                                <button
                                    type="button"
                                    class="-mb-px cursor-pointer border-b-2 px-1 py-2 text-sm font-medium whitespace-nowrap"
                                    class:border-primary=here
                                    class:text-primary=here
                                    class:border-transparent=move || !here()
                                    class:text-muted=move || !here()
                                    aria-current=move || here().then_some("page")
                                    on:click=move |_| address.set("tab", key)
                                >
                                    {*name}
                                </button>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}

pub fn open_tab(address: Address, tabs: &'static [(&'static str, &'static str)]) -> Memo<&'static str> {
    Memo::new(move |_| {
        let wanted = address.text("tab");
        let found = tabs.iter().find(|(key, _)| Some(*key) == wanted.as_deref());
        found.or(tabs.first()).map_or("", |(key, _)| *key)
    })
}
