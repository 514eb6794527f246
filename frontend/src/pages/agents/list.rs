//! The assistants, with search, filter, order and pages.

use super::{list_card::AgentCard, list_dialogs::AgentForm};
use crate::{
    address::{Address, word},
    api::agents::list_agents,
    components::{
        dialog::About,
        filters::{Choice, Search},
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        pager::Pager,
        status::agent_status,
    },
    pages::deletions::DeleteDialog,
    remote::Remote,
    session::Session,
};
use cerebros_common::{
    agents::{AgentQuery, AgentSort, AgentStatus},
    events::EventKind,
    workspaces::Role,
};
use leptos::prelude::*;

const CARDS: u32 = 12;

#[component]
pub fn AgentList(creating: RwSignal<bool>) -> impl IntoView {
    let address = Address::of_page();
    let session = Session::of_app();
    let agents = Remote::new(move || {
        list_agents(AgentQuery {
            search: address.text("search"),
            status: address.word("status"),
            sort: address.word("sort"),
            page: address.page(),
            limit: Some(CARDS),
        })
    })
    .live(|event| {
        matches!(
            event.kind,
            EventKind::AgentChanged | EventKind::AgentDeleted | EventKind::ExamplesChanged
        )
    });
    let filtered = Memo::new(move |_| address.text("search").is_some() || address.text("status").is_some());
    let (editing, deleting) = (About::new(), About::new());
    let statuses = AgentStatus::ALL
        .iter()
        .map(|status| (word(status), agent_status(*status).1.to_owned()))
        .collect::<Vec<_>>();
    let orders = [(AgentSort::Oldest, "Oldest first"), (AgentSort::Name, "By name")];
    let orders = orders.map(|(sort, name)| (word(&sort), name.to_owned())).to_vec();
    let empty = move || {
        if filtered.get() {
            view! {
                <Empty icon=icondata::LuSearch title="No assistant matches" text="Try other words or another status.">
                    <button type="button" class="btn" on:click=move |_| address.leave_for("/dashboard")>
                        "Clear the filters"
                    </button>
                </Empty>
            }
            .into_any()
        } else if session.may(Role::Editor) {
            view! { <First creating /> }.into_any()
        } else {
            view! { <Empty icon=icondata::LuBot title="No assistant yet" text="Editors of this workspace make them." /> }
                .into_any()
        }
    };
    view! {
        <section aria-labelledby="assistants">
            <div class="mb-4 flex flex-wrap items-center gap-2">
                <h2 id="assistants" class="grow">
                    "Assistants"
                </h2>
                <Search address label="Search by name" />
                <Choice address key="status" label="Status" all="All statuses" options=statuses />
                <Choice address key="sort" label="Order" all="Newest first" options=orders />
            </div>
            <Loaded remote=agents is_empty=no_items empty=empty let:page>
                <ul class="grid gap-4 sm:grid-cols-2 xl:grid-cols-3">
                    <For each=move || page.get().items key=|agent| (agent.id, agent.version, agent.status, agent.examples.approved, agent.examples.pending) let:agent>
                        <AgentCard agent editing deleting />
                    </For>
                </ul>
                <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="assistant" many="assistants" />
            </Loaded>
        </section>
        <AgentForm creating editing done=Callback::new(move |()| agents.refetch()) />
        <DeleteDialog about=deleting done=Callback::new(move |()| agents.refetch()) />
    }
}

#[component]
fn First(creating: RwSignal<bool>) -> impl IntoView {
    view! {
        <Empty
            icon=icondata::LuBot
            title="Make your first assistant"
            text="Upload some of your work, review the examples made from it, and train a model on them. You can stop at any step and come back later."
        >
            <button type="button" class="btn btn-primary" on:click=move |_| creating.set(true)>
                <Icon icon=icondata::LuPlus />
                "New assistant"
            </button>
        </Empty>
    }
}
