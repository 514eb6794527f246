//! Light, dark, or as the system says.

use super::icon::Icon;
use crate::theme::Theme;
use leptos::prelude::*;

#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let theme = expect_context::<RwSignal<Theme>>();
    view! {
        <div role="group" aria-label="Colours" class="inline-flex rounded-field border border-line bg-base-100 p-0.5">
            {Theme::ALL
                .into_iter()
                .map(|choice| {
                    let chosen = move || theme.get() == choice;
                    view! {
                        <button
                            type="button"
                            class="rounded-md p-1.5"
                            class:bg-tint-blue=chosen
                            class:text-ink-blue=chosen
                            class:text-muted=move || !chosen()
                            aria-label=choice.name()
                            title=choice.name()
                            aria-pressed=move || chosen().to_string()
                            on:click=move |_| theme.set(choice)
                        >
                            <Icon icon=icon_of(choice) />
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

fn icon_of(theme: Theme) -> icondata::Icon {
    match theme {
        Theme::System => icondata::LuMonitor,
        Theme::Light => icondata::LuSun,
        Theme::Dark => icondata::LuMoon,
    }
}
