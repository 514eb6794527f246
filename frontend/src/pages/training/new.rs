//! Training on a dataset, without an assistant.

use super::form::{Choice, TrainForm};
use crate::{
    address::Address,
    api::{datasets::find_dataset, jobs::create_job},
    browser,
    components::{loaded::Loaded, may::Needs, page_head::PageHead},
    forms::Sending,
    pages::by_id::by_id,
    remote::Remote,
};
use cerebros_common::{
    datasets::{DatasetStatus, RowsKind},
    events::EventKind,
    ids::DatasetId,
    jobs::NewJob,
    workspaces::Role,
};
use leptos::prelude::*;

/// `/datasets/{id}/train`
#[component]
pub fn NewJobPage() -> impl IntoView {
    browser::title("Train on a dataset");
    view! {
        {by_id(|id| view! { <OnDataset id /> })}
    }
}

#[component]
fn OnDataset(id: DatasetId) -> impl IntoView {
    let address = Address::of_page();
    let dataset = Remote::new(move || find_dataset(id))
        .live(move |event| event.kind == EventKind::DatasetChanged && event.id == id.0);
    let sending = Sending::new();
    let train = Callback::new(move |choice: Choice| {
        let body = NewJob {
            dataset_id: id,
            validation_dataset_id: None,
            base_id: choice.base_id,
            initial_model_id: choice.initial_model_id,
            agent_id: None,
            parameters: choice.parameters,
        };
        sending.submit(body, create_job, move |job| {
            address.leave_for(&format!("/training/{}", job.id))
        });
    });
    let parents = Signal::derive(move || {
        let name = dataset.with(|dataset| dataset.name.clone()).unwrap_or_default();
        vec![
            ("Datasets".to_owned(), "/datasets".to_owned()),
            (name, format!("/datasets/{id}")),
        ]
    });
    view! {
        <PageHead title="Train on a dataset" parents />
        <Needs role=Role::Editor>
            <Loaded remote=dataset let:dataset>
                <TrainForm
                    busy=sending.busy
                    error=sending.error
                    dataset=id
                    pairs=Signal::derive(move || dataset.get().rows_kind == Some(RowsKind::Preferences))
                    blocked=Signal::derive(move || (dataset.get().status != DatasetStatus::Ready).then_some("This dataset is not ready to train on."))
                    train
                />
            </Loaded>
        </Needs>
    }
}
