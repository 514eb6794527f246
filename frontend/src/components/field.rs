//! Form fields: a label, a control, a hint, and what is wrong with it.

use super::icon::Icon;
use leptos::{oco::Oco, prelude::*};

/// A line of text.
#[component]
pub fn Field(
    label: &'static str,
    name: &'static str,
    value: RwSignal<String>,
    #[prop(into)] error: Signal<Option<String>>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] hint: &'static str,
    #[prop(optional)] autocomplete: &'static str,
    #[prop(optional)] placeholder: &'static str,
    #[prop(optional)] autofocus: bool,
) -> impl IntoView {
    let error = about(error, value);
    let shown = RwSignal::new(false);
    let password = kind == "password";
    view! {
        <Labelled label name error hint>
            <div class="relative">
                <input
                    id=name
                    name=name
                    type=move || if password && shown.get() { "text" } else { kind }
                    class="input w-full"
                    class:input-error=move || error.with(Option::is_some)
                    class:pr-12=password
                    autocomplete=autocomplete
                    autofocus=autofocus
                    placeholder=placeholder
                    aria-invalid=move || error.with(Option::is_some).to_string()
                    aria-describedby=format!("{name}-note")
                    prop:value=value
                    on:input:target=move |event| value.set(event.target().value())
                />
                <Show when=move || password>
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square absolute top-1 right-1 z-10"
                        aria-label=move || if shown.get() { "Hide password" } else { "Show password" }
                        aria-pressed=move || shown.get().to_string()
                        on:click=move |_| shown.update(|shown| *shown = !*shown)
                    >
                        {move || {
                            let icon = if shown.get() { icondata::LuEyeOff } else { icondata::LuEye };
                            view! { <Icon icon /> }
                        }}
                    </button>
                </Show>
            </div>
        </Labelled>
    }
}

/// What is wrong with a value, as long as it is the one that stands there.
fn about(error: Signal<Option<String>>, value: RwSignal<String>) -> Signal<Option<String>> {
    let refused = Memo::new(move |_| error.get().map(|error| (error, value.get_untracked())));
    let current = move || {
        let refused = refused.get()?;
        value.with(|value| *value == refused.1).then_some(refused.0)
    };
    Signal::derive(current)
}

/// Several lines of text.
#[component]
pub fn TextArea(
    label: &'static str,
    /// Also its id.
    #[prop(into)]
    name: Oco<'static, str>,
    value: RwSignal<String>,
    #[prop(into)] error: Signal<Option<String>>,
    #[prop(optional)] hint: &'static str,
    #[prop(default = 3)] rows: u32,
) -> impl IntoView {
    let error = about(error, value);
    view! {
        <Labelled label name=name.clone() error hint>
            <textarea
                id=name.clone()
                name=name.clone()
                rows=rows
                class="textarea w-full"
                class:textarea-error=move || error.with(Option::is_some)
                aria-invalid=move || error.with(Option::is_some).to_string()
                aria-describedby=format!("{name}-note")
                prop:value=value
                on:input:target=move |event| value.set(event.target().value())
            ></textarea>
        </Labelled>
    }
}

/// One of several. `options` are values and what the screen says.
#[component]
pub fn Select(
    label: &'static str,
    name: &'static str,
    value: RwSignal<String>,
    #[prop(into)] options: Signal<Vec<(String, String)>>,
    #[prop(optional)] hint: &'static str,
) -> impl IntoView {
    let option = move |(key, text): (String, String)| {
        let chosen = value.with_untracked(|value| *value == key);
        view! {
            <option value=key selected=chosen>
                {text}
            </option>
        }
    };
    view! {
        <Labelled label name error=Signal::stored(None) hint>
            <select
                id=name
                name=name
                class="select w-full"
                aria-describedby=format!("{name}-note")
                prop:value=value
                on:change:target=move |event| value.set(event.target().value())
            >
                {move || options.get().into_iter().map(option).collect_view()}
            </select>
        </Labelled>
    }
}

#[component]
fn Labelled(
    label: &'static str,
    #[prop(into)] name: Oco<'static, str>,
    error: Signal<Option<String>>,
    hint: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="space-y-1">
            <label for=name.clone() class="block text-sm font-medium">
                {label}
            </label>
            {children()}
            <p id=format!("{name}-note") class="text-sm">
                {move || match error.get() {
                    Some(error) => view! { <span class="text-error">{error}</span> }.into_any(),
                    None => view! { <span class="text-muted">{hint}</span> }.into_any(),
                }}
            </p>
        </div>
    }
}
