//! Dividing an example that answers more than one question.

use super::state::{Mode, Reviewing};
use crate::{
    api::{ApiError, examples::split_example},
    components::{button::Button, dialog::Dialog, error_view::Alert, field::TextArea, icon::Icon},
    forms::Sending,
    toasts::Toasts,
};
use cerebros_common::examples::{Example, ExamplePart, ExampleSplit};
use leptos::prelude::*;
use std::sync::Arc;

const MOST: usize = 10;

/// True while an example is being changed in this way; false ends that.
pub fn open_while(reviewing: Reviewing, mode: Mode) -> RwSignal<bool> {
    let open = RwSignal::new(false);
    let wanted = Memo::new(move |_| {
        reviewing
            .editing
            .with(|editing| editing.as_ref().map(|(mode, _)| *mode))
            == Some(mode)
    });
    Effect::new(move |_| open.set(wanted.get()));
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now && wanted.get_untracked() {
            reviewing.editing.set(None);
        }
        now
    });
    open
}

#[component]
pub fn SplitDialog(reviewing: Reviewing) -> impl IntoView {
    let open = open_while(reviewing, Mode::Split);
    view! {
        <Dialog open title="Split the example" width="max-w-3xl">
            {move || {
                let example = reviewing.editing.get_untracked().map(|(_, example)| example);
                example.map(|example| view! { <Form example reviewing /> })
            }}
        </Dialog>
    }
}

#[derive(Clone, Copy)]
struct Part {
    key: usize,
    prompt: RwSignal<String>,
    reasoning: RwSignal<String>,
    response: RwSignal<String>,
}

impl Part {
    fn new(key: usize, example: &Example, response: &str) -> Self {
        Self {
            key,
            prompt: RwSignal::new(example.prompt.clone()),
            reasoning: RwSignal::new(example.reasoning.clone()),
            response: RwSignal::new(response.to_owned()),
        }
    }
}

/// The paragraphs of the output, if there are two to ten; else the output twice, to cut down by hand.
fn proposed(response: &str) -> Vec<&str> {
    let paragraphs: Vec<&str> = response
        .split("\n\n")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect();
    if (2..=MOST).contains(&paragraphs.len()) {
        paragraphs
    } else {
        vec![response, response]
    }
}

#[component]
fn Form(example: Arc<Example>, reviewing: Reviewing) -> impl IntoView {
    let (id, version) = (example.id, example.version);
    let parts: Vec<Part> = (0..)
        .zip(proposed(&example.response))
        .map(|(key, response)| Part::new(key, &example, response))
        .collect();
    let parts = RwSignal::new(parts);
    let sending = Sending::new();
    let toasts = Toasts::of_app();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let parts = parts.with_untracked(|parts| {
            let part = |part: &Part| ExamplePart {
                prompt: part.prompt.get_untracked(),
                reasoning: part.reasoning.get_untracked(),
                response: part.response.get_untracked(),
            };
            parts.iter().map(part).collect()
        });
        sending.submit(
            ExampleSplit { parts },
            move |body| split_example(id, version, body),
            move |made| {
                reviewing.editing.set(None);
                toasts.good(format!("Split into {} examples.", made.items.len()));
                if let Some(first) = made.items.into_iter().next() {
                    reviewing.settle(first);
                }
                reviewing.queue.lines.refetch();
            },
        );
    };
    let add = move |_| {
        parts.update(|parts| {
            let key = parts.iter().map(|part| part.key + 1).max().unwrap_or_default();
            parts.push(Part::new(key, &example, ""));
        });
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <p class="text-sm text-muted">
                "The example becomes the first part. The others are new and pending, and keep its source. Undoing brings the whole back."
            </p>
            <Alert error=sending.general() />
            <For each=move || parts.get() key=|part| part.key let:part>
                <PartFields part parts sending />
            </For>
            <div class="flex flex-wrap justify-between gap-2">
                <button type="button" class="btn" disabled=move || parts.with(|parts| parts.len() >= MOST) on:click=add>
                    <Icon icon=icondata::LuPlus />
                    "Add a part"
                </button>
                <Button busy=sending.busy kind="submit">
                    "Split"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn PartFields(part: Part, parts: RwSignal<Vec<Part>>, sending: Sending) -> impl IntoView {
    let at = Memo::new(move |_| {
        parts
            .with(|parts| parts.iter().position(|other| other.key == part.key))
            .unwrap_or_default()
    });
    let wrong = move |field: &'static str| {
        Signal::derive(move || {
            let path = format!("parts.{}.{field}", at.get());
            let of = |error: &ApiError| error.field(&path);
            sending.error.with(|error| error.as_ref().and_then(of))
        })
    };
    let name = move |field: &str| format!("part-{}-{field}", part.key);
    view! {
        <fieldset class="space-y-2 rounded-field border border-line p-4">
            <legend class="px-1 font-medium">{move || format!("Part {}", at.get() + 1)}</legend>
            <TextArea label="Prompt" name=name("prompt") value=part.prompt error=wrong("prompt") rows=2 />
            <TextArea label="Reasoning" name=name("reasoning") value=part.reasoning error=wrong("reasoning") rows=2 />
            <TextArea label="Output" name=name("response") value=part.response error=wrong("response") rows=4 />
            <Show when=move || parts.with(|parts| parts.len() > 2)>
                <button
                    type="button"
                    class="btn btn-ghost btn-sm"
                    on:click=move |_| parts.update(|parts| parts.retain(|other| other.key != part.key))
                >
                    "Remove this part"
                </button>
            </Show>
        </fieldset>
    }
}
