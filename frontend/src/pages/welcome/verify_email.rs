//! Showing that an e-mail address is one's own.

use super::{FollowButton, LinkPage};
use crate::{
    api::accounts::verify_email,
    forms::Sending,
    session::{HOME, Session},
};
use leptos::prelude::*;

#[component]
pub fn VerifyEmail() -> impl IntoView {
    let (session, sending) = (Session::of_app(), Sending::new());
    let done = RwSignal::new(None);
    let signed_in = move || session.user().is_some();
    let finished = move || {
        view! {
            <a href=HOME class="btn btn-primary w-full">
                {move || if signed_in() { "Go on" } else { "Sign in" }}
            </a>
        }
    };
    let fresh = move || {
        view! {
            <p class="text-sm text-muted">"A new link is sent from the notice that stands above every page until the address is verified."</p>
            <a href=HOME class="btn btn-primary mt-2 w-full">
                {move || if signed_in() { "Go there" } else { "Sign in" }}
            </a>
        }
    };
    view! {
        <LinkPage title="Verify your e-mail address" text="One click, and it is done." sending done finished fresh let:token>
            <FollowButton
                sending
                action="Verify my address"
                follow=move |()| {
                    sending
                        .start(
                            verify_email(token.clone()),
                            move |()| {
                                done.set(Some("Your e-mail address is verified."));
                                session.ask();
                            },
                        )
                }
            />
        </LinkPage>
    }
}
