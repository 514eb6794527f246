//! Asks to verify the e-mail address, until that is done.

use crate::{
    api::accounts::send_verification,
    browser,
    components::{button::Button, icon::Icon},
    facts::Facts,
    forms::Sending,
    session::Session,
    toasts::Toasts,
};
use leptos::prelude::*;

/// Where the browser remembers that the notice of a server without mail was read.
const READ: &str = "no-mail-notice";

#[component]
pub fn Unverified() -> impl IntoView {
    let session = Session::of_app();
    let facts = Facts::of_app();
    let read = RwSignal::new(browser::recall(browser::storage(), READ).is_some());
    let shown = move || {
        let unverified = session.user().is_some_and(|user| !user.email_verified);
        unverified && facts.known() && (facts.mail() || !read.get())
    };
    let close = move |_| {
        browser::remember(browser::storage(), READ, Some("read"));
        read.set(true);
    };
    view! {
        <Show when=shown>
            <aside
                aria-label="Your e-mail address"
                class="mb-6 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-field bg-tint-amber px-4 py-2 text-sm text-ink-amber"
            >
                <Icon icon=icondata::LuMailWarning />
                <Show
                    when=move || facts.mail()
                    fallback=move || {
                        view! {
                            <p class="min-w-0 grow basis-64">
                                "Your e-mail address cannot be verified: this server sends no mail. Everything but links by mail works without it."
                            </p>
                            <button type="button" class="btn btn-ghost btn-sm btn-square" aria-label="Close" on:click=close>
                                <Icon icon=icondata::LuX />
                            </button>
                        }
                    }
                >
                    <Ask />
                </Show>
            </aside>
        </Show>
    }
}

#[component]
fn Ask() -> impl IntoView {
    let (session, facts, toasts) = (Session::of_app(), Facts::of_app(), Toasts::of_app());
    let email = move || session.user().map(|user| user.email).unwrap_or_default();
    let sending = Sending::new();
    let again = Callback::new(move |()| {
        sending.start(send_verification(), move |()| toasts.good("The link was sent again."));
    });
    view! {
        <div class="min-w-0 grow basis-64">
            <p class="break-words">"Verify your e-mail address: follow the link that was sent to " <b>{email}</b> "."</p>
            {move || sending.error.get().map(|error| view! { <p role="alert" class="font-medium">{error.message()}</p> })}
        </div>
        <Show when=move || facts.outbox()>
            <a href="/outbox" class="btn btn-sm">
                "Open the outbox"
            </a>
        </Show>
        <Button busy=sending.busy class="btn btn-sm" on_click=again>
            "Send it again"
        </Button>
    }
}
