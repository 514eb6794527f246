//! The studio: documents, their concepts, and the diagrams drawn of them, side by side.

mod concept_dialogs;
mod concepts;
mod diagram;
mod diagrams;
mod documents;
mod editor;
mod frame;
mod picture;
mod state;

use crate::{browser, components::icon::Icon, pages::studio::state::Studio};
use concepts::Concepts;
use diagrams::Diagrams;
use documents::Documents;
use leptos::prelude::*;

const THEME: &str = "studio-theme";

#[component]
pub fn StudioPage() -> impl IntoView {
    browser::title("Studio");
    let studio = Studio::new();
    let light = RwSignal::new(browser::recall(browser::storage(), THEME).as_deref() == Some("light"));
    let theme = move || if light.get() { "light" } else { "dark" };
    let turn = move |_| {
        light.update(|light| *light = !*light);
        browser::remember(browser::storage(), THEME, Some(theme()));
    };
    view! {
        <div data-theme=theme class="-mx-4 space-y-4 bg-base-200 p-4 text-base-content sm:mx-0 sm:rounded-box sm:border sm:border-line lg:p-6">
            <div class="flex flex-wrap items-center justify-between gap-2">
                <h1>"Studio"</h1>
                <button type="button" class="btn btn-sm" on:click=turn>
                    {move || {
                        let icon = if light.get() { icondata::LuMoon } else { icondata::LuSun };
                        view! { <Icon icon /> }
                    }}
                    {move || if light.get() { "Dark" } else { "Light" }}
                </button>
            </div>
            <div class="grid items-start gap-4 lg:grid-cols-[13rem_minmax(0,1fr)] xl:grid-cols-[13rem_16rem_minmax(0,1fr)]">
                <Documents studio />
                <Concepts studio />
                <div class="min-w-0 lg:col-span-2 xl:col-span-1">
                    <Diagrams studio />
                </div>
            </div>
        </div>
    }
}
