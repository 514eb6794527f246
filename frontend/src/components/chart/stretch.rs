//! Which stretch of the horizontal axis a chart shows.

use leptos::prelude::*;

/// Shows `from` to `to`; everything, where that is all there is.
pub fn choose(stretch: RwSignal<Option<(f64, f64)>>, whole: Option<(f64, f64)>, from: f64, to: f64) {
    let Some((first, last)) = whole else { return };
    let (from, to) = (from.clamp(first, last), to.clamp(first, last));
    if from < to {
        stretch.set((from > first || to < last).then_some((from, to)));
    }
}

/// What a drag over the chart does, for the keyboard, and the way back.
#[component]
pub fn StretchFields(
    stretch: RwSignal<Option<(f64, f64)>>,
    /// The first and the last place of the axis.
    whole: Signal<Option<(f64, f64)>>,
    x_name: &'static str,
) -> impl IntoView {
    let now = move || stretch.get().or_else(|| whole.get());
    let change = move |from: Option<f64>, to: Option<f64>| {
        let Some(now) = untrack(now) else { return };
        choose(
            stretch,
            whole.get_untracked(),
            from.unwrap_or(now.0),
            to.unwrap_or(now.1),
        );
    };
    let field = move |label: &'static str, value: fn((f64, f64)) -> f64, changed: Callback<Option<f64>>| {
        let written = move || now().map(|now| format!("{:.0}", value(now))).unwrap_or_default();
        view! {
            <input
                type="number"
                step="1"
                class="input input-sm w-24"
                aria-label=format!("{x_name}, {label}")
                min=move || whole.get().map(|whole| whole.0)
                max=move || whole.get().map(|whole| whole.1)
                prop:value=written
                on:change:target=move |event| {
                    changed.run(event.target().value().parse().ok());
                    event.target().set_value(&untrack(written));
                }
            />
        }
    };
    view! {
        <div class="mt-2 flex flex-wrap items-center gap-2 text-sm">
            <span class="text-muted">{format!("{x_name}s")}</span>
            {field("first", |now| now.0, Callback::new(move |value| change(value, None)))}
            <span class="text-muted">"to"</span>
            {field("last", |now| now.1, Callback::new(move |value| change(None, value)))}
            <Show
                when=move || stretch.get().is_some()
                fallback=|| view! { <span class="hidden text-muted sm:inline">"Drag over the chart to look closer."</span> }
            >
                <button type="button" class="btn btn-sm" on:click=move |_| stretch.set(None)>
                    "Show all"
                </button>
            </Show>
        </div>
    }
}
