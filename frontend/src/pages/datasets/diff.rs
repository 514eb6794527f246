//! Which rows a version has that another one has not, and the other way round.

use super::rows::{RowList, STRETCH};
use crate::{
    api::datasets::{find_dataset, find_diff, list_diff_rows},
    components::{
        loaded::{Empty, Loaded},
        page_head::{Fact, Panel},
    },
    format,
    remote::{Remote, read_on},
};
use cerebros_common::{
    datasets::{DiffRowsQuery, DiffSide},
    ids::DatasetId,
};
use leptos::prelude::*;

#[component]
pub fn Diff(id: DatasetId, from: DatasetId) -> impl IntoView {
    let counts = Remote::new(move || find_diff(id, from));
    let side = RwSignal::new(DiffSide::Added);
    let before = Remote::new(move || find_dataset(from));
    let title = move || {
        let version = before.with(|dataset| dataset.version);
        version.map_or_else(
            || "Compared".to_owned(),
            |version| format!("Compared with version {version}"),
        )
    };
    let choice = move |of: DiffSide, name: &'static str| {
        let chosen = move || side.get() == of;
        view! {
            <button
                type="button"
                class="btn btn-sm"
                class:btn-primary=chosen
                aria-pressed=move || chosen().to_string()
                on:click=move |_| side.set(of)
            >
                {name}
            </button>
        }
    };
    view! {
        <section class="space-y-4" aria-label="Comparison">
            {move || {
                view! {
                    <Panel title=title()>
                        <Loaded remote=counts let:counts>
                            <dl class="grid grid-cols-2 gap-4 md:grid-cols-3">
                                <Fact name="New rows">{move || format::count(counts.get().added)}</Fact>
                                <Fact name="Rows that are gone">{move || format::count(counts.get().removed)}</Fact>
                                <Fact name="The same rows">{move || format::count(counts.get().unchanged)}</Fact>
                            </dl>
                        </Loaded>
                    </Panel>
                }
            }}
            <div class="flex flex-wrap gap-2" role="group" aria-label="Which rows">
                {choice(DiffSide::Added, "New rows")}
                {choice(DiffSide::Removed, "Rows that are gone")}
            </div>
            {move || {
                let side = side.get();
                view! { <DiffRows id from side /> }
            }}
        </section>
    }
}

#[component]
fn DiffRows(id: DatasetId, from: DatasetId, side: DiffSide) -> impl IntoView {
    let wanted = RwSignal::new(STRETCH as usize);
    let more = RwSignal::new(false);
    let rows = Remote::new(move || {
        read_on(wanted.get(), more, move |cursor| {
            let query = DiffRowsQuery {
                from_id: from,
                side,
                cursor,
                limit: Some(STRETCH),
            };
            list_diff_rows(id, query)
        })
    });
    let text = match side {
        DiffSide::Added => "Each row of this version is in the other one as well.",
        DiffSide::Removed => "Each row of the other version is in this one as well.",
    };
    let empty = move || view! { <Empty icon=icondata::LuEqual title="No such row" text /> };
    view! {
        <Loaded remote=rows is_empty=Vec::is_empty empty=empty let:rows>
            <RowList rows wanted more />
        </Loaded>
    }
}
