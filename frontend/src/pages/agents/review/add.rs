//! Writing an example by hand.

use crate::{
    api::examples::create_example,
    components::{button::Button, dialog::Dialog, error_view::Alert, field::TextArea},
    forms::Sending,
    toasts::Toasts,
};
use cerebros_common::{examples::NewExample, ids::AgentId};
use leptos::prelude::*;

#[component]
pub fn AddExample(agent: AgentId, open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    view! {
        <Dialog open title="Add an example" width="max-w-2xl">
            <Form agent open done />
        </Dialog>
    }
}

#[component]
fn Form(agent: AgentId, open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let [prompt, reasoning, response] = [(); 3].map(|()| RwSignal::new(String::new()));
    let sending = Sending::new();
    let toasts = Toasts::of_app();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewExample {
            agent_id: agent,
            prompt: prompt.get_untracked(),
            reasoning: reasoning.get_untracked(),
            response: response.get_untracked(),
        };
        sending.submit(body, create_example, move |_| {
            open.set(false);
            toasts.good("The example was added, and counts as approved.");
            done.run(());
        });
    };
    view! {
        <form class="space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <TextArea label="Prompt" name="new-prompt" value=prompt error=sending.field("prompt") hint="What somebody asks." />
            <TextArea label="Reasoning" name="new-reasoning" value=reasoning error=sending.field("reasoning") hint="Optional: how you get to the output." />
            <TextArea label="Output" name="new-response" value=response error=sending.field("response") hint="What the assistant should answer." rows=5 />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Add example"
                </Button>
            </div>
        </form>
    }
}
