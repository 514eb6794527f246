//! All versions of a dataset, and what became of its rows from one to another.

use super::{
    diff::Diff,
    list::{format_name, source_name},
    next_version::NextVersion,
};
use crate::{
    address::Address,
    api::datasets::list_versions,
    components::{
        loaded::{Empty, Loaded, no_items},
        may::May,
        pager::Pager,
        status::DatasetTag,
        time::Ago,
    },
    format,
    remote::Remote,
};
use cerebros_common::{
    datasets::{Dataset, DatasetSource, RowFilters},
    events::EventKind,
    ids::DatasetId,
    wire::PageQuery,
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Versions(dataset: Signal<Dataset>) -> impl IntoView {
    let address = Address::of_page();
    let id = dataset.with_untracked(|dataset| dataset.id);
    let versions = Remote::new(move || {
        let query = PageQuery {
            page: address.page(),
            limit: None,
        };
        list_versions(id, query)
    })
    .live(|event| matches!(event.kind, EventKind::DatasetChanged | EventKind::DatasetDeleted));
    let from = Memo::new(move |_| address.word::<DatasetId>("from"));
    let empty = || view! { <Empty icon=icondata::LuDatabase title="No version" text="It is gone." /> };
    view! {
        <div class="space-y-6">
            <Loaded remote=versions is_empty=no_items empty=empty let:page>
                <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Versions">
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">"Version"</th>
                                <th scope="col">"Status"</th>
                                <th scope="col">"Made of"</th>
                                <th scope="col">"Rows"</th>
                                <th scope="col">"Size"</th>
                                <th scope="col">"Created"</th>
                                <th scope="col">"Compare"</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For
                                each=move || page.get().items
                                key=|version| (version.id, version.status, version.updated_at)
                                let:version
                            >
                                <Row version id address from />
                            </For>
                        </tbody>
                    </table>
                </div>
                <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="version" many="versions" />
            </Loaded>
            {move || from.get().filter(|from| *from != id).map(|from| view! { <Diff id from /> })}
            <May role=Role::Editor>
                <NextVersion dataset />
            </May>
        </div>
    }
}

#[component]
fn Row(version: Dataset, id: DatasetId, address: Address, from: Memo<Option<DatasetId>>) -> impl IntoView {
    let (own, number) = (version.id, version.version);
    let rows = version
        .report
        .as_ref()
        .map(|report| format::count(report.rows_accepted));
    let compared = move || from.get() == Some(own);
    view! {
        <tr>
            <td class="whitespace-nowrap">
                {if own == id {
                    view! { <span class="font-medium">"Version " {number} " (this one)"</span> }.into_any()
                } else {
                    view! {
                        <a href=format!("/datasets/{own}?tab=versions") class="font-medium hover:underline">
                            "Version "
                            {number}
                        </a>
                    }
                        .into_any()
                }}
            </td>
            <td>
                <DatasetTag status=version.status />
            </td>
            <td class="min-w-40">{made_of(version.source, version.filters.as_ref())}</td>
            <td class="whitespace-nowrap">{rows.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="whitespace-nowrap">{format::size(version.size_bytes)}</td>
            <td>
                <Ago at=version.created_at />
            </td>
            <td>
                <Show when=move || own != id>
                    <button
                        type="button"
                        class="btn btn-sm whitespace-nowrap"
                        aria-pressed=move || compared().to_string()
                        aria-label=format!("Compare with version {number}")
                        on:click=move |_| {
                            let chosen = if compared() { String::new() } else { own.to_string() };
                            address.set("from", &chosen);
                        }
                    >
                        {move || if compared() { "Hide" } else { "Compare" }}
                    </button>
                </Show>
            </td>
        </tr>
    }
}

/// Where a version's rows come from.
fn made_of(source: DatasetSource, filters: Option<&RowFilters>) -> String {
    let Some(filters) = filters else {
        return source_name(source).to_owned();
    };
    let parts = [
        filters.without_duplicates.then(|| "without copies".to_owned()),
        filters
            .without_near_duplicates
            .then(|| "without near copies".to_owned()),
        filters
            .min_tokens
            .map(|least| format!("at least {} tokens", format::count(least))),
        filters
            .max_tokens
            .map(|most| format!("at most {} tokens", format::count(most))),
        filters.format.map(|format| format!("as {}", format_name(format))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}: {}", source_name(source), parts.join(", "))
}
