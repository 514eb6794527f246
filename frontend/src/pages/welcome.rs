//! What signing up and signing in share.

use crate::{
    components::{brand::Brand, theme_switch::ThemeSwitch},
    session::{Account, Session},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

/// Where the person was going. Only addresses of this app count.
pub fn use_next() -> Memo<String> {
    let query = use_query_map();
    Memo::new(move |_| {
        let next = query.with(|query| query.get("next")).unwrap_or_default();
        if next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') {
            next
        } else {
            "/dashboard".to_owned()
        }
    })
}

/// Signed-in people go straight on.
pub fn skip_if_signed_in(next: Memo<String>) {
    let account = Session::of_app().account();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if account.with(|account| matches!(account, Account::SignedIn(_))) {
            let replace = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate(&next.get_untracked(), replace);
        }
    });
}

/// The address of the other of the two pages, with the same destination.
pub fn with_next(page: &'static str, next: Memo<String>) -> impl Fn() -> String {
    move || {
        next.with(|next| {
            if next == "/dashboard" {
                page.to_owned()
            } else {
                format!("{page}?next={}", js_sys::encode_uri_component(next))
            }
        })
    }
}

#[component]
pub fn Welcome(title: &'static str, text: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="flex min-h-screen flex-col bg-base-200">
            <header class="flex items-center justify-between p-4 sm:px-8">
                <Brand />
                <ThemeSwitch />
            </header>
            <main class="mx-auto flex w-full max-w-md grow flex-col justify-center px-4 pb-24">
                <div class="panel p-6 sm:p-8">
                    <h1>{title}</h1>
                    <p class="mt-1 mb-6 text-muted">{text}</p>
                    {children()}
                </div>
            </main>
        </div>
    }
}
