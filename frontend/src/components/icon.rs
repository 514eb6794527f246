//! Line icons. They only accompany words, so screen readers skip them.

use leptos::prelude::*;

#[component]
pub fn Icon(icon: icondata::Icon, #[prop(default = "size-4")] class: &'static str) -> impl IntoView {
    view! {
        <svg
            class=format!("{class} shrink-0")
            viewBox=icon.view_box
            fill=icon.fill
            stroke=icon.stroke
            stroke-width=icon.stroke_width
            stroke-linecap=icon.stroke_linecap
            stroke-linejoin=icon.stroke_linejoin
            aria-hidden="true"
            inner_html=icon.data
        />
    }
}
