//! Changing an example in place.

use super::state::Reviewing;
use crate::{
    components::{button::Button, error_view::Alert, field::TextArea},
    forms::Sending,
};
use cerebros_common::examples::{Example, ExamplePatch};
use leptos::prelude::*;
use web_sys::KeyboardEvent;

#[component]
pub fn Editor(example: Example, reviewing: Reviewing) -> impl IntoView {
    let [prompt, reasoning, response] =
        [&example.prompt, &example.reasoning, &example.response].map(|text| RwSignal::new(text.clone()));
    let sending = Sending::new();
    let example = StoredValue::new(example);
    let save = move || {
        let body = ExamplePatch {
            prompt: Some(prompt.get_untracked()),
            reasoning: Some(reasoning.get_untracked()),
            response: Some(response.get_untracked()),
            status: None,
        };
        example.with_value(|example| reviewing.save(sending, example, body));
    };
    let key = move |event: KeyboardEvent| match event.key().as_str() {
        "Escape" => reviewing.editing.set(false),
        "Enter" if event.ctrl_key() || event.meta_key() => save(),
        _ => {}
    };
    Effect::new(|_| crate::browser::focus("example-prompt"));
    view! {
        <form
            class="panel space-y-2 p-4"
            novalidate
            on:keydown=key
            on:submit=move |event| {
                event.prevent_default();
                save();
            }
        >
            <Alert error=sending.general() />
            <TextArea label="Prompt" name="example-prompt" value=prompt error=sending.field("prompt") rows=3 />
            <TextArea label="Reasoning" name="example-reasoning" value=reasoning error=sending.field("reasoning") rows=4 />
            <TextArea label="Output" name="example-response" value=response error=sending.field("response") rows=6 />
            <div class="flex justify-end gap-2">
                <button type="button" class="btn btn-ghost" on:click=move |_| reviewing.editing.set(false)>
                    "Cancel"
                </button>
                <Button busy=sending.busy kind="submit">
                    "Save"
                </Button>
            </div>
        </form>
    }
}
