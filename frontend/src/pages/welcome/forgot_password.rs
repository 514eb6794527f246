//! Asking for a link that leads to a new password.

use super::{Sent, Welcome, skip_if_signed_in, use_next, with_next};
use crate::{
    api,
    components::{button::Button, error_view::Alert, field::Field},
    facts::Facts,
    forms::Sending,
    links,
};
use cerebros_common::accounts::LinkRequest;
use leptos::prelude::*;

#[component]
pub fn ForgotPassword() -> impl IntoView {
    let next = use_next();
    skip_if_signed_in(next);
    let facts = Facts::of_app();
    let sent = RwSignal::new(None::<String>);
    view! {
        <Welcome title="Forgot your password?" text="Choose a new one with a link.">
            {move || match sent.get() {
                Some(email) => view! { <Sent email /> }.into_any(),
                None if facts.known() && !facts.mail() => view! { <NoMail /> }.into_any(),
                None => view! { <Form sent next /> }.into_any(),
            }}
            <p class="mt-6 text-center text-sm text-muted">
                <a class="link-plain" href=with_next("/sign-in", next)>"Back to signing in"</a>
            </p>
        </Welcome>
    }
}

#[component]
fn Form(sent: RwSignal<Option<String>>, next: Memo<String>) -> impl IntoView {
    let email = RwSignal::new(String::new());
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        links::keep_next(&next.get_untracked());
        let body = LinkRequest {
            email: email.get_untracked().trim().to_owned(),
        };
        sending.submit(body.clone(), api::accounts::send_password_reset, move |()| {
            sent.set(Some(body.email))
        });
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="E-mail" name="email" kind="email" value=email error=sending.field("email") autocomplete="username" autofocus=true />
            <Button busy=sending.busy kind="submit" class="btn btn-primary w-full">
                "E-mail me a link"
            </Button>
        </form>
    }
}

/// What is left to do where no mail is sent.
#[component]
fn NoMail() -> impl IntoView {
    view! {
        <p>"This server sends no mail. Ask whoever runs it for a link; this command makes one:"</p>
        <pre tabindex="0" class="mt-4 overflow-x-auto rounded-field bg-base-200 p-4 font-mono text-sm">
            "cerebros admin reset-link EMAIL"
        </pre>
    }
}
