//! Around every page of a signed-in person. Signed-out people are sent to sign in, and come back here afterwards.

use crate::{
    browser,
    components::{error_view::ErrorView, navigation::Navigation},
    session::{Account, Session},
    toasts::Toasts,
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate},
};

#[component]
pub fn Shell() -> impl IntoView {
    let session = Session::of_app();
    let account = session.account();
    let location = use_location();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if account.with(|account| *account == Account::SignedOut) {
            let next = format!(
                "{}{}",
                location.pathname.get_untracked(),
                location.search.with_untracked(|search| if search.is_empty() {
                    String::new()
                } else {
                    format!("?{}", search.trim_start_matches('?'))
                })
            );
            let replace = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate(
                &format!("/sign-in?next={}", js_sys::encode_uri_component(&next)),
                replace,
            );
        }
    });
    let kind = Memo::new(move |_| account.with(std::mem::discriminant));
    move || {
        kind.get();
        match account.get_untracked() {
            Account::Asking | Account::SignedOut => view! { <Waiting /> }.into_any(),
            Account::Unreachable(error) => view! {
                <main class="mx-auto max-w-2xl p-4 sm:p-12">
                    <ErrorView error retry=Callback::new(move |()| session.ask()) />
                </main>
            }
            .into_any(),
            Account::SignedIn(_) => view! { <Frame /> }.into_any(),
        }
    }
}

#[component]
fn Waiting() -> impl IntoView {
    view! {
        <main class="flex min-h-screen items-center justify-center" aria-busy="true">
            <span class="loading loading-spinner loading-lg text-primary" role="status" aria-label="Loading"></span>
        </main>
    }
}

#[component]
fn Frame() -> impl IntoView {
    let session = Session::of_app();
    let toasts = Toasts::of_app();
    let email = Signal::derive(move || session.user().map(|user| user.email).unwrap_or_default());
    let sign_out = Callback::new(move |()| {
        spawn_local(async move {
            if let Err(error) = session.sign_out().await {
                toasts.bad(&error);
            }
        });
    });
    view! {
        <a
            href="#main"
            class="btn btn-primary btn-sm fixed top-2 left-2 z-50 -translate-y-24 focus:translate-y-0"
            on:click=move |event| {
                event.prevent_default();
                browser::focus("main");
            }
        >
            "Skip to content"
        </a>
        <div class="lg:flex">
            <Navigation email sign_out />
            <main id="main" tabindex="-1" class="mx-auto w-full max-w-6xl min-w-0 grow px-4 py-6 outline-none sm:px-8 lg:py-8">
                <Outlet />
            </main>
        </div>
    }
}
