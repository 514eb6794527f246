//! Signing in: with a password, or with a link by mail.

use super::{Sent, Welcome, skip_if_signed_in, use_next, with_next};
use crate::{
    api, browser,
    components::{button::Button, error_view::Alert, field::Field},
    facts::Facts,
    forms::Sending,
    links,
    session::Session,
};
use cerebros_common::accounts::{self, LinkRequest};
use leptos::prelude::*;

/// Where a page of this tab leaves the address of whoever is about to sign in or up.
pub const EMAIL: &str = "email";

#[component]
pub fn SignIn() -> impl IntoView {
    let next = use_next();
    skip_if_signed_in(next);
    let sent = RwSignal::new(None::<String>);
    view! {
        <Welcome title="Sign in" text="Welcome back.">
            {move || match sent.get() {
                None => view! { <Form sent next /> }.into_any(),
                Some(email) => {
                    view! {
                        <Sent email />
                        <button type="button" class="btn btn-ghost mt-4 w-full" on:click=move |_| sent.set(None)>
                            "Use the password instead"
                        </button>
                    }
                        .into_any()
                }
            }}
            <p class="mt-6 text-center text-sm text-muted">
                "No account yet? " <a class="link-plain" href=with_next("/sign-up", next)>"Sign up"</a>
            </p>
        </Welcome>
    }
}

#[component]
fn Form(sent: RwSignal<Option<String>>, next: Memo<String>) -> impl IntoView {
    let (session, facts) = (Session::of_app(), Facts::of_app());
    let email = RwSignal::new(browser::recall(browser::tab_storage(), EMAIL).unwrap_or_default());
    let password = RwSignal::new(String::new());
    let address = move || email.get_untracked().trim().to_owned();
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = accounts::SignIn {
            email: address(),
            password: password.get_untracked(),
        };
        sending.submit(body, api::accounts::sign_in, move |entered| session.begin(entered));
    };
    let mailing = Sending::new();
    let mail = Callback::new(move |()| {
        sending.error.set(None);
        links::keep_next(&next.get_untracked());
        let body = LinkRequest { email: address() };
        mailing.submit(body, api::accounts::send_magic_link, move |()| {
            sent.set(Some(address()))
        });
    });
    let wrong = Signal::derive(move || sending.field("email").get().or(mailing.field("email").get()));
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Alert error=mailing.general() />
            <Field label="E-mail" name="email" kind="email" value=email error=wrong autocomplete="username" autofocus=true />
            <Field
                label="Password"
                name="password"
                kind="password"
                value=password
                error=sending.field("password")
                autocomplete="current-password"
            />
            <p class="-mt-2 text-right text-sm">
                <a class="link-plain" href=with_next("/forgot-password", next)>
                    "Forgot password?"
                </a>
            </p>
            <Button busy=sending.busy kind="submit" class="btn btn-primary w-full">
                "Sign in"
            </Button>
            <Show when=move || facts.mail()>
                <Button busy=mailing.busy class="btn w-full" on_click=mail>
                    "E-mail me a link"
                </Button>
            </Show>
        </form>
    }
}
