//! Making and naming an assistant.

use crate::{
    address::Address,
    api::agents::{create_agent, update_agent},
    components::{
        button::Button,
        dialog::{About, Dialog},
        error_view::Alert,
        field::{Field, TextArea},
    },
    forms::Sending,
};
use cerebros_common::agents::{Agent, AgentPatch, NewAgent};
use leptos::prelude::*;

/// Two dialogs with the same fields: a new assistant leads to its wizard, a changed one stays in the list.
#[component]
pub fn AgentForm(creating: RwSignal<bool>, editing: About<Agent>, done: Callback<()>) -> impl IntoView {
    let address = Address::of_page();
    let create = Callback::new(move |agent: Agent| {
        creating.set(false);
        address.leave_for(&format!("/assistants/{}/wizard/1", agent.id));
    });
    let changed = Callback::new(move |_: Agent| {
        editing.close();
        done.run(());
    });
    view! {
        <Dialog open=creating title="New assistant">
            <Fields agent=None done=create />
        </Dialog>
        <Dialog open=editing.open title="Edit assistant">
            <Fields agent=editing.now() done=changed />
        </Dialog>
    }
}

#[component]
fn Fields(agent: Option<Agent>, done: Callback<Agent>) -> impl IntoView {
    let name = RwSignal::new(agent.as_ref().map(|agent| agent.name.clone()).unwrap_or_default());
    let description = RwSignal::new(
        agent
            .as_ref()
            .map(|agent| agent.description.clone())
            .unwrap_or_default(),
    );
    let sending = Sending::new();
    let target = agent.map(|agent| (agent.id, agent.version));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (name, description) = (
            name.get_untracked().trim().to_owned(),
            description.get_untracked().trim().to_owned(),
        );
        match target {
            None => sending.submit(NewAgent { name, description }, create_agent, move |agent| {
                done.run(agent)
            }),
            Some((id, version)) => {
                let body = AgentPatch {
                    name: Some(name),
                    description: Some(description),
                    ..AgentPatch::default()
                };
                sending.submit(
                    body,
                    move |body| update_agent(id, version, body),
                    move |agent| done.run(agent),
                );
            }
        }
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="Name" name="agent-name" value=name error=sending.field("name") placeholder="Contract reviewer" autofocus=true />
            <TextArea
                label="Description"
                name="agent-description"
                value=description
                error=sending.field("description")
                hint="Optional. For you and others in this workspace; it is not used in training."
            />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    {if target.is_none() { "Create assistant" } else { "Save" }}
                </Button>
            </div>
        </form>
    }
}
