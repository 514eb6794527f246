//! A modal dialog. The browser's own element keeps the focus inside and closes on Escape.

use super::icon::Icon;
use leptos::{html, prelude::*};

/// What is inside is made anew each time it opens.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    #[prop(default = "max-w-lg")] width: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(element) = element.get() else { return };
        if open.get() && !element.open() {
            // Throws only for an element outside the page.
            drop(element.show_modal());
        } else if !open.get() && element.open() {
            element.close();
        }
    });
    view! {
        <dialog
            node_ref=element
            class="modal modal-bottom sm:modal-middle"
            aria-label=move || title.get()
            on:close=move |_| open.set(false)
        >
            <div class=format!("modal-box {width} p-6")>
                <div class="mb-4 flex items-start justify-between gap-4">
                    <h2>{move || title.get()}</h2>
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square -mt-1 -mr-2"
                        aria-label="Close"
                        on:click=move |_| open.set(false)
                    >
                        <Icon icon=icondata::LuX />
                    </button>
                </div>
                <Show when=move || open.get()>{children()}</Show>
            </div>
            <button type="button" class="modal-backdrop" tabindex="-1" aria-hidden="true" on:click=move |_| open.set(false)></button>
        </dialog>
    }
}

/// Asks before something is gone. `children` say what goes along.
#[component]
pub fn Confirm(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// What the button says.
    action: &'static str,
    sending: crate::forms::Sending,
    confirmed: Callback<()>,
    #[prop(default = "btn btn-error")] tone: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let children = StoredValue::new(children);
    Effect::new(move |_| {
        if open.get() {
            sending.error.set(None);
        }
    });
    view! {
        <Dialog open title>
            <div class="space-y-2 text-base">{children.with_value(|children| children())}</div>
            <super::error_view::Alert error=sending.error />
            <div class="mt-6 flex flex-wrap justify-end gap-2">
                <button type="button" class="btn btn-ghost" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <super::button::Button busy=sending.busy class=tone on_click=confirmed>
                    {action}
                </super::button::Button>
            </div>
        </Dialog>
    }
}
