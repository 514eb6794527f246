//! Changing the password.

use crate::{
    api::accounts::change_password,
    components::{button::Button, error_view::Alert, field::Field, page_head::Panel},
    forms::Sending,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{accounts::PasswordChange, errors::ErrorCode};
use leptos::prelude::*;

#[component]
pub fn Password() -> impl IntoView {
    let (session, toasts) = (Session::of_app(), Toasts::of_app());
    let [old, new] = [(); 2].map(|()| RwSignal::new(String::new()));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = PasswordChange {
            current_password: old.get_untracked(),
            new_password: new.get_untracked(),
        };
        sending.submit(body, change_password, move |renewed| {
            old.set(String::new());
            new.set(String::new());
            session.begin(renewed);
            toasts.good("Your password was changed. All other sessions have ended.");
        });
    };
    let wrong = Signal::derive(move || {
        let refused = sending.error.with(|error| {
            let error = error.as_ref()?;
            (error.code() == Some(ErrorCode::WrongCredentials)).then(|| error.message())
        });
        refused.or(sending.field("current_password").get())
    });
    let general = sending.general();
    let rest = Signal::derive(move || {
        general
            .get()
            .filter(|error| error.code() != Some(ErrorCode::WrongCredentials))
    });
    view! {
        <Panel title="Password">
            <form class="max-w-md space-y-2" novalidate on:submit=submit>
                <Alert error=rest />
                <Field label="Present password" name="old-password" kind="password" value=old error=wrong autocomplete="current-password" />
                <Field
                    label="New password"
                    name="new-password"
                    kind="password"
                    value=new
                    error=sending.field("new_password")
                    hint="At least 10 characters. You are signed out everywhere else."
                    autocomplete="new-password"
                />
                <Button busy=sending.busy kind="submit">
                    "Change password"
                </Button>
            </form>
        </Panel>
    }
}
