//! The foot of the pages that everybody may see.

use leptos::prelude::*;

#[component]
pub fn Footer() -> impl IntoView {
    let link = "rounded-sm hover:text-base-content hover:underline";
    view! {
        <footer class="border-t border-line px-4 py-6">
            <nav aria-label="Legal" class="mx-auto flex max-w-6xl flex-wrap justify-center gap-x-6 gap-y-2 text-sm text-muted sm:px-8">
                <a href="/privacy" class=link>
                    "Privacy"
                </a>
                <a href="/terms" class=link>
                    "Terms"
                </a>
                <a href="/docs" rel="external" class=link>
                    "API"
                </a>
            </nav>
        </footer>
    }
}
