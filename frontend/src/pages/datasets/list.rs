//! All datasets, and uploading one.

use super::upload::Upload;
use crate::{
    address::{Address, word},
    api::datasets::list_datasets,
    browser,
    components::{
        filters::Choice,
        loaded::{Empty, Loaded, no_items},
        may::May,
        page_head::PageHead,
        pager::Pager,
        status::{DatasetTag, dataset_status},
        time::Ago,
    },
    format,
    remote::Remote,
    transfers::Destination,
};
use cerebros_common::{
    datasets::{Dataset, DatasetFormat, DatasetQuery, DatasetSource, DatasetStatus},
    events::EventKind,
    workspaces::Role,
};
use leptos::prelude::*;

const STATUSES: [DatasetStatus; 3] = [DatasetStatus::Validating, DatasetStatus::Ready, DatasetStatus::Error];

#[component]
pub fn DatasetsPage() -> impl IntoView {
    browser::title("Datasets");
    let address = Address::of_page();
    let deleted = Memo::new(move |_| address.text("show").as_deref() == Some("deleted"));
    let datasets = Remote::new(move || {
        list_datasets(DatasetQuery {
            status: address.word("status"),
            deleted: deleted.get(),
            page: address.page(),
            ..DatasetQuery::default()
        })
    })
    .live(|event| matches!(event.kind, EventKind::DatasetChanged | EventKind::DatasetDeleted));
    let options = STATUSES
        .map(|status| (word(&status), dataset_status(status).1.to_owned()))
        .to_vec();
    let empty = move || {
        let text = match deleted.get() {
            true => "What is deleted can be restored here for 30 days.",
            false => "Training an assistant builds one from its approved examples. Editors can also upload a file.",
        };
        view! { <Empty icon=icondata::LuDatabase title="No dataset here" text /> }
    };
    view! {
        <PageHead title="Datasets" text="Checked rows to train on: built from approved examples, or uploaded.">
            <Choice
                address
                key="show"
                label="Which datasets"
                all="Newest versions"
                options=vec![("deleted".to_owned(), "Deleted".to_owned())]
            />
            <Choice address key="status" label="Status" all="All statuses" options=options />
        </PageHead>
        <Show when=move || !deleted.get()>
            <May role=Role::Editor>
                <div class="mb-6">
                    <Upload destination=Destination::Dataset />
                </div>
            </May>
        </Show>
        <Loaded remote=datasets is_empty=no_items empty=empty let:page>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Datasets">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"Source"</th>
                            <th scope="col">"Format"</th>
                            <th scope="col">"Rows"</th>
                            <th scope="col">"Size"</th>
                            <th scope="col">{move || if deleted.get() { "Kept until" } else { "Created" }}</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().items key=|dataset| (dataset.id, dataset.status, dataset.updated_at) let:dataset>
                            <Row dataset />
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="dataset" many="datasets" />
        </Loaded>
    }
}

pub fn source_name(source: DatasetSource) -> &'static str {
    match source {
        DatasetSource::Examples => "Approved examples",
        DatasetSource::Upload => "Upload",
        DatasetSource::Repair => "Repair",
        DatasetSource::Rows => "Chosen rows",
        DatasetSource::Documents => "Documents",
        DatasetSource::Instructions => "Comes with Cerebros",
    }
}

pub fn format_name(format: DatasetFormat) -> &'static str {
    match format {
        DatasetFormat::Chat => "OpenAI chat",
        DatasetFormat::Sharegpt => "ShareGPT",
        DatasetFormat::Alpaca => "Alpaca",
        DatasetFormat::PromptCompletion => "Prompt and completion",
        DatasetFormat::Text => "Plain text",
        DatasetFormat::OpenaiPreference => "OpenAI preference",
        DatasetFormat::Preference => "Chosen and rejected",
    }
}

#[component]
fn Row(dataset: Dataset) -> impl IntoView {
    let rows = dataset.report.map(|report| {
        let rejected = if report.rows_rejected > 0 {
            format!(" ({} rejected)", format::count(report.rows_rejected))
        } else {
            String::new()
        };
        format!("{}{rejected}", format::count(report.rows_accepted))
    });
    view! {
        <tr>
            <td class="max-w-72">
                <a href=format!("/datasets/{}", dataset.id) class="block truncate font-medium hover:underline">
                    {dataset.name}
                </a>
                {(dataset.version > 1)
                    .then(|| view! { <span class="text-sm text-muted">"Version " {dataset.version}</span> })}
            </td>
            <td>
                <DatasetTag status=dataset.status />
            </td>
            <td class="whitespace-nowrap">{source_name(dataset.source)}</td>
            <td class="whitespace-nowrap">{dataset.format.map_or("–", format_name)}</td>
            <td class="whitespace-nowrap">{rows.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="whitespace-nowrap">{format::size(dataset.size_bytes)}</td>
            <td>
                {match dataset.kept_until {
                    Some(until) => view! { <span class="whitespace-nowrap">{format::day(until)}</span> }.into_any(),
                    None => view! { <Ago at=dataset.created_at /> }.into_any(),
                }}
            </td>
        </tr>
    }
}
