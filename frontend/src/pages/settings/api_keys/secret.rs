//! A secret, shown once.

use crate::components::{copy_button::CopyButton, dialog::Dialog};
use leptos::prelude::*;

#[component]
pub fn SecretDialog(secret: RwSignal<Option<String>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        if secret.with(Option::is_some) {
            open.set(true);
        }
    });
    Effect::new(move |_| {
        if !open.get() {
            secret.set(None);
        }
    });
    view! {
        <Dialog open title="Your key">
            <p class="mb-4">"Copy the key now. It is not shown again."</p>
            <code class="block rounded-field bg-base-200 p-4 font-mono text-sm break-all">{move || secret.get()}</code>
            <div class="mt-6 flex justify-end gap-2">
                <CopyButton text=Signal::derive(move || secret.get().unwrap_or_default()) label="Copy the key" />
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| open.set(false)>
                    "Done"
                </button>
            </div>
        </Dialog>
    }
}
