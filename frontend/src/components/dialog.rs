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

/// What a dialog is about. It is open while it is about something, and forgets it when it closes.
pub struct About<T: Send + Sync + 'static> {
    pub open: RwSignal<bool>,
    thing: RwSignal<Option<T>>,
}

impl<T: Send + Sync + 'static> Clone for About<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for About<T> {}

impl<T: Clone + Send + Sync + 'static> About<T> {
    pub fn new() -> Self {
        let about = Self {
            open: RwSignal::new(false),
            thing: RwSignal::new(None),
        };
        Effect::new(move |_| {
            if !about.open.get() {
                about.thing.set(None);
            }
        });
        about
    }

    pub fn ask(self, thing: T) {
        self.thing.set(Some(thing));
        self.open.set(true);
    }

    pub fn close(self) {
        self.open.set(false);
    }

    pub fn get(self) -> Option<T> {
        self.thing.get()
    }

    pub fn now(self) -> Option<T> {
        self.thing.get_untracked()
    }

    pub fn title(self, write: impl Fn(&T) -> String + Send + Sync + 'static) -> Signal<String> {
        Signal::derive(move || self.thing.with(|thing| thing.as_ref().map(&write)).unwrap_or_default())
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
