//! Reviewing the examples of an assistant: a list, the chosen example, and the passage it comes from.

mod add;
mod detail;
mod editor;
mod keys;
mod list;
mod source;
mod state;

use crate::{
    address::{Address, word},
    api::documents::list_documents,
    components::{
        filters::Choice,
        icon::Icon,
        loaded::{Empty, Loaded},
        may::May,
        progress::Progress,
        status::example_status,
    },
    format,
    remote::Remote,
};
use add::AddExample;
use cerebros_common::{
    agents::{Agent, AgentExamples},
    documents::{DocumentKind, DocumentQuery},
    examples::ExampleStatus,
    workspaces::Role,
};
use detail::Detail;
use keys::{KeyMap, listen};
use leptos::prelude::*;
use list::ExampleList;
use state::{ApproveAll, Reviewing};

#[component]
pub fn Review(agent: Signal<Agent>) -> impl IntoView {
    let address = Address::of_page();
    let id = agent.with_untracked(|agent| agent.id);
    let counts = Signal::derive(move || agent.with(|agent| agent.examples));
    let reviewing = Reviewing::new(id, address);
    let (adding, all, keys) = (RwSignal::new(false), RwSignal::new(false), RwSignal::new(false));
    listen(reviewing, keys);
    view! {
        <Counts counts />
        <Bar agent=id address counts adding all keys />
        <Loaded remote=reviewing.examples is_empty=Vec::is_empty empty=move || view! { <Nothing address counts adding /> } let:examples>
            <div class="grid gap-6 lg:grid-cols-[16rem_minmax(0,1fr)]">
                <ExampleList examples reviewing />
                <Detail reviewing />
            </div>
        </Loaded>
        <AddExample agent=id open=adding done=Callback::new(move |()| reviewing.examples.refetch()) />
        <ApproveAll agent=id open=all counts done=Callback::new(move |()| reviewing.examples.refetch()) />
        <KeyMap open=keys />
    }
}

#[component]
fn Counts(counts: Signal<AgentExamples>) -> impl IntoView {
    let total = move || counts.with(|counts| counts.pending + counts.approved + counts.rejected);
    let part = Signal::derive(move || {
        let reviewed = total() - counts.get().pending;
        if total() == 0 {
            0.0
        } else {
            reviewed as f64 / total() as f64
        }
    });
    view! {
        <div class="panel mb-4 space-y-2 p-4">
            <div class="flex flex-wrap justify-between gap-x-6 gap-y-1 text-sm">
                <span class="font-medium">
                    {move || format!("{} of {} reviewed", format::count(total() - counts.get().pending), format::counted(total(), "example", "examples"))}
                </span>
                <span class="text-muted" aria-live="polite">
                    {move || {
                        let counts = counts.get();
                        format!(
                            "{} approved · {} pending · {} rejected",
                            format::count(counts.approved),
                            format::count(counts.pending),
                            format::count(counts.rejected),
                        )
                    }}
                </span>
            </div>
            <Progress part label="Reviewed" />
        </div>
    }
}

#[component]
fn Bar(
    agent: cerebros_common::ids::AgentId,
    address: Address,
    counts: Signal<AgentExamples>,
    adding: RwSignal<bool>,
    all: RwSignal<bool>,
    keys: RwSignal<bool>,
) -> impl IntoView {
    let documents = Remote::new(move || {
        list_documents(DocumentQuery {
            agent_id: Some(agent),
            kind: Some(DocumentKind::WorkProduct),
            limit: Some(100),
            ..DocumentQuery::default()
        })
    });
    let names = Signal::derive(move || {
        let items = documents.get().map(|page| page.items).unwrap_or_default();
        items
            .into_iter()
            .map(|document| (document.id.to_string(), document.name))
            .collect::<Vec<_>>()
    });
    let statuses = [ExampleStatus::Pending, ExampleStatus::Approved, ExampleStatus::Rejected];
    let statuses = statuses
        .map(|status| (word(&status), example_status(status).1.to_owned()))
        .to_vec();
    view! {
        <div class="mb-4 flex flex-wrap items-center gap-2">
            <Choice address key="status" label="Status" all="All statuses" options=statuses />
            <Choice address key="document" label="Document" all="All documents" options=names />
            <span class="hidden grow sm:block"></span>
            <May role=Role::Reviewer>
                <button type="button" class="btn btn-ghost" on:click=move |_| keys.set(true)>
                    <Icon icon=icondata::LuKeyboard />
                    "Keys"
                </button>
            </May>
            <May role=Role::Editor>
                <button type="button" class="btn" on:click=move |_| adding.set(true)>
                    <Icon icon=icondata::LuPlus />
                    "Add example"
                </button>
            </May>
            <May role=Role::Reviewer>
                <button type="button" class="btn btn-primary" disabled=move || counts.get().pending == 0 on:click=move |_| all.set(true)>
                    <Icon icon=icondata::LuCheckCheck />
                    "Approve all pending"
                </button>
            </May>
        </div>
    }
}

#[component]
fn Nothing(address: Address, counts: Signal<AgentExamples>, adding: RwSignal<bool>) -> impl IntoView {
    let any = move || counts.with(|counts| counts.pending + counts.approved + counts.rejected > 0);
    view! {
        <Show
            when=any
            fallback=move || {
                view! {
                    <Empty
                        icon=icondata::LuQuote
                        title="No examples yet"
                        text="They are made from each work product as soon as it was read. Editors can also write some themselves."
                    >
                        <May role=Role::Editor>
                            <button type="button" class="btn btn-primary" on:click=move |_| adding.set(true)>
                                "Add example"
                            </button>
                        </May>
                    </Empty>
                }
            }
        >
            <Empty icon=icondata::LuCircleCheck title="No example matches" text="Choose another status or document to see more.">
                <button
                    type="button"
                    class="btn"
                    on:click=move |_| address.clear(&["status", "document"])
                >
                    "Show all examples"
                </button>
            </Empty>
        </Show>
    }
}
