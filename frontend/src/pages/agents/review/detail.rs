//! The chosen example beside its source.

use super::{editor::Editor, source::Source, state::Reviewing};
use crate::{
    components::{dialog::Confirm, icon::Icon, may::May, status::ExampleTag},
    forms::Sending,
};
use cerebros_common::{
    examples::{Example, ExampleOrigin, ExampleStatus},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Detail(reviewing: Reviewing) -> impl IntoView {
    let current = Memo::new(move |_| reviewing.current());
    let source =
        Memo::new(move |_| current.with(|example| example.as_ref().and_then(|example| example.source.clone())));
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| reviewing.delete(sending));
    view! {
        <div class="grid content-start gap-6 xl:grid-cols-[minmax(0,1fr)_20rem]">
            <div class="min-w-0 space-y-4">
                {move || current.get().map(|example| view! { <Actions example reviewing /> })}
                {move || {
                    let example = current.get()?;
                    Some(
                        if reviewing.editing.get() {
                            view! { <Editor example reviewing /> }.into_any()
                        } else {
                            view! { <Reading example /> }.into_any()
                        },
                    )
                }}
            </div>
            <Source source />
        </div>
        <Confirm open=reviewing.deleting title="Delete this example?" action="Delete example" sending confirmed>
            <p>"It cannot be brought back. Reject it instead if you only want to keep it out of training."</p>
        </Confirm>
    }
}

#[component]
fn Actions(example: Example, reviewing: Reviewing) -> impl IntoView {
    let (approved, rejected) = (
        example.status == ExampleStatus::Approved,
        example.status == ExampleStatus::Rejected,
    );
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <ExampleTag status=example.status />
            <span class="grow text-sm text-muted">
                {match example.origin {
                    ExampleOrigin::Extractive => "Built from the text, without a language model",
                    ExampleOrigin::LanguageModel => "Written by a language model",
                    ExampleOrigin::Manual => "Written by hand",
                }}
            </span>
            <May role=Role::Reviewer>
                <button type="button" class="btn btn-sm" title="Approve (a)" disabled=approved on:click=move |_| reviewing.judge(ExampleStatus::Approved)>
                    <Icon icon=icondata::LuCheck />
                    "Approve"
                </button>
                <button type="button" class="btn btn-sm" title="Reject (r)" disabled=rejected on:click=move |_| reviewing.judge(ExampleStatus::Rejected)>
                    <Icon icon=icondata::LuX />
                    "Reject"
                </button>
            </May>
            <May role=Role::Editor>
                <button type="button" class="btn btn-sm" title="Edit (e)" on:click=move |_| reviewing.edit()>
                    <Icon icon=icondata::LuPencil />
                    "Edit"
                </button>
                <button
                    type="button"
                    class="btn btn-ghost btn-sm btn-square"
                    aria-label="Delete this example"
                    on:click=move |_| reviewing.deleting.set(true)
                >
                    <Icon icon=icondata::LuTrash2 />
                </button>
            </May>
        </div>
    }
}

#[component]
fn Reading(example: Example) -> impl IntoView {
    let parts = [
        ("Prompt", example.prompt),
        ("Reasoning", example.reasoning),
        ("Output", example.response),
    ];
    view! {
        <div class="grid gap-4 2xl:grid-cols-3">
            {parts
                .into_iter()
                .map(|(name, text)| {
                    view! {
                        <section class="panel p-4">
                            <h2 class="mb-1 text-sm font-medium tracking-normal text-muted">{name}</h2>
                            <div class="max-h-80 overflow-y-auto text-sm break-words whitespace-pre-wrap">
                                {if text.is_empty() { "None".to_owned() } else { text }}
                            </div>
                        </section>
                    }
                })
                .collect_view()}
        </div>
    }
}
