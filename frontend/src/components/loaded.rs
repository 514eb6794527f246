//! The one place that decides between loading, error, empty and content.

use super::{error_view::ErrorView, icon::Icon};
use crate::{api::ApiError, remote::Remote};
use cerebros_common::wire::{CursorPage, Page};
use leptos::prelude::*;

pub fn no_items<T>(page: &Page<T>) -> bool {
    page.items.is_empty()
}

pub fn no_more_items<T>(page: &CursorPage<T>) -> bool {
    page.items.is_empty()
}

#[derive(Clone, PartialEq)]
enum Shown {
    Loading,
    Failed(ApiError),
    Empty,
    Content,
}

/// `children` are made once and then follow the value. `empty` stands for values for which `is_empty` holds.
#[component]
pub fn Loaded<T, C, V>(
    remote: Remote<T>,
    #[prop(optional)] is_empty: Option<fn(&T) -> bool>,
    #[prop(into, optional)] empty: ViewFn,
    #[prop(into, default = ViewFn::from(|| view! { <Skeleton /> }))] skeleton: ViewFn,
    children: C,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    C: Fn(Signal<T>) -> V + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let state = remote.state();
    let shown = Memo::new(move |_| {
        state.with(|state| match state {
            None => Shown::Loading,
            Some(Err(error)) => Shown::Failed(error.clone()),
            Some(Ok(value)) if is_empty.is_some_and(|is_empty| is_empty(value)) => Shown::Empty,
            Some(Ok(_)) => Shown::Content,
        })
    });
    let content = move || {
        let value = RwSignal::new(remote.state().get_untracked()?.ok()?);
        Effect::new(move |_| {
            if let Some(Ok(fresh)) = state.get() {
                value.set(fresh);
            }
        });
        Some(children(value.into()))
    };
    view! {
        <Stale remote />
        {move || match shown.get() {
            Shown::Loading => skeleton.run().into_any(),
            Shown::Failed(error) => {
                view! { <ErrorView error retry=Callback::new(move |()| remote.refetch()) /> }.into_any()
            }
            Shown::Empty => empty.run().into_any(),
            Shown::Content => untrack(&content).into_any(),
        }}
    }
}

/// Says that what is shown could not be brought up to date.
#[component]
fn Stale<T: Clone + Send + Sync + 'static>(remote: Remote<T>) -> impl IntoView {
    view! {
        <Show when=move || remote.stale().with(Option::is_some)>
            <div role="status" class="mb-4 flex flex-wrap items-center gap-2 rounded-field bg-tint-amber px-4 py-2 text-sm text-ink-amber">
                <Icon icon=icondata::LuTriangleAlert />
                <span class="grow">"This could not be brought up to date. What you see may be old."</span>
                <button type="button" class="btn btn-sm" on:click=move |_| remote.refetch()>
                    "Try again"
                </button>
            </div>
        </Show>
    }
}

#[component]
pub fn Skeleton(#[prop(default = 4)] lines: usize) -> impl IntoView {
    view! {
        <div role="status" aria-label="Loading" class="panel space-y-4 p-6">
            {(0..lines)
                .map(|line| {
                    let width = if line % 3 == 0 { "w-1/3" } else if line % 3 == 1 { "w-full" } else { "w-2/3" };
                    view! { <div class=format!("shimmer h-4 {width}")></div> }
                })
                .collect_view()}
        </div>
    }
}

/// Nothing is there yet: says so, and what to do next.
#[component]
pub fn Empty(
    icon: icondata::Icon,
    #[prop(into)] title: String,
    #[prop(into, optional)] text: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="panel flex flex-col items-center gap-2 border-dashed px-6 py-12 text-center">
            <span class="mb-2 rounded-full bg-tint-blue p-3 text-ink-blue">
                <Icon icon class="size-6" />
            </span>
            <p class="text-xl font-semibold tracking-tight">{title}</p>
            <p class="max-w-prose text-muted">{text}</p>
            {children.map(|children| view! { <div class="mt-4 flex flex-wrap justify-center gap-2">{children()}</div> })}
        </div>
    }
}
