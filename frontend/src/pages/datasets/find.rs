//! One dataset: how good it is, what was rejected, what is in it.

use super::{
    findings::Findings,
    lengths::Lengths,
    list::{format_name, source_name},
    rows::Rows,
    split::Split,
    versions::Versions,
};
use crate::{
    address::Address,
    api::datasets::{
        content_address, delete_dataset, export_address, find_dataset, repair_dataset, repaired_address,
        report_address, restore_dataset,
    },
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
    datasets::{Dataset, DatasetFormat, DatasetReport, DatasetStatus, RowsKind},
    events::EventKind,
    ids::DatasetId,
    workspaces::Role,
};
use leptos::prelude::*;

static TABS: [(&str, &str); 3] = [("rows", "Rows"), ("findings", "Findings"), ("versions", "Versions")];

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
    let splits = move || {
        let ready = dataset.with(|dataset| dataset.status == DatasetStatus::Ready);
        ready.unwrap_or_default()
    };
    let checked = Memo::new(move |_| {
        dataset
            .with(|dataset| {
                let checked = matches!(dataset.status, DatasetStatus::Ready | DatasetStatus::Error);
                checked && dataset.kept_until.is_none()
            })
            .unwrap_or_default()
    });
    view! {
        <Loaded remote=dataset let:current>
            <Head dataset=current />
            <Facts dataset=current />
            <Show when=move || current.with(|dataset| dataset.kept_until.is_none())>
                <Show when=splits>
                    <Split dataset=current />
                    <May role=Role::Editor>
                        <Lengths id />
                    </May>
                </Show>
                <Files dataset=current />
            </Show>
            <Show when=move || checked.get()>
                <div class="mt-8">
                    <Tabs address tabs=&TABS />
                    {move || match tab.get() {
                        "findings" => view! { <Findings id /> }.into_any(),
                        "versions" => view! { <Versions dataset=current /> }.into_any(),
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
    let deleted = move || dataset.with(|dataset| dataset.kept_until.is_some());
    let ready = move || dataset.with(|dataset| dataset.status == DatasetStatus::Ready) && !deleted();
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
                <Show when=move || !deleted() fallback=move || view! { <Restore id /> }>
                    <button type="button" class="btn" on:click=move |_| asking.set(true)>
                        <Icon icon=icondata::LuTrash2 />
                        "Delete"
                    </button>
                </Show>
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
            <p>
                "This version leaves the list and can be restored for 30 days. After them its rows and findings are gone; models \
                that were trained on it stay."
            </p>
        </Confirm>
    }
}

#[component]
fn Restore(id: DatasetId) -> impl IntoView {
    let toasts = Toasts::of_app();
    let sending = Sending::in_toasts();
    let restore = move |_| {
        sending.start(restore_dataset(id), move |dataset| {
            toasts.good(format!("{} is back.", dataset.name));
        });
    };
    view! {
        <button type="button" class="btn btn-primary" disabled=move || sending.busy.get() on:click=restore>
            <Icon icon=icondata::LuArchiveRestore />
            "Restore"
        </button>
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
        let deleted = dataset.kept_until.map(|until| {
            format!(
                "This version is deleted. It can be restored until {}.",
                format::day(until)
            )
        });
        view! {
            {deleted.map(|note| view! { <p role="status" class="mb-6 rounded-field bg-tint-amber p-4 text-ink-amber">{note}</p> })}
            {other_kind(dataset.rows_kind)
                .map(|note| view! { <p class="mb-6 rounded-field bg-tint-blue p-4">{note}</p> })}
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
                    <Fact name="Version">{dataset.version}</Fact>
                    <Fact name="Source">{source_name(dataset.source)}</Fact>
                    {dataset
                        .format
                        .map(|format| view! { <Fact name="Format">{format_name(format)}</Fact> })}
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

/// What rows other than conversations are.
fn other_kind(kind: Option<RowsKind>) -> Option<&'static str> {
    match kind? {
        RowsKind::Conversations => None,
        RowsKind::Preferences => Some(
            "Each row has a better and a worse answer. Training makes the better one likelier: direct preference optimisation (DPO).",
        ),
        RowsKind::Texts => Some(
            "Each row is a plain text. Training makes every token of it likelier: the model takes on its words, not a way to answer.",
        ),
    }
}

/// The rows in other formats, and what came of checking them.
#[component]
fn Files(dataset: Signal<Dataset>) -> impl IntoView {
    let id = dataset.with_untracked(|dataset| dataset.id);
    let others = move || {
        let own = dataset.with(|dataset| dataset.format.filter(|_| dataset.status == DatasetStatus::Ready));
        let others = |own: DatasetFormat| {
            let fits = move |other: &DatasetFormat| *other != own && other.kind() == own.kind();
            DatasetFormat::ALL.into_iter().filter(fits).collect::<Vec<_>>()
        };
        own.map(others).unwrap_or_default()
    };
    let rejected = Memo::new(move |_| {
        let report = |dataset: &Dataset| {
            dataset
                .report
                .as_ref()
                .map(|report| (report.rows_rejected, report.rows_mendable))
        };
        dataset.with(report).filter(|(rejected, _)| *rejected > 0)
    });
    let mended = move |(rejected, mendable)| {
        format!(
            "In the repaired file, {} of the {} rejected rows are mended and the others left out.",
            format::count(mendable),
            format::count(rejected)
        )
    };
    view! {
        <Show when=move || !others().is_empty()>
            <div class="mt-6">
                <Panel title="In another format">
                    <p class="mb-3 text-sm text-muted">"Rows that a format cannot say in full are left out of it."</p>
                    <ul class="flex flex-wrap gap-3">
                        {move || {
                            others()
                                .into_iter()
                                .map(|other| {
                                    view! {
                                        <li>
                                            <a href=export_address(id, other) download class="btn">
                                                <Icon icon=icondata::LuDownload />
                                                {format_name(other)}
                                            </a>
                                        </li>
                                    }
                                })
                                .collect_view()
                        }}
                    </ul>
                </Panel>
            </div>
        </Show>
        {move || {
            rejected
                .get()
                .map(|counts| {
                    view! {
                        <div class="mt-6">
                            <Panel title="Rejected rows">
                                <p class="mb-3 text-sm text-muted">{mended(counts)}</p>
                                <div class="flex flex-wrap gap-3">
                                    <a href=report_address(id) download class="btn">
                                        <Icon icon=icondata::LuDownload />
                                        "All findings (CSV)"
                                    </a>
                                    <a href=repaired_address(id) download class="btn">
                                        <Icon icon=icondata::LuDownload />
                                        "Repaired file"
                                    </a>
                                    <May role=Role::Editor>
                                        <Repair id />
                                    </May>
                                </div>
                            </Panel>
                        </div>
                    }
                })
        }}
    }
}

/// Makes a version of the rows that are sound or mended, and leads there.
#[component]
fn Repair(id: DatasetId) -> impl IntoView {
    let address = Address::of_page();
    let sending = Sending::in_toasts();
    let repair = move |_| {
        sending.start(repair_dataset(id), move |made| {
            address.leave_for(&format!("/datasets/{}", made.id));
        });
    };
    view! {
        <button type="button" class="btn btn-primary" disabled=move || sending.busy.get() on:click=repair>
            <Icon icon=icondata::LuWrench />
            "Make a repaired version"
        </button>
    }
}

#[component]
fn Report(report: DatasetReport) -> impl IntoView {
    let tokens = report.tokens;
    view! {
        <Fact name="Rows that can be used">{format!("{} of {}", format::count(report.rows_accepted), format::count(report.rows_total))}</Fact>
        <Fact name="Rejected, warnings">{format!("{}, {}", format::count(report.rows_rejected), format::count(report.warnings))}</Fact>
        <Fact name="Copies, nearly copies">{format!("{}, {}", format::count(report.rows_duplicate), format::count(report.rows_near_duplicate))}</Fact>
        <Fact name="Messages">{format::count(report.messages)}</Fact>
        <Fact name="Tokens">{format!("{}, {} of them answers", format::count(tokens.total), format::count(report.assistant_tokens))}</Fact>
        <Fact name="Tokens a row, mean">{format!("{:.0}", tokens.mean)}</Fact>
        <Fact name="Middle, 95 %">{format!("{}, {}", format::count(tokens.p50), format::count(tokens.p95))}</Fact>
        <Fact name="Least, most">{format!("{}, {}", format::count(tokens.min), format::count(tokens.max))}</Fact>
        <Fact name="Tokenizer">{report.tokenizer}</Fact>
    }
}
