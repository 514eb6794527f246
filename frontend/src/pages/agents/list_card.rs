//! One assistant in the list.

use crate::{
    components::{dialog::About, icon::Icon, may::May, status::AgentTag, time::Day},
    format,
    pages::deletions::Doomed,
    session::Session,
};
use cerebros_common::{
    agents::{Agent, AgentStatus},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn AgentCard(agent: Agent, editing: About<Agent>, deleting: About<Doomed>) -> impl IntoView {
    let (page, wizard) = (
        format!("/assistants/{}", agent.id),
        format!("/assistants/{}/wizard/{}", agent.id, agent.wizard_step.max(1)),
    );
    let ready = agent.status == AgentStatus::Ready;
    let session = Session::of_app();
    let opens = Memo::new(move |_| ready || !session.may(Role::Editor));
    let verb = move || if opens.get() { "Open" } else { "Continue" };
    let href = move || if opens.get() { page.clone() } else { wizard.clone() };
    let name = agent.name.clone();
    let documents = agent.documents.work_products + agent.documents.communications + agent.documents.references;
    let facts = format!(
        "{} · {}",
        format::counted(documents, "document", "documents"),
        format::counted(agent.examples.approved, "approved example", "approved examples"),
    );
    let (id, status, created_at, description) = (agent.id, agent.status, agent.created_at, agent.description.clone());
    let agent = StoredValue::new(agent);
    view! {
        <li class="panel flex flex-col gap-4 p-4">
            <div class="flex items-start justify-between gap-2">
                <div class="min-w-0">
                    <h3 class="truncate">
                        <a href=format!("/assistants/{id}") class="hover:underline">
                            {name.clone()}
                        </a>
                    </h3>
                    <p class="text-sm text-muted">"Created " <Day at=created_at /></p>
                </div>
                <May role=Role::Editor>
                    <div class="-mt-1 -mr-1 flex shrink-0">
                        <button
                            type="button"
                            class="btn btn-ghost btn-sm btn-square"
                            aria-label=agent.with_value(|agent| format!("Edit {}", agent.name))
                            on:click=move |_| editing.ask(agent.get_value())
                        >
                            <Icon icon=icondata::LuPencil />
                        </button>
                        <button
                            type="button"
                            class="btn btn-ghost btn-sm btn-square"
                            aria-label=agent.with_value(|agent| format!("Delete {}", agent.name))
                            on:click=move |_| deleting.ask(agent.with_value(|agent| Doomed::agent(agent.id, agent.name.clone())))
                        >
                            <Icon icon=icondata::LuTrash2 />
                        </button>
                    </div>
                </May>
            </div>
            <p class="line-clamp-2 grow text-sm text-muted">{if description.is_empty() { facts.clone() } else { description.clone() }}</p>
            <div class="flex flex-wrap items-center justify-between gap-2">
                <AgentTag status />
                <a href=href class="btn btn-sm" aria-label=move || format!("{} {name}", verb())>
                    {verb}
                    <Icon icon=icondata::LuArrowRight />
                </a>
            </div>
        </li>
    }
}
