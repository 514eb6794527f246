//! Where toasts appear.

use super::icon::Icon;
use crate::toasts::{Toasts, Tone};
use leptos::prelude::*;

#[component]
pub fn ToastList() -> impl IntoView {
    let toasts = Toasts::of_app();
    view! {
        <div role="status" aria-live="polite" class="fixed inset-x-4 bottom-4 z-50 flex flex-col items-end gap-2 sm:left-auto sm:w-96">
            <For each=move || toasts.shown().get() key=|toast| toast.id let:toast>
                <div class="panel flex w-full items-start gap-2 p-4 text-sm shadow-lg">
                    {match toast.tone {
                        Tone::Good => view! { <span class="text-success"><Icon icon=icondata::LuCircleCheck class="mt-0.5 size-4" /></span> },
                        Tone::Bad => view! { <span class="text-error"><Icon icon=icondata::LuCircleAlert class="mt-0.5 size-4" /></span> },
                    }}
                    <p class="grow break-words">{toast.text.clone()}</p>
                    <button type="button" class="btn btn-ghost btn-xs btn-square" aria-label="Close" on:click=move |_| toasts.close(toast.id)>
                        <Icon icon=icondata::LuX />
                    </button>
                </div>
            </For>
        </div>
    }
}
