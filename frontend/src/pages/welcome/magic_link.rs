//! Signing in with a link from a mail.

use super::{FollowButton, LinkPage, use_leave};
use crate::{api::accounts::redeem_magic_link, forms::Sending, links, session::Session};
use leptos::prelude::*;

#[component]
pub fn MagicLink() -> impl IntoView {
    let (session, sending) = (Session::of_app(), Sending::new());
    let leave = StoredValue::new_local(use_leave());
    let fresh = || {
        view! {
            <a href="/sign-in" class="btn btn-primary w-full">
                "Ask for a new link"
            </a>
        }
    };
    view! {
        <LinkPage title="Sign in" text="With the link from your mail." sending done=None finished=|| () fresh let:token>
            <FollowButton
                sending
                action="Sign in"
                follow=move |()| {
                    sending
                        .start(
                            redeem_magic_link(token.clone()),
                            move |entered| {
                                session.begin(entered);
                                leave.with_value(|leave| leave(&links::take_next()));
                            },
                        )
                }
            />
        </LinkPage>
    }
}
