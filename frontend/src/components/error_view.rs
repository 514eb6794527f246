//! What went wrong, and what can be done.

use super::{copy_button::CopyButton, icon::Icon};
use crate::{api::ApiError, session::HOME};
use leptos::prelude::*;

/// In place of content that could not be fetched.
#[component]
pub fn ErrorView(error: ApiError, #[prop(into, optional)] retry: Option<Callback<()>>) -> impl IntoView {
    let reference = error.request_id();
    // What is missing is what the page was about, so nothing else names the page.
    let heading = if error.is_missing() {
        view! { <h1>{error.title()}</h1> }.into_any()
    } else {
        view! { <h2>{error.title()}</h2> }.into_any()
    };
    view! {
        <div role="alert" class="panel flex flex-col items-center gap-2 px-6 py-12 text-center">
            <span class="mb-2 rounded-full bg-tint-red p-3 text-ink-red">
                <Icon icon=icondata::LuTriangleAlert class="size-6" />
            </span>
            {heading}
            <p class="max-w-prose text-muted">{error.message()}</p>
            {reference
                .map(|id| {
                    view! {
                        <p class="flex flex-wrap items-center justify-center gap-2 text-sm text-muted">
                            <span>"Request " <code class="font-mono break-all">{id.clone()}</code></span>
                            <CopyButton text=id />
                        </p>
                    }
                })}
            <div class="mt-4 flex flex-wrap justify-center gap-2">
                {retry
                    .map(|retry| {
                        view! {
                            <button type="button" class="btn" on:click=move |_| retry.run(())>
                                <Icon icon=icondata::LuRefreshCw />
                                "Try again"
                            </button>
                        }
                    })}
                {error
                    .is_missing()
                    .then(|| {
                        view! {
                            <a href=HOME class="btn btn-primary">
                                "Go to the dashboard"
                            </a>
                        }
                    })}
            </div>
        </div>
    }
}

/// Above or below a form.
#[component]
pub fn Alert(#[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    move || {
        error.get().map(|error| {
            let reference = error.request_id();
            view! {
                <div role="alert" class="my-4 flex gap-2 rounded-field bg-tint-red px-4 py-2 text-sm text-ink-red">
                    <Icon icon=icondata::LuCircleAlert class="mt-0.5 size-4" />
                    <div>
                        <p class="font-medium">{error.title()}</p>
                        <p>{error.message()}</p>
                        {error
                            .fields()
                            .iter()
                            .map(|field| view! { <p>{field.path.clone()} " " {field.message.clone()}</p> })
                            .collect_view()}
                        {reference.map(|id| view! { <p class="font-mono break-all opacity-80">"Request " {id}</p> })}
                    </div>
                </div>
            }
        })
    }
}
