//! Confirming a change of the e-mail address, at the old or the new one.

use super::{FollowButton, LinkPage};
use crate::{
    api::accounts::confirm_email_change,
    forms::Sending,
    session::{HOME, Session},
};
use leptos::prelude::*;

#[component]
pub fn ConfirmEmail() -> impl IntoView {
    let (session, sending) = (Session::of_app(), Sending::new());
    let done = RwSignal::new(None);
    let finished = || {
        view! {
            <a href=HOME class="btn btn-primary w-full">
                "Go on"
            </a>
        }
    };
    let fresh = || {
        view! {
            <a href="/settings/profile" class="btn btn-primary w-full">
                "Start the change again"
            </a>
        }
    };
    view! {
        <LinkPage title="Change of your e-mail address" text="Both addresses have to agree." sending done finished fresh let:token>
            <FollowButton
                sending
                action="Confirm the change"
                follow=move |()| {
                    sending
                        .start(
                            confirm_email_change(token.clone()),
                            move |change| {
                                done.set(
                                    Some(
                                        if change.old_confirmed && change.new_confirmed {
                                            "Your e-mail address has changed. Sign in with the new one from now on."
                                        } else if change.old_confirmed {
                                            "Confirmed. Now follow the link that was sent to the new address."
                                        } else {
                                            "Confirmed. Now follow the link that was sent to the old address."
                                        },
                                    ),
                                );
                                session.ask();
                            },
                        )
                }
            />
        </LinkPage>
    }
}
