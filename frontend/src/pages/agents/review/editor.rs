//! Changing an example, in place or in a dialog. What was typed outlives what others do meanwhile.

use super::state::Reviewing;
use crate::{
    api::{
        ApiError,
        examples::{find_example, update_example},
    },
    components::{button::Button, dialog::Dialog, error_view::Alert, field::TextArea},
    forms::Sending,
};
use cerebros_common::{
    errors::ErrorCode,
    examples::{Example, ExamplePatch},
};
use leptos::{prelude::*, task::spawn_local};
use std::sync::Arc;
use web_sys::KeyboardEvent;

#[component]
pub fn Editor(
    example: Arc<Example>,
    reviewing: Reviewing,
    #[prop(default = "panel space-y-2 p-4")] class: &'static str,
) -> impl IntoView {
    let [prompt, reasoning, response] =
        [&example.prompt, &example.reasoning, &example.response].map(|text| RwSignal::new(text.clone()));
    let sending = Sending::new();
    let theirs = RwSignal::new(None::<Arc<Example>>);
    let (id, version) = (example.id, RwSignal::new(example.version));
    // Somebody changed it meanwhile: both texts are shown, and the person decides.
    Effect::new(move |_| {
        let outdated = |error: &ApiError| error.code() == Some(ErrorCode::StaleVersion);
        if sending.error.with(|error| error.as_ref().is_some_and(outdated)) {
            spawn_local(async move {
                if let Ok(now) = find_example(id).await {
                    version.try_set(now.version);
                    theirs.try_set(Some(Arc::new(now)));
                }
            });
        }
    });
    let save = move || {
        let body = ExamplePatch {
            prompt: Some(prompt.get_untracked()),
            reasoning: Some(reasoning.get_untracked()),
            response: Some(response.get_untracked()),
            status: None,
        };
        let version = version.get_untracked();
        sending.submit(
            body,
            move |body| update_example(id, version, body),
            move |changed| {
                reviewing.editing.set(None);
                reviewing.settle(changed);
            },
        );
    };
    let key = move |event: KeyboardEvent| match event.key().as_str() {
        "Escape" => reviewing.editing.set(None),
        "Enter" if event.ctrl_key() || event.meta_key() => save(),
        _ => {}
    };
    let take_theirs = move |()| {
        if let Some(theirs) = theirs.get_untracked() {
            prompt.set(theirs.prompt.clone());
            reasoning.set(theirs.reasoning.clone());
            response.set(theirs.response.clone());
        }
        theirs.set(None);
        sending.error.set(None);
    };
    Effect::new(|_| crate::browser::focus("example-prompt"));
    view! {
        <form
            class=class
            novalidate
            aria-label="Edit the example"
            on:keydown=key
            on:submit=move |event| {
                event.prevent_default();
                save();
            }
        >
            {move || match theirs.get() {
                Some(theirs) => view! { <Conflict theirs take=Callback::new(take_theirs) /> }.into_any(),
                None => view! { <Alert error=sending.general() /> }.into_any(),
            }}
            <TextArea label="Prompt" name="example-prompt" value=prompt error=sending.field("prompt") rows=3 />
            <TextArea label="Reasoning" name="example-reasoning" value=reasoning error=sending.field("reasoning") rows=4 />
            <TextArea label="Output" name="example-response" value=response error=sending.field("response") rows=6 />
            <div class="flex flex-wrap justify-end gap-2">
                <button type="button" class="btn btn-ghost" on:click=move |_| reviewing.editing.set(None)>
                    "Cancel"
                </button>
                <Button busy=sending.busy kind="submit">
                    {move || if theirs.with(Option::is_some) { "Save mine" } else { "Save" }}
                </Button>
            </div>
        </form>
    }
}

/// What the example says by now, beside what was typed.
#[component]
fn Conflict(theirs: Arc<Example>, take: Callback<()>) -> impl IntoView {
    let parts = [
        ("Prompt", theirs.prompt.clone()),
        ("Reasoning", theirs.reasoning.clone()),
        ("Output", theirs.response.clone()),
    ];
    view! {
        <div role="alert" class="space-y-2 rounded-field bg-tint-amber p-4 text-sm text-ink-amber">
            <p class="font-medium">"Somebody changed this example while you were writing. Your text is kept below. By now it says:"</p>
            <dl class="max-h-60 space-y-1 overflow-y-auto" tabindex="0">
                {parts
                    .into_iter()
                    .map(|(name, text)| {
                        view! {
                            <dt class="font-medium">{name}</dt>
                            <dd class="break-words whitespace-pre-wrap">{text}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
            <button type="button" class="btn btn-sm" on:click=move |_| take.run(())>
                "Take this instead"
            </button>
        </div>
    }
}

#[component]
pub fn EditDialog(reviewing: Reviewing) -> impl IntoView {
    let open = super::split::open_while(reviewing, super::state::Mode::Dialog);
    view! {
        <Dialog open title="Edit the example" width="max-w-3xl">
            {move || {
                let example = reviewing.editing.get_untracked().map(|(_, example)| example);
                example.map(|example| view! { <Editor example reviewing class="space-y-2" /> })
            }}
        </Dialog>
    }
}
