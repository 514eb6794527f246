//! Of what a person is told.

use crate::{
    api::notifications::{list_preferences, update_preferences},
    browser,
    components::{
        loaded::Loaded,
        page_head::Panel,
        tag::{Colour, Tag},
    },
    forms::Sending,
    remote::Remote,
};
use cerebros_common::notifications::{NotificationKind, NotificationPreference, NotificationPreferencesPatch};
use leptos::prelude::*;

#[component]
pub fn NotificationsPage() -> impl IntoView {
    browser::title("Notifications");
    let remote = Remote::new(list_preferences);
    view! {
        <Panel title="Notifications" flush=true>
            <p class="px-4 text-sm text-muted sm:px-6">"They appear behind the bell, in every workspace of yours."</p>
            <Loaded remote let:preferences>
                <ul class="mt-4 divide-y divide-line border-t border-line">
                    <For each=move || preferences.get() key=|preference| (preference.kind, preference.enabled) let:preference>
                        <Choice preference remote />
                    </For>
                </ul>
            </Loaded>
        </Panel>
    }
}

#[component]
fn Choice(preference: NotificationPreference, remote: Remote<Vec<NotificationPreference>>) -> impl IntoView {
    let NotificationPreference { kind, enabled } = preference;
    let (name, text) = about(kind);
    let sending = Sending::in_toasts();
    let id = crate::address::word(&kind);
    let note = format!("{id}-note");
    let always = kind.always_on();
    let on = RwSignal::new(enabled || always);
    let change = move |event: web_sys::Event| {
        let enabled = event_target_checked(&event);
        on.set(enabled);
        let body = NotificationPreferencesPatch {
            preferences: vec![NotificationPreference { kind, enabled }],
        };
        sending.start(update_preferences(body), move |fresh| remote.set(fresh));
    };
    Effect::new(move |_| {
        if sending.error.with(Option::is_some) {
            on.set(enabled);
        }
    });
    view! {
        <li class="flex items-center gap-4 px-4 py-3 sm:px-6">
            <label for=id.clone() class="min-w-0 grow">
                <span class="block font-medium">{name}</span>
                <span id=note.clone() class="block text-sm text-muted">
                    {text}
                </span>
            </label>
            {always.then(|| view! { <Tag colour=Colour::Grey text="Always on" /> })}
            <input
                id=id
                type="checkbox"
                class="toggle toggle-primary shrink-0"
                aria-describedby=note
                prop:checked=on
                disabled=always
                on:change=change
            />
        </li>
    }
}

fn about(kind: NotificationKind) -> (&'static str, &'static str) {
    match kind {
        NotificationKind::ExamplesReady => ("Examples are ready", "Examples of a document wait for review."),
        NotificationKind::DocumentFailed => ("A document failed", "Its text could not be read."),
        NotificationKind::BatchFinished => (
            "A batch is finished",
            "Examples of many documents were made, or the batch stopped.",
        ),
        NotificationKind::DiagramsReady => ("Diagrams are drawn", "The diagrams of a document are there."),
        NotificationKind::DatasetFailed => ("A dataset failed", "It cannot be trained on."),
        NotificationKind::JobSucceeded => ("Training is done", "A model was trained."),
        NotificationKind::JobFailed => ("Training failed", "A training job ended without a model."),
        NotificationKind::MemberJoined => ("Somebody joined", "An invitation was accepted."),
        NotificationKind::MembershipChanged => ("Your membership changed", "Your role changed, or you were removed."),
        NotificationKind::DeletionDone => ("A deletion is done", "What you had deleted is gone."),
        NotificationKind::NewSignIn => ("A new sign-in", "From a device that was not seen before."),
        NotificationKind::CredentialsChanged => (
            "Your credentials changed",
            "The password or the e-mail address of your account.",
        ),
    }
}
