//! The e-mail address, and changing it in two steps.

use crate::{
    api::accounts::{change_email, give_up_email_change},
    components::{
        button::Button,
        error_view::Alert,
        field::Field,
        icon::Icon,
        page_head::Panel,
        tag::{Colour, Tag},
    },
    facts::Facts,
    forms::Sending,
};
use cerebros_common::accounts::{EmailChange, NewEmailChange, Profile};
use leptos::prelude::*;

#[component]
pub fn Email(profile: Signal<Profile>, again: Callback<()>) -> impl IntoView {
    let facts = Facts::of_app();
    let changing = Memo::new(move |_| profile.with(|profile| profile.email_change.clone()));
    let verified = move || profile.with(|profile| profile.user.email_verified);
    view! {
        <Panel title="E-mail address">
            <p class="flex flex-wrap items-center gap-2">
                <span class="min-w-0 break-all">{move || profile.with(|profile| profile.user.email.clone())}</span>
                {move || {
                    if verified() {
                        view! { <Tag colour=Colour::Green text="Verified" /> }
                    } else {
                        view! { <Tag colour=Colour::Amber text="Not verified" /> }
                    }
                }}
            </p>
            {move || match changing.get() {
                Some(change) => view! { <UnderWay change again /> }.into_any(),
                None if facts.mail() => view! { <Change again /> }.into_any(),
                None => {
                    view! { <p class="mt-2 text-sm text-muted">"It cannot be changed here: this server sends no mail to confirm a new one."</p> }
                        .into_any()
                }
            }}
        </Panel>
    }
}

#[component]
fn Change(again: Callback<()>) -> impl IntoView {
    let [email, password] = [(); 2].map(|()| RwSignal::new(String::new()));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewEmailChange {
            email: email.get_untracked().trim().to_owned(),
            password: password.get_untracked(),
        };
        sending.submit(body, change_email, move |_| again.run(()));
    };
    view! {
        <form class="mt-6 max-w-md space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="New address" name="new-email" kind="email" value=email error=sending.field("email") autocomplete="email" />
            <Field
                label="Your password"
                name="email-password"
                kind="password"
                value=password
                error=sending.field("password")
                autocomplete="current-password"
            />
            <p class="text-sm text-muted">"Both addresses get a link. The change takes effect when both were followed."</p>
            <Button busy=sending.busy kind="submit">
                "Change address"
            </Button>
        </form>
    }
}

#[component]
fn UnderWay(change: EmailChange, again: Callback<()>) -> impl IntoView {
    let facts = Facts::of_app();
    let sending = Sending::new();
    let give_up = Callback::new(move |()| sending.start(give_up_email_change(), move |()| again.run(())));
    let steps = [
        (
            "Confirmed at the present address",
            "Follow the link at the present address",
            change.old_confirmed,
        ),
        (
            "Confirmed at the new address",
            "Follow the link at the new address",
            change.new_confirmed,
        ),
    ];
    view! {
        <div class="mt-6 space-y-4 rounded-field bg-tint-blue p-4 text-ink-blue">
            <p class="break-words">"Changing to " <b>{change.email}</b> ". The links work for 15 minutes."</p>
            <ul class="space-y-1">
                {steps
                    .map(|(done, open, confirmed)| {
                        let icon = if confirmed { icondata::LuCircleCheck } else { icondata::LuCircle };
                        view! {
                            <li class="flex items-center gap-2">
                                <Icon icon />
                                {if confirmed { done } else { open }}
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            <div class="flex flex-wrap gap-2">
                <Show when=move || facts.outbox()>
                    <a href="/outbox" class="btn btn-sm">
                        "Open the outbox"
                    </a>
                </Show>
                <button type="button" class="btn btn-sm" on:click=move |_| again.run(())>
                    <Icon icon=icondata::LuRefreshCw />
                    "Look again"
                </button>
                <Button busy=sending.busy class="btn btn-sm" on_click=give_up>
                    "Keep the present address"
                </Button>
            </div>
        </div>
        <Alert error=sending.error />
    }
}
