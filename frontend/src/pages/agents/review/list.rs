//! The examples to choose from. Only the lines in view are in the page, however many there are.

use super::{queue::Lines, state::Reviewing};
use crate::components::{
    status::ExampleTag,
    tag::{Colour, Tag},
};
use cerebros_common::examples::{ExampleLine, ExampleOrigin, Grounding};
use leptos::{html, prelude::*};
use std::sync::Arc;

/// Pixels; every line has this height.
const HEIGHT: usize = 76;
/// Lines above and below the view that are there already when it moves.
const SPARE: usize = 8;

#[component]
pub fn ExampleList(lines: Signal<Lines>, reviewing: Reviewing) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let (top, room) = (RwSignal::new(0_usize), RwSignal::new(800_usize));
    let measure = move || {
        if let Some(list) = list.get_untracked() {
            top.set(usize::try_from(list.scroll_top()).unwrap_or_default());
            room.set(usize::try_from(list.client_height()).unwrap_or_default().max(HEIGHT));
        }
    };
    let shown = Memo::new(move |_| {
        let first = (top.get() / HEIGHT).saturating_sub(SPARE);
        let last = (top.get() + room.get()) / HEIGHT + SPARE;
        (first, last)
    });
    let window = move || {
        let (first, last) = shown.get();
        lines.with(|lines| {
            let last = last.min(lines.len());
            let some = lines.get(first.min(last)..last).unwrap_or_default();
            (first..).zip(some.iter().cloned()).collect::<Vec<_>>()
        })
    };
    // The chosen line is kept in view.
    let chosen_at = Memo::new(move |_| reviewing.queue.position(reviewing.chosen.get()));
    Effect::new(move |_| {
        let (Some(list), Some(at)) = (list.get(), chosen_at.get()) else {
            return;
        };
        measure();
        let (start, end) = (at * HEIGHT, (at + 1) * HEIGHT);
        let (top, room) = (top.get_untracked(), room.get_untracked());
        let target = if start < top {
            start
        } else if end > top + room {
            end - room
        } else {
            return;
        };
        list.set_scroll_top(i32::try_from(target).unwrap_or_default());
        measure();
    });
    view! {
        <div class="min-w-0">
            <div
                node_ref=list
                class="panel h-60 overflow-y-auto overscroll-contain lg:h-[calc(100vh-16rem)] lg:min-h-96"
                on:scroll=move |_| measure()
            >
                <ul class="relative" aria-label="Examples" style:height=move || lines.with(|lines| format!("{}px", lines.len() * HEIGHT))>
                    <For each=window key=|(at, line)| (*at, line.id, line.version, line.status) let:item>
                        <Line at=item.0 line=item.1 reviewing />
                    </For>
                </ul>
            </div>
            <Show when=move || reviewing.queue.cut_off.get()>
                <p class="mt-2 text-sm text-muted">"Only the first 20,000 are listed. Filters narrow the rest."</p>
            </Show>
        </div>
    }
}

#[component]
fn Line(at: usize, line: Arc<ExampleLine>, reviewing: Reviewing) -> impl IntoView {
    let id = line.id;
    let chosen = Signal::derive(move || reviewing.chosen.get() == Some(id));
    let doubtful = line.grounding == Grounding::Ungrounded;
    view! {
        <li
            class="absolute inset-x-0 h-19 border-b border-line"
            style:top=format!("{}px", at * HEIGHT)
            aria-posinset=(at + 1).to_string()
            aria-setsize=move || reviewing.queue.lines.with(Vec::len).unwrap_or_default().to_string()
        >
            <button
                type="button"
                class="flex size-full cursor-pointer flex-col justify-center gap-1 border-l-2 px-4 text-left text-sm"
                class:border-primary=chosen
                class:bg-tint-blue=chosen
                class:border-transparent=move || !chosen.get()
                class:hover:bg-base-200=move || !chosen.get()
                aria-current=move || chosen.get().then_some("true")
                on:click=move |_| reviewing.choose(id)
            >
                <span class="line-clamp-2 min-w-0 leading-snug break-words">{line.prompt.clone()}</span>
                <span class="flex items-center gap-2 overflow-hidden whitespace-nowrap">
                    <ExampleTag status=line.status />
                    <span class="text-muted tabular-nums" title="Score">{line.score}</span>
                    {doubtful.then(|| view! { <Tag colour=Colour::Amber text="Not in the document" /> })}
                    {line.duplicate_of.is_some_and(|first| first != id).then(|| view! { <span class="text-muted">"Copy"</span> })}
                    {(line.origin == ExampleOrigin::Manual).then(|| view! { <span class="text-muted">"By hand"</span> })}
                    {line.edited.then(|| view! { <span class="text-muted">"Edited"</span> })}
                </span>
            </button>
        </li>
    }
}
