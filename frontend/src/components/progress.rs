//! How far something is.

use leptos::prelude::*;

/// `part` is 0 to 1.
#[component]
pub fn Progress(#[prop(into)] part: Signal<f64>, label: &'static str) -> impl IntoView {
    let percent = move || (part.get().clamp(0.0, 1.0) * 100.0).round();
    view! {
        <div
            role="progressbar"
            aria-label=label
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=percent
            class="h-2 w-full overflow-hidden rounded-full bg-tint-grey"
        >
            <div class="h-full rounded-full bg-primary transition-[width]" style:width=move || format!("{}%", percent())></div>
        </div>
    }
}
