//! Reviewing the examples of an assistant: a queue, the chosen example, and the passage it comes from.

mod add;
mod bulk;
mod detail;
mod editor;
mod filters;
mod keys;
mod list;
mod passages;
mod progress;
mod queue;
mod source;
mod split;
mod state;
mod turns;

use crate::{
    address::Address,
    components::{
        icon::Icon,
        loaded::{Empty, Loaded},
        may::May,
    },
};
use add::AddExample;
use bulk::Bulk;
use cerebros_common::{
    agents::{Agent, AgentExamples},
    workspaces::Role,
};
use detail::Detail;
use editor::EditDialog;
use filters::Filters;
use keys::{KeyMap, listen};
use leptos::prelude::*;
use list::ExampleList;
use progress::Counts;
use split::SplitDialog;
use state::Reviewing;

#[component]
pub fn Review(agent: Signal<Agent>) -> impl IntoView {
    let address = Address::of_page();
    let id = agent.with_untracked(|agent| agent.id);
    let counts = Signal::derive(move || agent.with(|agent| agent.examples));
    let reviewing = Reviewing::new(id, address);
    let (adding, bulk, keys) = (RwSignal::new(false), RwSignal::new(false), RwSignal::new(false));
    listen(reviewing, keys);
    let lines = reviewing.queue.lines;
    view! {
        <Counts counts reviewing />
        <Filters reviewing />
        <Bar reviewing adding bulk keys />
        <Loaded remote=lines is_empty=Vec::is_empty empty=move || view! { <Nothing address counts adding /> } let:lines>
            <div class="grid gap-4 pb-16 sm:pb-0 lg:grid-cols-[18rem_minmax(0,1fr)] lg:gap-6">
                <ExampleList lines reviewing />
                <Detail reviewing />
            </div>
        </Loaded>
        <AddExample agent=id open=adding done=Callback::new(move |()| lines.refetch()) />
        <Bulk reviewing open=bulk />
        <EditDialog reviewing />
        <SplitDialog reviewing />
        <KeyMap open=keys />
    }
}

#[component]
fn Bar(reviewing: Reviewing, adding: RwSignal<bool>, bulk: RwSignal<bool>, keys: RwSignal<bool>) -> impl IntoView {
    let none = move || reviewing.queue.lines.with(Vec::is_empty).unwrap_or(true);
    view! {
        <div class="mb-4 flex flex-wrap items-center gap-2">
            <p class="grow text-sm text-muted" aria-live="polite">
                {move || {
                    let count = reviewing.queue.lines.with(Vec::len)?;
                    let more = if reviewing.queue.cut_off.get() { " or more" } else { "" };
                    Some(format!("{}{more} listed", crate::format::counted(count as u64, "example", "examples")))
                }}
            </p>
            <May role=Role::Reviewer>
                <button type="button" class="btn btn-ghost btn-sm" disabled=move || !reviewing.can_undo.get() title="Undo (u)" on:click=move |_| reviewing.undo()>
                    <Icon icon=icondata::LuUndo2 />
                    "Undo"
                </button>
                <button type="button" class="btn btn-ghost btn-sm" title="Keys (?)" on:click=move |_| keys.set(true)>
                    <Icon icon=icondata::LuKeyboard />
                    "Keys"
                </button>
            </May>
            <May role=Role::Editor>
                <button type="button" class="btn btn-sm" on:click=move |_| adding.set(true)>
                    <Icon icon=icondata::LuPlus />
                    "Add example"
                </button>
            </May>
            <May role=Role::Reviewer>
                <button type="button" class="btn btn-sm" disabled=none on:click=move |_| bulk.set(true)>
                    <Icon icon=icondata::LuCheckCheck />
                    "Judge all listed"
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
            <Empty icon=icondata::LuCircleCheck title="No example matches" text="Set other filters to see more.">
                <button
                    type="button"
                    class="btn"
                    on:click=move |_| address.clear(&queue::FILTERS)
                >
                    "Show all examples"
                </button>
            </Empty>
        </Show>
    }
}
