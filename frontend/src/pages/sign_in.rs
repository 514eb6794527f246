//! Signing in.

use super::welcome::{Welcome, skip_if_signed_in, use_next, with_next};
use crate::{
    api, browser,
    components::{button::Button, error_view::Alert, field::Field},
    forms::Sending,
    session::Session,
};
use cerebros_common::accounts;
use leptos::prelude::*;

#[component]
pub fn SignIn() -> impl IntoView {
    browser::title("Sign in");
    let next = use_next();
    skip_if_signed_in(next);
    let session = Session::of_app();
    let (email, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = accounts::SignIn {
            email: email.get_untracked().trim().to_owned(),
            password: password.get_untracked(),
        };
        sending.submit(body, api::accounts::sign_in, move |entered| session.begin(entered));
    };
    view! {
        <Welcome title="Sign in" text="Welcome back.">
            <form class="space-y-4" novalidate on:submit=submit>
                <Alert error=sending.general() />
                <Field label="E-mail" name="email" kind="email" value=email error=sending.field("email") autocomplete="email" autofocus=true />
                <Field
                    label="Password"
                    name="password"
                    kind="password"
                    value=password
                    error=sending.field("password")
                    autocomplete="current-password"
                />
                <Button busy=sending.busy kind="submit" class="btn btn-primary w-full">
                    "Sign in"
                </Button>
            </form>
            <p class="mt-6 text-center text-sm text-muted">
                "No account yet? " <a class="link-plain" href=with_next("/sign-up", next)>"Sign up"</a>
            </p>
        </Welcome>
    }
}
