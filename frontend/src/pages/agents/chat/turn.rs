//! One question with its answer and the passages that were read for it.

use super::talk::{Turn, TurnState};
use crate::components::{copy_button::CopyButton, icon::Icon};
use cerebros_common::{
    chat::{Citation, marks},
    search::Passage,
};
use leptos::prelude::*;

#[component]
pub fn TurnView(
    turn: Turn,
    /// Whether its question may be put in other words.
    editable: Signal<bool>,
    /// Asks again, in other words if there are any.
    retry: Callback<Option<String>>,
) -> impl IntoView {
    view! {
        <article class="space-y-4">
            <Question turn editable retry />
            <div class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
                <Answer turn retry />
                <aside aria-label="Passages read">
                    {move || turn.citations.get().map(|citations| view! { <Passages citations /> })}
                </aside>
            </div>
        </article>
    }
}

#[component]
fn Question(turn: Turn, editable: Signal<bool>, retry: Callback<Option<String>>) -> impl IntoView {
    let editing = RwSignal::new(false);
    let shown = move || {
        view! {
            <div class="flex items-start justify-end gap-1">
                <Show when=move || editable.get()>
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square"
                        aria-label="Edit the question"
                        on:click=move |_| editing.set(true)
                    >
                        <Icon icon=icondata::LuPencil />
                    </button>
                </Show>
                <div class="max-w-[85%] min-w-0 rounded-box bg-tint-blue px-4 py-2 break-words whitespace-pre-wrap text-ink-blue">
                    {move || turn.question.get()}
                </div>
            </div>
        }
    };
    let form = move || {
        let text = RwSignal::new(turn.question.get_untracked());
        let submit = move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            let words = text.get_untracked().trim().to_owned();
            if !words.is_empty() {
                editing.set(false);
                retry.run(Some(words));
            }
        };
        view! {
            <form class="ml-auto max-w-prose space-y-2" on:submit=submit>
                <textarea
                    rows="3"
                    autofocus=true
                    class="textarea w-full"
                    aria-label="The question in other words"
                    prop:value=text
                    on:input:target=move |event| text.set(event.target().value())
                ></textarea>
                <div class="flex justify-end gap-2">
                    <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| editing.set(false)>
                        "Cancel"
                    </button>
                    <button type="submit" class="btn btn-primary btn-sm">
                        "Ask again"
                    </button>
                </div>
            </form>
        }
    };
    move || {
        if editing.get() {
            form().into_any()
        } else {
            shown().into_any()
        }
    }
}

#[component]
fn Answer(turn: Turn, retry: Callback<Option<String>>) -> impl IntoView {
    let answering = move || turn.state.get() == TurnState::Answering;
    view! {
        <div class="min-w-0" aria-busy=move || answering().to_string()>
            <div class="break-words whitespace-pre-wrap">
                {move || {
                    let citations = turn.citations.get().unwrap_or_default();
                    turn.answer.with(|answer| with_marks(answer, &citations))
                }}
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
                    <button type="button" class="btn btn-sm" on:click=move |_| retry.run(None)>
                        <Icon icon=icondata::LuRotateCcw />
                        "Retry"
                    </button>
                </div>
            </Show>
        </div>
    }
}

/// The answer, each mark of a passage a link to it.
fn with_marks(answer: &str, citations: &[Citation]) -> Vec<AnyView> {
    let characters: Vec<char> = answer.chars().collect();
    let plain = |from: usize, to: usize| characters[from..to].iter().collect::<String>().into_any();
    let mut views = Vec::new();
    let mut end = 0;
    for (place, citation) in marks(answer, citations) {
        views.push(plain(end, place.start));
        let label = format!("Passage {} in {}", citation.number, citation.passage.document_name);
        let href = address(&citation.passage);
        views.push(
            view! {
                <a href=href class="mark-number mx-0.5" aria-label=label>
                    {citation.number}
                </a>
            }
            .into_any(),
        );
        end = place.end;
    }
    views.push(plain(end, characters.len()));
    views
}

fn address(passage: &Passage) -> String {
    format!(
        "/documents/{}?at={}-{}",
        passage.document_id, passage.start, passage.end
    )
}

#[component]
fn Passages(citations: Vec<Citation>) -> impl IntoView {
    if citations.is_empty() {
        return view! { <p class="text-sm text-muted">"No passage of the documents matches this question."</p> }
            .into_any();
    }
    view! {
        <p class="mb-2 text-sm font-medium">"From the documents"</p>
        <ol class="space-y-2">
            {citations.into_iter().map(|citation| view! { <Quote citation /> }).collect_view()}
        </ol>
    }
    .into_any()
}

#[component]
fn Quote(citation: Citation) -> impl IntoView {
    let Citation { number, passage } = citation;
    view! {
        <li class="panel flex gap-2 p-4 text-sm">
            <span class="mark-number mt-0.5">{number}</span>
            <div class="min-w-0 grow">
                <blockquote class="line-clamp-6 break-words">{passage.quote.clone()}</blockquote>
                <a href=address(&passage) class="link-plain mt-2 flex min-w-0 items-center gap-1">
                    <Icon icon=icondata::LuFileText />
                    <span class="min-w-0 truncate">{passage.document_name.clone()}</span>
                    {passage.page.map(|page| view! { <span class="whitespace-nowrap">"page " {page}</span> })}
                </a>
            </div>
        </li>
    }
}
