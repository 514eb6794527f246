//! Making the next version: of chosen rows, of the examples approved now, or of a file.

use super::{list::format_name, upload::Upload};
use crate::{
    address::{Address, from_word, word},
    api::{
        ApiError,
        datasets::{create_dataset, create_version},
    },
    components::{
        button::Button,
        error_view::Alert,
        field::{Field, Select},
        page_head::Panel,
    },
    forms::Sending,
    transfers::Destination,
};
use cerebros_common::{
    datasets::{Dataset, DatasetFormat, DatasetSource, DatasetStatus, NewDataset, RowFilters},
    errors::FieldError,
    ids::AgentId,
};
use leptos::{ev::SubmitEvent, prelude::*};

#[component]
pub fn NextVersion(dataset: Signal<Dataset>) -> impl IntoView {
    let id = dataset.with_untracked(|dataset| dataset.id);
    let usable = Memo::new(move |_| dataset.with(|dataset| dataset.status == DatasetStatus::Ready));
    let agent = Memo::new(move |_| {
        dataset.with(|dataset| dataset.agent_id.filter(|_| dataset.source == DatasetSource::Examples))
    });
    view! {
        <div class="grid gap-6 lg:grid-cols-2">
            <Show when=move || usable.get()>
                <Panel title="Next version: chosen rows">
                    <ChosenRows dataset />
                </Panel>
            </Show>
            <div class="space-y-6">
                {move || agent.get().map(|agent_id| view! { <FromExamples dataset agent_id /> })}
                <Panel title="Next version: a file">
                    <Upload destination=Destination::Version(id) />
                </Panel>
            </div>
        </div>
    }
}

#[component]
fn ChosenRows(dataset: Signal<Dataset>) -> impl IntoView {
    let (address, sending) = (Address::of_page(), Sending::new());
    let (id, own) = dataset.with_untracked(|dataset| (dataset.id, dataset.format));
    let (copies, near) = (RwSignal::new(false), RwSignal::new(false));
    let (least, most) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let format = RwSignal::new(String::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        match (whole("min_tokens", least), whole("max_tokens", most)) {
            (Ok(min_tokens), Ok(max_tokens)) => {
                let filters = RowFilters {
                    without_duplicates: copies.get_untracked(),
                    without_near_duplicates: near.get_untracked(),
                    min_tokens,
                    max_tokens,
                    format: from_word(&format.get_untracked()),
                };
                let made = move |made: Dataset| address.leave_for(&format!("/datasets/{}", made.id));
                sending.submit(filters, move |filters| create_version(id, filters), made);
            }
            (Err(error), _) | (_, Err(error)) => sending.error.set(Some(error)),
        }
    };
    let formats = Signal::derive(move || {
        let fits = |other: &DatasetFormat| own.is_some_and(|own| own != *other && own.kind() == other.kind());
        let others = DatasetFormat::ALL.into_iter().filter(fits);
        let others = others.map(|format| (word(&format), format_name(format).to_owned()));
        std::iter::once((String::new(), "As it is".to_owned()))
            .chain(others)
            .collect()
    });
    view! {
        <form class="space-y-4" on:submit=submit novalidate>
            <p class="text-sm text-muted">"Rejected rows are left out in any case. This version stays as it is."</p>
            <Alert error=sending.general() />
            <Tick label="Without exact copies of earlier rows" error=sending.field("without_duplicates") value=copies />
            <Tick label="Without rows that nearly repeat an earlier one" error=Signal::stored(None) value=near />
            <div class="grid gap-4 sm:grid-cols-2">
                <Field label="Least tokens a row" name="min_tokens" value=least error=sending.field("min_tokens") />
                <Field label="Most tokens a row" name="max_tokens" value=most error=sending.field("max_tokens") />
            </div>
            <Select label="Format" name="version_format" value=format options=formats hint="Rows that a format cannot say in full are left out." />
            <Button kind="submit" busy=sending.busy>"Make the version"</Button>
        </form>
    }
}

#[component]
fn Tick(label: &'static str, error: Signal<Option<String>>, value: RwSignal<bool>) -> impl IntoView {
    view! {
        <div>
            <label class="flex items-center gap-2 text-sm">
                <input
                    type="checkbox"
                    class="checkbox checkbox-sm"
                    prop:checked=value
                    on:change:target=move |event| value.set(event.target().checked())
                />
                {label}
            </label>
            {move || error.get().map(|error| view! { <p role="alert" class="mt-1 text-sm text-error">{error}</p> })}
        </div>
    }
}

/// A number, or nothing.
fn whole(path: &'static str, text: RwSignal<String>) -> Result<Option<u64>, ApiError> {
    let text = text.get_untracked();
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|_| {
        ApiError::Invalid(vec![FieldError {
            path: path.to_owned(),
            code: "number".to_owned(),
            message: "must be a whole number".to_owned(),
        }])
    })
}

#[component]
fn FromExamples(dataset: Signal<Dataset>, agent_id: AgentId) -> impl IntoView {
    let (address, sending) = (Address::of_page(), Sending::in_toasts());
    let build = move |_| {
        let new = dataset.with_untracked(|dataset| NewDataset {
            agent_id,
            name: dataset.name.clone(),
            version_of: Some(dataset.id),
        });
        sending.start(create_dataset(new), move |made| {
            address.leave_for(&format!("/datasets/{}", made.id));
        });
    };
    view! {
        <Panel title="Next version: approved examples">
            <p class="mb-3 text-sm text-muted">"Of all examples of the assistant that are approved now."</p>
            <button type="button" class="btn" disabled=move || sending.busy.get() on:click=build>
                "Build it anew"
            </button>
        </Panel>
    }
}
