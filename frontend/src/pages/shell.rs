//! Around every page of a signed-in person. Signed-out people are sent to sign in, and come back here afterwards.

mod bell;
mod unverified;
mod user_menu;
mod workspace_menu;

use crate::{
    browser,
    components::{error_view::ErrorView, navigation::Navigation},
    session::{Account, Session},
};
use bell::Bell;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate},
};
use unverified::Unverified;
use user_menu::UserMenu;
use workspace_menu::WorkspaceMenu;

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
    let corner = || {
        view! {
            <Bell />
            <UserMenu />
        }
    };
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
        <div class="lg:grid lg:grid-cols-[15rem_minmax(0,1fr)] lg:grid-rows-[auto_minmax(0,1fr)]">
            <Navigation workspaces=WorkspaceMenu corner />
            <main
                id="main"
                tabindex="-1"
                class="mx-auto w-full max-w-6xl min-w-0 px-4 py-6 outline-none sm:px-8 lg:col-start-2 lg:pt-0 lg:pb-8"
            >
                <Unverified />
                <Outlet />
            </main>
        </div>
    }
}
