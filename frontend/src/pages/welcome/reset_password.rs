//! Choosing a new password with a link.

use super::{LinkPage, use_leave};
use crate::{
    api::accounts::reset_password,
    components::{button::Button, field::Field},
    forms::Sending,
    links,
    session::Session,
};
use cerebros_common::accounts::PasswordReset;
use leptos::prelude::*;

#[component]
pub fn ResetPassword() -> impl IntoView {
    let (session, sending) = (Session::of_app(), Sending::new());
    let leave = StoredValue::new_local(use_leave());
    let password = RwSignal::new(String::new());
    let fresh = || {
        view! {
            <a href="/forgot-password" class="btn btn-primary w-full">
                "Ask for a new link"
            </a>
        }
    };
    view! {
        <LinkPage
            title="New password"
            text="You are signed in with it, and signed out everywhere else."
            sending
            done=None
            finished=|| ()
            fresh
            let:token
        >
            <form
                class="space-y-4"
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    let body = PasswordReset {
                        token: token.token.clone(),
                        password: password.get_untracked(),
                    };
                    sending
                        .submit(
                            body,
                            reset_password,
                            move |entered| {
                                session.begin(entered);
                                leave.with_value(|leave| leave(&links::take_next()));
                            },
                        );
                }
            >
                <Field
                    label="New password"
                    name="password"
                    kind="password"
                    value=password
                    error=sending.field("password")
                    hint="At least 10 characters."
                    autocomplete="new-password"
                    autofocus=true
                />
                <Button busy=sending.busy kind="submit" class="btn btn-primary w-full">
                    "Set password and sign in"
                </Button>
            </form>
        </LinkPage>
    }
}
