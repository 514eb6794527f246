//! Making a key: what it may do, and for how long.

use crate::{
    api::api_keys::create_api_key,
    components::{
        button::Button,
        dialog::{About, Dialog},
        error_view::Alert,
        field::{Field, Select},
    },
    forms::Sending,
};
use cerebros_common::api_keys::{KeyScope, NewApiKey};
use chrono::{TimeDelta, Utc};
use leptos::prelude::*;

/// Days, and what the screen says.
static LIVES: [(&str, &str); 4] = [
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    ("", "Never"),
];

pub fn scope_name(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Read => "Read",
        KeyScope::Write => "Write",
        KeyScope::Train => "Train",
        KeyScope::Chat => "Chat",
        KeyScope::Admin => "Administer",
    }
}

fn scope_text(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Read => "Read everything in the workspace, secrets excepted.",
        KeyScope::Write => "Create, change and delete documents, examples, datasets and assistants.",
        KeyScope::Train => "Start, stop and resume training; register bases.",
        KeyScope::Chat => "Ask assistants and models.",
        KeyScope::Admin => "Members, keys and the audit log. Few scripts need this.",
    }
}

#[component]
pub fn CreateKey(open: RwSignal<bool>, secret: About<String>, changed: Callback<()>) -> impl IntoView {
    let made = Callback::new(move |fresh: String| {
        open.set(false);
        secret.ask(fresh);
        changed.run(());
    });
    view! {
        <Dialog open title="New API key">
            <Form made />
        </Dialog>
    }
}

#[component]
fn Form(made: Callback<String>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let life = RwSignal::new(LIVES[1].0.to_owned());
    let scopes = RwSignal::new(KeyScope::USUAL.to_vec());
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let days = life.get_untracked().parse().ok();
        let body = NewApiKey {
            name: name.get_untracked().trim().to_owned(),
            scopes: Some(scopes.get_untracked()),
            expires_at: days.map(|days| Utc::now() + TimeDelta::days(days)),
        };
        sending.submit(body, create_api_key, move |fresh| made.run(fresh.secret));
    };
    let wrong = sending.field("scopes");
    let choice = move |scope: KeyScope| {
        view! {
            <label class="flex cursor-pointer gap-2">
                <input
                    type="checkbox"
                    class="checkbox checkbox-primary checkbox-sm mt-0.5"
                    prop:checked=move || scopes.with(|scopes| scopes.contains(&scope))
                    on:change=move |event| {
                        scopes
                            .update(|scopes| {
                                scopes.retain(|other| *other != scope);
                                if event_target_checked(&event) {
                                    scopes.push(scope);
                                }
                            });
                    }
                />
                <span>
                    <span class="block text-sm font-medium">{scope_name(scope)}</span>
                    <span class="block text-sm text-muted">{scope_text(scope)}</span>
                </span>
            </label>
        }
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="Name" name="key-name" value=name error=sending.field("name") hint="What will use it, so that you know it later." autofocus=true />
            <fieldset class="space-y-2" aria-describedby="scopes-note">
                <legend class="mb-1 text-sm font-medium">"What it may do"</legend>
                {KeyScope::ALL.map(choice).collect_view()}
                <p id="scopes-note" class="text-sm text-error">
                    {move || wrong.get().map(|_| "Choose at least one.")}
                </p>
            </fieldset>
            <Select label="Expires" name="key-life" value=life options=LIVES.map(|(days, name)| (days.to_owned(), name.to_owned())).to_vec() />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Create key"
                </Button>
            </div>
        </form>
    }
}
