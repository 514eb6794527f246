//! The mark and the name.

use leptos::prelude::*;

#[component]
pub fn Brand(#[prop(default = "/")] href: &'static str) -> impl IntoView {
    view! {
        <a href=href class="inline-flex items-center gap-2 font-semibold tracking-tight">
            <svg class="size-7" viewBox="0 0 32 32" aria-hidden="true">
                <rect width="32" height="32" rx="8" fill="#2B6CB0" />
                <g fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round">
                    <path d="M16 8v16M16 12c-3.5-2.6-7 0-6 4s4 5 6 4M16 12c3.5-2.6 7 0 6 4s-4 5-6 4" />
                </g>
                <g fill="#fff">
                    <circle cx="16" cy="7.5" r="2" />
                    <circle cx="16" cy="24.5" r="2" />
                </g>
            </svg>
            "Cerebros"
        </a>
    }
}
