//! One question with its answer and the matching passages.

use super::talk::{Turn, TurnState};
use crate::{
    api::ApiError,
    components::{copy_button::CopyButton, icon::Icon},
};
use cerebros_common::search::Passage;
use leptos::prelude::*;

#[component]
pub fn TurnView(turn: Turn, retry: Callback<()>) -> impl IntoView {
    view! {
        <article class="space-y-4">
            <div class="ml-auto w-fit max-w-[85%] rounded-box bg-tint-blue px-4 py-2 break-words whitespace-pre-wrap text-ink-blue">
                {turn.question.get_value()}
            </div>
            <div class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
                <Answer turn retry />
                <aside aria-label="Matching passages">
                    {move || turn.passages.get().map(|found| view! { <Passages found /> })}
                </aside>
            </div>
        </article>
    }
}

#[component]
fn Answer(turn: Turn, retry: Callback<()>) -> impl IntoView {
    let answering = move || turn.state.get() == TurnState::Answering;
    view! {
        <div class="min-w-0" aria-busy=move || answering().to_string()>
            <div class="break-words whitespace-pre-wrap">
                {move || turn.answer.get()}
                <Show when=answering>
                    <span class="loading loading-dots loading-sm align-middle text-muted" role="status" aria-label="Answering"></span>
                </Show>
            </div>
            {move || match turn.state.get() {
                TurnState::Stopped => view! { <p class="mt-2 text-sm text-muted">"Stopped."</p> }.into_any(),
                TurnState::Failed(error) => {
                    view! {
                        <p role="alert" class="mt-2 text-sm text-error">
                            {error.title()}
                            ". "
                            {error.message()}
                        </p>
                    }
                        .into_any()
                }
                TurnState::Answering | TurnState::Done => ().into_any(),
            }}
            <Show when=move || !answering()>
                <div class="mt-2 flex gap-2">
                    <CopyButton text=turn.answer />
                    <button type="button" class="btn btn-sm" on:click=move |_| retry.run(())>
                        <Icon icon=icondata::LuRotateCcw />
                        "Retry"
                    </button>
                </div>
            </Show>
        </div>
    }
}

#[component]
fn Passages(found: Result<Vec<Passage>, ApiError>) -> impl IntoView {
    match found {
        Err(error) => view! { <p class="text-sm text-error">{error.message()}</p> }.into_any(),
        Ok(passages) if passages.is_empty() => {
            view! { <p class="text-sm text-muted">"No passage of the documents matches this question."</p> }.into_any()
        }
        Ok(passages) => view! {
            <p class="mb-2 text-sm font-medium">"From the documents"</p>
            <ul class="space-y-2">
                {passages.into_iter().map(|passage| view! { <Quote passage /> }).collect_view()}
            </ul>
        }
        .into_any(),
    }
}

#[component]
fn Quote(passage: Passage) -> impl IntoView {
    let href = format!(
        "/documents/{}?at={}-{}",
        passage.document_id, passage.start, passage.end
    );
    view! {
        <li class="panel p-4 text-sm">
            <blockquote class="line-clamp-6 border-l-2 border-primary pl-2 break-words">{passage.quote}</blockquote>
            <a href=href class="link-plain mt-2 flex min-w-0 items-center gap-1">
                <Icon icon=icondata::LuFileText />
                <span class="min-w-0 truncate">{passage.document_name}</span>
                {passage.page.map(|page| view! { <span class="whitespace-nowrap">"page " {page}</span> })}
            </a>
        </li>
    }
}
