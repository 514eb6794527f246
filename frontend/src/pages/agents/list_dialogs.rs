//! Making, naming and deleting an assistant.

use crate::{
    address::Address,
    api::agents::{create_agent, delete_agent, update_agent},
    components::{
        button::Button,
        dialog::{Confirm, Dialog},
        error_view::Alert,
        field::{Field, TextArea},
    },
    format,
    forms::Sending,
    toasts::Toasts,
};
use cerebros_common::agents::{Agent, AgentPatch, NewAgent};
use leptos::prelude::*;

/// The assistant whose name is being changed.
#[derive(Clone, Copy)]
pub struct Editing(pub RwSignal<Option<Agent>>);

/// Two dialogs with the same fields: a new assistant leads to its wizard, a changed one stays in the list.
#[component]
pub fn AgentForm(creating: RwSignal<bool>, editing: Editing, done: Callback<()>) -> impl IntoView {
    let address = Address::of_page();
    let open = RwSignal::new(false);
    let Editing(edited) = editing;
    follow(open, edited);
    let create = Callback::new(move |agent: Agent| {
        creating.set(false);
        address.leave_for(&format!("/assistants/{}/wizard/1", agent.id));
    });
    let changed = Callback::new(move |_: Agent| {
        edited.set(None);
        done.run(());
    });
    view! {
        <Dialog open=creating title="New assistant">
            <Fields agent=None done=create />
        </Dialog>
        <Dialog open title="Edit assistant">
            <Fields agent=edited.get_untracked() done=changed />
        </Dialog>
    }
}

/// The dialog is open while it is about an assistant; closing it forgets the assistant.
fn follow(open: RwSignal<bool>, about: RwSignal<Option<Agent>>) {
    Effect::new(move |_| {
        let wanted = about.with(Option::is_some);
        if open.get_untracked() != wanted {
            open.set(wanted);
        }
    });
    Effect::new(move |_| {
        if !open.get() && about.with_untracked(Option::is_some) {
            about.set(None);
        }
    });
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

#[component]
pub fn DeleteAgent(deleting: RwSignal<Option<Agent>>, done: Callback<()>) -> impl IntoView {
    let open = RwSignal::new(false);
    let sending = Sending::new();
    let toasts = Toasts::of_app();
    follow(open, deleting);
    let confirmed = Callback::new(move |()| {
        let Some(agent) = deleting.get_untracked() else { return };
        sending.start(delete_agent(agent.id, agent.version), move |()| {
            deleting.set(None);
            toasts.good(format!("{} was deleted.", agent.name));
            done.run(());
        });
    });
    let title = Signal::derive(move || {
        deleting.with(|agent| {
            agent
                .as_ref()
                .map_or_else(String::new, |agent| format!("Delete {}?", agent.name))
        })
    });
    view! {
        <Confirm open title action="Delete assistant" sending confirmed>
            {move || deleting.get().map(|agent| view! { <GoesAlong agent /> })}
        </Confirm>
    }
}

#[component]
fn GoesAlong(agent: Agent) -> impl IntoView {
    let documents = agent.documents.work_products + agent.documents.communications + agent.documents.references;
    let examples = agent.examples.pending + agent.examples.approved + agent.examples.rejected;
    view! {
        <p>"This goes along and cannot be brought back:"</p>
        <ul class="list-disc pl-6">
            <li>{format::counted(documents, "document", "documents")} " with their text"</li>
            <li>{format::counted(examples, "example", "examples")}</li>
        </ul>
        <p class="text-sm text-muted">"API calls that name this assistant will fail from then on."</p>
    }
}
