//! Making a key. Its secret is shown once.

use crate::{
    api::api_keys::create_api_key,
    components::{button::Button, copy_button::CopyButton, dialog::Dialog, error_view::Alert, field::Field},
    forms::Sending,
};
use cerebros_common::api_keys::NewApiKey;
use leptos::prelude::*;

#[component]
pub fn CreateKey(open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let secret = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        if !open.get() {
            secret.set(None);
        }
    });
    view! {
        <Dialog open title="New API key">
            <Show when=move || secret.with(Option::is_some) fallback=move || view! { <Form secret done /> }>
                <p class="mb-4">"Copy the key now. It is not shown again."</p>
                <code class="block rounded-field bg-base-200 p-4 font-mono text-sm break-all">{move || secret.get()}</code>
                <div class="mt-6 flex justify-end gap-2">
                    <CopyButton text=Signal::derive(move || secret.get().unwrap_or_default()) label="Copy the key" />
                    <button type="button" class="btn btn-sm btn-primary" on:click=move |_| open.set(false)>
                        "Done"
                    </button>
                </div>
            </Show>
        </Dialog>
    }
}

#[component]
fn Form(secret: RwSignal<Option<String>>, done: Callback<()>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewApiKey {
            name: name.get_untracked().trim().to_owned(),
            scopes: None,
            expires_at: None,
        };
        sending.submit(body, create_api_key, move |made| {
            secret.set(Some(made.secret));
            done.run(());
        });
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="Name" name="key-name" value=name error=sending.field("name") hint="What will use it, so that you know it later." autofocus=true />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Create key"
                </Button>
            </div>
        </form>
    }
}
