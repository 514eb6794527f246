//! The top of a page: where it is, what it is, what can be done.

use super::icon::Icon;
use leptos::prelude::*;

/// `parents` are names and addresses, outermost first.
#[component]
pub fn PageHead(
    #[prop(into)] title: Signal<String>,
    #[prop(into, optional)] parents: Signal<Vec<(String, String)>>,
    #[prop(optional)] text: &'static str,
    /// 2 for a part of a page.
    #[prop(default = 1)]
    level: u8,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="mb-6 space-y-1">
            <Show when=move || parents.with(|parents| !parents.is_empty())>
                <nav aria-label="Breadcrumb">
                    <ol class="flex flex-wrap items-center gap-1 text-sm text-muted">
                        {move || {
                            parents
                                .get()
                                .into_iter()
                                .enumerate()
                                .map(|(index, (name, href))| {
                                    view! {
                                        <li class="flex min-w-0 items-center gap-1">
                                            {(index > 0).then(|| view! { <Icon icon=icondata::LuChevronRight class="size-3" /> })}
                                            <a href=href class="max-w-64 truncate rounded-sm hover:text-base-content hover:underline">
                                                {name}
                                            </a>
                                        </li>
                                    }
                                })
                                .collect_view()
                        }}
                    </ol>
                </nav>
            </Show>
            <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
                {if level == 1 {
                    view! { <h1 class="min-w-0 break-words">{move || title.get()}</h1> }.into_any()
                } else {
                    view! { <h2 class="min-w-0 break-words">{move || title.get()}</h2> }.into_any()
                }}
                {children.map(|children| view! { <div class="flex flex-wrap items-center gap-2">{children()}</div> })}
            </div>
            {(!text.is_empty()).then(|| view! { <p class="max-w-prose text-muted">{text}</p> })}
        </div>
    }
}

/// A name and a value, in a list of facts.
#[component]
pub fn Fact(
    name: &'static str,
    /// Over the whole width.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="min-w-0" class:col-span-full=wide>
            <dt class="text-sm text-muted">{name}</dt>
            <dd class="break-words">{children()}</dd>
        </div>
    }
}

/// A titled box.
#[component]
pub fn Panel(
    #[prop(into)] title: String,
    #[prop(optional)] actions: Option<ViewFn>,
    /// Without padding, for tables.
    #[prop(optional)]
    flush: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="panel overflow-hidden">
            <div class="flex flex-wrap items-center justify-between gap-2 px-4 pt-4 sm:px-6">
                <h2>{title}</h2>
                {actions.map(|actions| actions.run())}
            </div>
            <div class=if flush { "pt-2" } else { "px-4 pt-4 pb-6 sm:px-6" }>{children()}</div>
        </section>
    }
}
