//! One dataset: how good it is, what was rejected, what is in it.

use super::{findings::Findings, list::source_name, rows::Rows};
use crate::{
    address::Address,
    api::datasets::{content_address, delete_dataset, find_dataset},
    browser,
    components::{
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
        status::DatasetTag,
        tabs::{Tabs, open_tab},
        time::Ago,
    },
    format,
    forms::Sending,
    pages::by_id::by_id,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    datasets::{Dataset, DatasetReport, DatasetStatus},
    events::EventKind,
    ids::DatasetId,
    workspaces::Role,
};
use leptos::prelude::*;

static TABS: [(&str, &str); 2] = [("rows", "Rows"), ("findings", "Findings")];

#[component]
pub fn DatasetPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <OneDataset id /> })}
    }
}

#[component]
fn OneDataset(id: DatasetId) -> impl IntoView {
    let address = Address::of_page();
    let dataset = Remote::new(move || find_dataset(id))
        .live(move |event| event.kind == EventKind::DatasetChanged && event.id == id.0);
    let tab = open_tab(address, &TABS);
    let checked = Memo::new(move |_| {
        dataset
            .with(|dataset| matches!(dataset.status, DatasetStatus::Ready | DatasetStatus::Error))
            .unwrap_or_default()
    });
    view! {
        <Loaded remote=dataset let:current>
            <Head dataset=current />
            <Facts dataset=current />
            <Show when=move || checked.get()>
                <div class="mt-8">
                    <Tabs address tabs=&TABS />
                    {move || match tab.get() {
                        "findings" => view! { <Findings id /> }.into_any(),
                        _ => view! { <Rows id /> }.into_any(),
                    }}
                </div>
            </Show>
        </Loaded>
    }
}

#[component]
fn Head(dataset: Signal<Dataset>) -> impl IntoView {
    let address = Address::of_page();
    let toasts = Toasts::of_app();
    let (asking, sending) = (RwSignal::new(false), Sending::new());
    let id = dataset.with_untracked(|dataset| dataset.id);
    let name = Signal::derive(move || dataset.with(|dataset| dataset.name.clone()));
    let ready = move || dataset.with(|dataset| dataset.status == DatasetStatus::Ready);
    Effect::new(move |_| browser::title(name.get()));
    let confirmed = Callback::new(move |()| {
        sending.start(delete_dataset(id), move |()| {
            toasts.good(format!("{} was deleted.", name.get_untracked()));
            address.leave_for("/datasets");
        });
    });
    view! {
        <PageHead title=name parents=vec![("Datasets".to_owned(), "/datasets".to_owned())]>
            <May role=Role::Editor>
                <button type="button" class="btn" on:click=move |_| asking.set(true)>
                    <Icon icon=icondata::LuTrash2 />
                    "Delete"
                </button>
            </May>
            <Show when=ready>
                <a href=content_address(id) download class="btn">
                    <Icon icon=icondata::LuDownload />
                    "Download"
                </a>
                <May role=Role::Editor>
                    <a href=format!("/datasets/{id}/train") class="btn btn-primary">
                        <Icon icon=icondata::LuPlay />
                        "Train on it"
                    </a>
                </May>
            </Show>
        </PageHead>
        <Confirm open=asking title="Delete this dataset?" action="Delete dataset" sending confirmed>
            <p>"Its rows and findings go along. Models that were trained on it stay."</p>
        </Confirm>
    }
}

#[component]
fn Facts(dataset: Signal<Dataset>) -> impl IntoView {
    move || {
        let dataset = dataset.get();
        let erased = "It held text of something that was deleted since, so its rows are gone.";
        let error = dataset
            .error
            .or((dataset.status == DatasetStatus::Erased).then(|| erased.to_owned()));
        view! {
            {error
                .map(|error| {
                    view! {
                        <p role="alert" class="mb-6 rounded-field bg-tint-red p-4 text-ink-red">
                            {error}
                        </p>
                    }
                })}
            <Panel title="About">
                <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
                    <Fact name="Status">
                        <DatasetTag status=dataset.status />
                    </Fact>
                    <Fact name="Source">{source_name(dataset.source)}</Fact>
                    <Fact name="Size">{format::size(dataset.size_bytes)}</Fact>
                    <Fact name="Created">
                        <Ago at=dataset.created_at />
                    </Fact>
                    {dataset.report.map(|report| view! { <Report report /> })}
                    {dataset
                        .sha256
                        .map(|sha256| {
                            view! {
                                <div class="col-span-full min-w-0">
                                    <dt class="text-sm text-muted">"SHA-256"</dt>
                                    <dd class="font-mono text-sm break-all">{sha256}</dd>
                                </div>
                            }
                        })}
                </dl>
            </Panel>
        }
    }
}

#[component]
fn Report(report: DatasetReport) -> impl IntoView {
    let tokens = report.tokens;
    view! {
        <Fact name="Rows to train on">{format!("{} of {}", format::count(report.rows_accepted), format::count(report.rows_total))}</Fact>
        <Fact name="Rejected, warnings">{format!("{}, {}", format::count(report.rows_rejected), format::count(report.warnings))}</Fact>
        <Fact name="Messages">{format::count(report.messages)}</Fact>
        <Fact name="Tokens">{format!("{}, {} of them answers", format::count(tokens.total), format::count(report.assistant_tokens))}</Fact>
        <Fact name="Tokens a row, mean">{format!("{:.0}", tokens.mean)}</Fact>
        <Fact name="Middle, 95 %">{format!("{}, {}", format::count(tokens.p50), format::count(tokens.p95))}</Fact>
        <Fact name="Least, most">{format!("{}, {}", format::count(tokens.min), format::count(tokens.max))}</Fact>
        <Fact name="Tokenizer">{report.tokenizer}</Fact>
    }
}
