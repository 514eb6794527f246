//! The chosen example beside its source.

use super::{
    editor::Editor,
    source::Source,
    state::{Mode, Reviewing},
};
use crate::{
    components::{
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        status::ExampleTag,
        tag::{Colour, Tag},
    },
    forms::Sending,
    session::Session,
};
use cerebros_common::{
    examples::{Example, ExampleHold, ExampleOrigin, ExampleStatus, FindingKind, Grounding},
    workspaces::Role,
};
use leptos::prelude::*;
use std::sync::Arc;

#[component]
pub fn Detail(reviewing: Reviewing) -> impl IntoView {
    let source = Memo::new(move |_| {
        let example = reviewing.example.get().flatten()?;
        example.source.clone().map(|source| (source, example.grounding))
    });
    let inline = Memo::new(move |_| {
        let editing = reviewing.editing.get();
        editing
            .filter(|(mode, _)| *mode == Mode::Inline)
            .map(|(_, example)| Held(example))
    });
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| reviewing.delete(sending));
    view! {
        <div class="grid content-start gap-4 xl:grid-cols-[minmax(0,1fr)_22rem]">
            <div class="min-w-0">
                <Loaded remote=reviewing.example let:example>
                    <div class="space-y-4">
                        {move || example.get().map(|example| view! { <About example reviewing /> })}
                        {move || match inline.get() {
                            Some(Held(example)) => view! { <Editor example reviewing /> }.into_any(),
                            None => example.get().map(|example| view! { <Reading example /> }).into_any(),
                        }}
                    </div>
                </Loaded>
            </div>
            <Source source passages=reviewing.passages />
        </div>
        <Confirm open=reviewing.deleting title="Delete this example?" action="Delete example" sending confirmed>
            <p>"It cannot be brought back. Reject it instead if you only want to keep it out of training."</p>
        </Confirm>
    }
}

/// The same example while it is the same object: an editor lives as long.
#[derive(Clone)]
struct Held(Arc<Example>);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[component]
fn About(example: Arc<Example>, reviewing: Reviewing) -> impl IntoView {
    let session = Session::of_app();
    let held = example.held.clone();
    let other = held.filter(|hold| untrack(|| session.user()).is_none_or(|user| user.id != hold.user_id));
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <ExampleTag status=example.status />
            <span class="grow text-sm text-muted">{origin(&example)}</span>
            <Actions status=example.status reviewing />
        </div>
        {other.map(|hold| view! { <Elsewhere hold /> })}
        <Quality example reviewing />
    }
}

fn origin(example: &Example) -> String {
    match (example.origin, &example.model) {
        (ExampleOrigin::Extractive, _) => "Built from the text, without a language model".to_owned(),
        (ExampleOrigin::LanguageModel, Some(model)) => format!("Written by {model}"),
        (ExampleOrigin::LanguageModel, None) => "Written by a language model".to_owned(),
        (ExampleOrigin::Manual, _) => "Written by hand".to_owned(),
    }
}

#[component]
fn Elsewhere(hold: ExampleHold) -> impl IntoView {
    view! {
        <p role="status" class="flex items-center gap-2 rounded-field bg-tint-amber px-4 py-2 text-sm text-ink-amber">
            <Icon icon=icondata::LuUser />
            {format!("{} reviews this example just now.", hold.name)}
        </p>
    }
}

