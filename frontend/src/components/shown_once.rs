//! A secret that the server tells once.

use super::{copy_button::CopyButton, dialog::Dialog};
use leptos::prelude::*;

/// `children` say what it is.
#[component]
pub fn ShownOnce(
    open: RwSignal<bool>,
    title: &'static str,
    /// What the button says.
    copy: &'static str,
    #[prop(into)] secret: Signal<String>,
    children: ChildrenFn,
) -> impl IntoView {
    let children = StoredValue::new(children);
    view! {
        <Dialog open title>
            <p class="mb-4 break-words">{children.with_value(|children| children())}</p>
            <code class="block rounded-field bg-base-200 p-4 font-mono text-sm break-all">{move || secret.get()}</code>
            <div class="mt-6 flex justify-end gap-2">
                <CopyButton text=secret label=copy />
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| open.set(false)>
                    "Done"
                </button>
            </div>
        </Dialog>
    }
}
