//! Signing up.

use super::{Welcome, sign_in::EMAIL, skip_if_signed_in, use_next, with_next};
use crate::{
    api, browser,
    components::{button::Button, error_view::Alert, field::Field},
    forms::Sending,
    session::Session,
};
use cerebros_common::accounts;
use leptos::prelude::*;

#[component]
pub fn SignUp() -> impl IntoView {
    let next = use_next();
    skip_if_signed_in(next);
    let session = Session::of_app();
    let [name, password] = [(); 2].map(|()| RwSignal::new(String::new()));
    let email = RwSignal::new(browser::recall(browser::tab_storage(), EMAIL).unwrap_or_default());
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = accounts::SignUp {
            email: email.get_untracked().trim().to_owned(),
            password: password.get_untracked(),
            name: name.get_untracked().trim().to_owned(),
        };
        sending.submit(body, api::accounts::sign_up, move |entered| session.begin(entered));
    };
    view! {
        <Welcome title="Create your account" text="It lives on this server only.">
            <form class="space-y-4" novalidate on:submit=submit>
                <Alert error=sending.general() />
                <Field label="Name" name="name" value=name error=sending.field("name") autocomplete="name" autofocus=true />
                <Field label="E-mail" name="email" kind="email" value=email error=sending.field("email") autocomplete="email" />
                <Field
                    label="Password"
                    name="password"
                    kind="password"
                    value=password
                    error=sending.field("password")
                    hint="At least 10 characters."
                    autocomplete="new-password"
                />
                <Button busy=sending.busy kind="submit" class="btn btn-primary w-full">
                    "Sign up"
                </Button>
            </form>
            <p class="mt-6 text-center text-sm text-muted">
                "Have an account? " <a class="link-plain" href=with_next("/sign-in", next)>"Sign in"</a>
            </p>
        </Welcome>
    }
}