/// On small screens the judgements stay at hand below.
#[component]
fn Actions(status: ExampleStatus, reviewing: Reviewing) -> impl IntoView {
    let (approved, rejected) = (status == ExampleStatus::Approved, status == ExampleStatus::Rejected);
    view! {
        <div class="fixed inset-x-0 bottom-0 z-20 flex items-center gap-2 border-t border-line bg-base-100 p-2 sm:static sm:z-auto sm:flex-wrap sm:border-0 sm:bg-transparent sm:p-0">
            <May role=Role::Reviewer>
                <button
                    type="button"
                    class="btn grow sm:btn-sm sm:grow-0"
                    title="Approve (a)"
                    disabled=approved
                    on:click=move |_| reviewing.judge(ExampleStatus::Approved)
                >
                    <Icon icon=icondata::LuCheck />
                    "Approve"
                </button>
                <button
                    type="button"
                    class="btn grow sm:btn-sm sm:grow-0"
                    title="Reject (r)"
                    disabled=rejected
                    on:click=move |_| reviewing.judge(ExampleStatus::Rejected)
                >
                    <Icon icon=icondata::LuX />
                    "Reject"
                </button>
            </May>
            <May role=Role::Editor>
                <button type="button" class="btn grow sm:btn-sm sm:grow-0" title="Edit (e)" on:click=move |_| reviewing.edit(Mode::Inline)>
                    <Icon icon=icondata::LuPencil />
                    "Edit"
                </button>
                <button
                    type="button"
                    class="btn btn-ghost btn-square btn-sm hidden sm:inline-flex"
                    title="Edit in a dialog (Shift + E)"
                    aria-label="Edit in a dialog"
                    on:click=move |_| reviewing.edit(Mode::Dialog)
                >
                    <Icon icon=icondata::LuMaximize2 />
                </button>
                <button
                    type="button"
                    class="btn btn-ghost btn-square sm:btn-sm"
                    title="Split (s)"
                    aria-label="Split this example"
                    on:click=move |_| reviewing.edit(Mode::Split)
                >
                    <Icon icon=icondata::LuScissors />
                </button>
                <button
                    type="button"
                    class="btn btn-ghost btn-square hidden sm:btn-sm sm:inline-flex"
                    aria-label="Delete this example"
                    on:click=move |_| reviewing.deleting.set(true)
                >
                    <Icon icon=icondata::LuTrash2 />
                </button>
            </May>
        </div>
    }
}

/// The score and what lowered it.
#[component]
fn Quality(example: Arc<Example>, reviewing: Reviewing) -> impl IntoView {
    let grounding = match example.grounding {
        Grounding::Grounded => (Colour::Green, "Quoted from the document"),
        Grounding::Ungrounded => (Colour::Amber, "Not in the document"),
        Grounding::None => (Colour::Grey, "Quotes nothing"),
    };
    let group = example.duplicate_of;
    view! {
        <div class="space-y-2 text-sm">
            <p class="flex flex-wrap items-center gap-2">
                <span class="font-medium tabular-nums">{format!("Score {}", example.score)}</span>
                <Tag colour=grounding.0 text=grounding.1 />
                {group
                    .map(|first| {
                        view! {
                            <button
                                type="button"
                                class="link-plain cursor-pointer"
                                on:click=move |_| reviewing.address.set("duplicates", &first.to_string())
                            >
                                "Show those that say nearly the same"
                            </button>
                        }
                    })}
            </p>
            {(!example.findings.is_empty())
                .then(|| {
                    view! {
                        <ul class="space-y-1" aria-label="What lowers the score">
                            {example
                                .findings
                                .iter()
                                .map(|finding| {
                                    view! {
                                        <li class="flex items-baseline gap-2">
                                            <span class="shrink-0 text-muted tabular-nums">{format!("−{}", finding.points)}</span>
                                            <span class="min-w-0 break-words">
                                                <span class="text-muted">{kind(finding.kind)} ": "</span>
                                                {finding.message.clone()}
                                            </span>
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                    }
                })}
        </div>
    }
}

fn kind(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Schema => "Form",
        FindingKind::Grounding => "Source",
        FindingKind::Length => "Length",
        FindingKind::Duplication => "Copy",
        FindingKind::Leakage => "Instructions",
        FindingKind::Judge => "Judge",
    }
}

#[component]
fn Reading(example: Arc<Example>) -> impl IntoView {
    let parts = [
        ("Prompt", example.prompt.clone()),
        ("Reasoning", example.reasoning.clone()),
        ("Output", example.response.clone()),
    ];
    view! {
        <div class="grid gap-4 2xl:grid-cols-3">
            {parts
                .into_iter()
                .map(|(name, text)| {
                    view! {
                        <section class="panel p-4">
                            <h2 class="mb-1 text-sm font-medium tracking-normal text-muted">{name}</h2>
                            <div class="max-h-80 overflow-y-auto text-sm break-words whitespace-pre-wrap" tabindex="0" role="region" aria-label=name>
                                {if text.is_empty() { "None".to_owned() } else { text }}
                            </div>
                        </section>
                    }
                })
                .collect_view()}
        </div>
    }
}
