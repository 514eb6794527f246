//! Steps through the pages of a list. The page stands in the address.

use super::icon::Icon;
use crate::{address::Address, format};
use leptos::prelude::*;

/// `at` gives the current page, the number of pages and the number of items.
#[component]
pub fn Pager(
    address: Address,
    #[prop(into)] at: Signal<(u32, u32, u64)>,
    one: &'static str,
    many: &'static str,
) -> impl IntoView {
    let go = move |page: u32| address.set("page", &page.to_string());
    view! {
        <nav aria-label="Pages" class="mt-4 flex flex-wrap items-center justify-between gap-2 text-sm text-muted">
            <span>{move || format::counted(at.get().2, one, many)}</span>
            <Show when=move || { at.get().1 > 1 }>
                <span class="flex items-center gap-2">
                    <button
                        type="button"
                        class="btn btn-sm btn-square"
                        aria-label="Previous page"
                        disabled=move || at.get().0 <= 1
                        on:click=move |_| go(at.get_untracked().0 - 1)
                    >
                        <Icon icon=icondata::LuChevronLeft />
                    </button>
                    {move || format!("Page {} of {}", at.get().0, at.get().1)}
                    <button
                        type="button"
                        class="btn btn-sm btn-square"
                        aria-label="Next page"
                        disabled=move || { at.get().0 >= at.get().1 }
                        on:click=move |_| go(at.get_untracked().0 + 1)
                    >
                        <Icon icon=icondata::LuChevronRight />
                    </button>
                </span>
            </Show>
        </nav>
    }
}
