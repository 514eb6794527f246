//! A button that opens a small panel. The browser closes it on Escape and on a click elsewhere, and returns the focus.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, MouseEvent};

/// Links in the panel close it, and so does whatever has the attribute `data-closes`. The panel is made anew each time.
#[component]
pub fn Menu(
    id: &'static str,
    /// For those who do not see the button.
    #[prop(into, optional)]
    label: Signal<Option<String>>,
    /// Of the button.
    class: &'static str,
    /// Where the panel is, and how wide.
    place: &'static str,
    button: ViewFn,
    children: ChildrenFn,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let panel = NodeRef::<html::Div>::new();
    let toggled = move |_| {
        let now = panel
            .get_untracked()
            .is_some_and(|panel| panel.matches(":popover-open").unwrap_or_default());
        open.set(now);
    };
    let clicked = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let closes = target.and_then(|target| target.closest("a, [data-closes]").ok().flatten());
        if let Some(panel) = panel.get_untracked().filter(|_| closes.is_some()) {
            // Fails only if it is closed already.
            drop(panel.hide_popover());
        }
    };
    let children = StoredValue::new(children);
    view! {
        <button
            type="button"
            class=class
            aria-label=move || label.get()
            aria-expanded=move || open.get().to_string()
            popovertarget=id
        >
            {button.run()}
        </button>
        <div
            node_ref=panel
            id=id
            popover="auto"
            class=format!("panel fixed inset-auto m-0 max-w-[calc(100vw-2rem)] overflow-y-auto text-base-content shadow-lg {place}")
            on:toggle=toggled
            on:click=clicked
        >
            <Show when=move || open.get()>{children.with_value(|children| children())}</Show>
        </div>
    }
}
