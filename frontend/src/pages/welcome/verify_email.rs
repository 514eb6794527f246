//! Showing that an e-mail address is one's own.

use super::{FollowButton, LinkPage};
use crate::{
    api::accounts::{send_verification, verify_email},
    components::error_view::Alert,
    forms::Sending,
    session::{HOME, Session},
};
use leptos::prelude::*;

/// Sends a new link to whoever is signed in.
#[component]
fn Again() -> impl IntoView {
    let session = Session::of_app();
    let (sending, sent) = (Sending::new(), RwSignal::new(false));
    let verified = move || session.user().is_some_and(|user| user.email_verified);
    let send = move |()| sending.start(send_verification(), move |()| sent.set(true));
    view! {
        <Alert error=sending.error />
        {move || {
            if verified() {
                view! { <p>"Your address is verified already. There is nothing left to do."</p> }.into_any()
            } else if sent.get() {
                view! { <p role="status">"A new link is on its way. The older ones work no more."</p> }.into_any()
            } else {
                view! { <FollowButton sending action="Send a new link" follow=send /> }.into_any()
            }
        }}
        <a href=HOME class="btn mt-2 w-full">
            "Go on"
        </a>
    }
}

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
            <Show
                when=signed_in
                fallback=|| {
                    view! {
                        <a href=HOME class="btn btn-primary w-full">
                            "Sign in to get a new link"
                        </a>
                    }
                }
            >
                <Again />
            </Show>
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
