//! One assistant: chat, documents, examples, models, and how to call it.

use super::{chat::Chat, connect::Connect, documents::DocumentsPart, models::ModelsPart, review::Review};
use crate::{
    address::Address,
    api::agents::find_agent,
    browser,
    components::{
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::PageHead,
        status::AgentTag,
        tabs::{Tabs, open_tab},
    },
    format,
    pages::{batches::new::Generate, by_id::by_id},
    remote::Remote,
};
use cerebros_common::{
    agents::Agent,
    documents::DocumentKind,
    events::{Event, EventKind},
    ids::AgentId,
    workspaces::Role,
};
use leptos::prelude::*;

static TABS: [(&str, &str); 6] = [
    ("chat", "Chat"),
    ("documents", "Documents"),
    ("examples", "Examples"),
    ("generate", "Generate"),
    ("models", "Models"),
    ("api", "API"),
];

#[component]
pub fn AgentPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <OneAgent id /> })}
    }
}

/// What changes the figures of an assistant.
pub fn concerns_agent(id: AgentId) -> impl Fn(&Event) -> bool + Copy {
    move |event| {
        event.agent_id == Some(id)
            && matches!(
                event.kind,
                EventKind::AgentChanged
                    | EventKind::ExamplesChanged
                    | EventKind::DocumentChanged
                    | EventKind::DocumentDeleted
            )
    }
}

#[component]
fn OneAgent(id: AgentId) -> impl IntoView {
    let address = Address::of_page();
    let agent = Remote::new(move || find_agent(id)).live(concerns_agent(id));
    let tab = open_tab(address, &TABS);
    let refresh = Callback::new(move |()| agent.refetch());
    view! {
        <Loaded remote=agent let:agent>
            <Head agent />
            <Tabs address tabs=&TABS />
            {move || match tab.get() {
                "documents" => view! { <AllDocuments id /> }.into_any(),
                "examples" => view! { <Review agent /> }.into_any(),
                "generate" => view! { <Generate id /> }.into_any(),
                "models" => view! { <ModelsPart agent changed=refresh /> }.into_any(),
                "api" => view! { <Connect id /> }.into_any(),
                _ => view! { <Chat agent /> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Head(agent: Signal<Agent>) -> impl IntoView {
    Effect::new(move |_| browser::title(agent.with(|agent| agent.name.clone())));
    let parents = vec![("Dashboard".to_owned(), "/dashboard".to_owned())];
    let wizard = move || agent.with(|agent| format!("/assistants/{}/wizard/{}", agent.id, agent.wizard_step.max(1)));
    let facts = move || {
        agent.with(|agent| {
            let documents = agent.documents.work_products + agent.documents.communications + agent.documents.references;
            format!(
                "{} · {} approved, {} pending",
                format::counted(documents, "document", "documents"),
                format::counted(agent.examples.approved, "example", "examples"),
                format::count(agent.examples.pending),
            )
        })
    };
    let description = move || agent.with(|agent| agent.description.clone());
    view! {
        <PageHead title=Signal::derive(move || agent.with(|agent| agent.name.clone())) parents>
            <May role=Role::Editor>
                <a href=wizard class="btn">
                    <Icon icon=icondata::LuListChecks />
                    "Open the wizard"
                </a>
            </May>
        </PageHead>
        <div class="-mt-4 mb-6 space-y-2">
            <Show when=move || !description().is_empty()>
                <p class="max-w-prose text-muted">{description}</p>
            </Show>
            <div class="flex flex-wrap items-center gap-2 text-sm text-muted">
                {move || view! { <AgentTag status=agent.with(|agent| agent.status) /> }}
                {facts}
            </div>
        </div>
    }
}

#[component]
fn AllDocuments(id: AgentId) -> impl IntoView {
    view! {
        <div class="space-y-8">
            <DocumentsPart id kind=DocumentKind::WorkProduct title="Work products" />
            <DocumentsPart id kind=DocumentKind::Communication title="Communications" />
            <DocumentsPart id kind=DocumentKind::Reference title="Reference materials" />
        </div>
    }
}
