//! Who is signed in, and the way out.

use crate::{
    components::{avatar::Avatar, icon::Icon, menu::Menu},
    session::Session,
    toasts::Toasts,
};
use leptos::{prelude::*, task::spawn_local};

#[component]
pub fn UserMenu() -> impl IntoView {
    let session = Session::of_app();
    let toasts = Toasts::of_app();
    let name = Signal::derive(move || session.user().map(|user| user.name).unwrap_or_default());
    let email = move || session.user().map(|user| user.email).unwrap_or_default();
    let url = Signal::derive(move || session.user().and_then(|user| user.avatar_url));
    let sign_out = move |_| {
        spawn_local(async move {
            if let Err(error) = session.sign_out().await {
                toasts.bad(&error);
            }
        });
    };
    let entry = "flex w-full cursor-pointer items-center gap-2 rounded-field px-4 py-2 text-sm hover:bg-base-200";
    view! {
        <Menu
            id="user-menu"
            label=Signal::derive(move || Some(format!("Account of {}", name.get())))
            class="btn btn-ghost btn-circle"
            place="top-14 right-4 w-64"
            button=ViewFn::from(move || view! { <Avatar name url /> })
        >
            <div class="border-b border-line px-4 py-3">
                <p class="truncate font-medium">{name}</p>
                <p class="truncate text-sm text-muted">{email}</p>
            </div>
            <ul class="p-1">
                <li>
                    <a href="/settings/profile" class=entry>
                        <Icon icon=icondata::LuSettings />
                        "Settings"
                    </a>
                </li>
                <li>
                    <button type="button" class=entry on:click=sign_out>
                        <Icon icon=icondata::LuLogOut />
                        "Sign out"
                    </button>
                </li>
            </ul>
        </Menu>
    }
}
