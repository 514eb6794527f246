//! A button that shows when its work is under way, and cannot be pressed again meanwhile.

use leptos::prelude::*;

#[component]
pub fn Button(
    #[prop(into)] busy: Signal<bool>,
    #[prop(into, optional)] disabled: Signal<bool>,
    #[prop(default = "btn btn-primary")] class: &'static str,
    /// `submit` inside forms.
    #[prop(default = "button")]
    kind: &'static str,
    #[prop(into, optional)] on_click: Option<Callback<()>>,
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type=kind
            class=class
            on:click=move |_| {
                if let Some(on_click) = on_click {
                    on_click.run(());
                }
            }
            disabled=move || busy.get() || disabled.get() aria-busy=move || busy.get().to_string()>
            <Show when=move || busy.get()>
                <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
            </Show>
            {children()}
        </button>
    }
}
