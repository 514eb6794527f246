//! Addresses that lead nowhere.

use crate::{browser, components::brand::Brand, session::HOME};
use leptos::prelude::*;

/// A whole page.
#[component]
pub fn Missing() -> impl IntoView {
    view! {
        <header class="mx-auto max-w-6xl p-4 sm:px-8">
            <Brand />
        </header>
        <main class="px-4">
            <NotHere />
        </main>
    }
}

/// Inside a page.
#[component]
pub fn NotHere() -> impl IntoView {
    browser::title("Not found");
    view! {
        <div class="mx-auto flex max-w-xl flex-col items-center gap-2 py-24 text-center">
            <p class="font-mono text-muted">"404"</p>
            <h1>"There is nothing here"</h1>
            <p class="text-muted">"The address may be mistyped, or what it showed was deleted."</p>
            <a href=HOME class="btn btn-primary mt-4">
                "Go to the start"
            </a>
        </div>
    }
}
