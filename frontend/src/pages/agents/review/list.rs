//! The examples to choose from.

use super::state::Reviewing;
use crate::components::status::ExampleTag;
use cerebros_common::examples::{Example, ExampleOrigin};
use leptos::prelude::*;

#[component]
pub fn ExampleList(examples: Signal<Vec<Example>>, reviewing: Reviewing) -> impl IntoView {
    view! {
        <div>
            <ul class="panel max-h-64 divide-y divide-line overflow-y-auto lg:max-h-[36rem]" aria-label="Examples">
                <For each=move || examples.get() key=|example| (example.id, example.version) let:example>
                    <Item example reviewing />
                </For>
            </ul>
            <Show when=move || reviewing.more.get()>
                <button
                    type="button"
                    class="btn btn-sm mt-2 w-full"
                    on:click=move |_| reviewing.wanted.update(|wanted| *wanted += 100)
                >
                    "Load more"
                </button>
            </Show>
        </div>
    }
}

#[component]
fn Item(example: Example, reviewing: Reviewing) -> impl IntoView {
    let id = example.id;
    let chosen = move || reviewing.chosen.get() == Some(id);
    let element = NodeRef::<leptos::html::Li>::new();
    Effect::new(move |_| {
        if let Some(element) = element.get().filter(|_| chosen()) {
            keep_in_view(&element);
        }
    });
    view! {
        <li node_ref=element>
            <button
                type="button"
                class="w-full cursor-pointer border-l-2 px-4 py-2 text-left text-sm"
                class:border-primary=chosen
                class:bg-tint-blue=chosen
                class:border-transparent=move || !chosen()
                class:hover:bg-base-200=move || !chosen()
                aria-current=move || chosen().then_some("true")
                on:click=move |_| {
                    reviewing.editing.set(false);
                    reviewing.chosen.set(Some(id));
                }
            >
                <span class="line-clamp-2 break-words">{example.prompt}</span>
                <span class="mt-1 flex flex-wrap items-center gap-2">
                    <ExampleTag status=example.status />
                    {(example.origin == ExampleOrigin::Manual).then(|| view! { <span class="text-muted">"By hand"</span> })}
                    {example.edited.then(|| view! { <span class="text-muted">"Edited"</span> })}
                </span>
            </button>
        </li>
    }
}

/// Scrolls the list only, and only if the item is outside it.
fn keep_in_view(item: &web_sys::HtmlElement) {
    let Some(list) = item.parent_element() else { return };
    let (outer, inner) = (list.get_bounding_client_rect(), item.get_bounding_client_rect());
    let by = (inner.bottom() - outer.bottom()).max(0.0) - (outer.top() - inner.top()).max(0.0);
    list.set_scroll_top(list.scroll_top() + by.round() as i32);
}
