//! Which examples are listed, and in which order. All of it stands in the address.

use super::{
    queue::{FILTERS, filter_of},
    state::Reviewing,
};
use crate::{
    address::word,
    api::documents::list_documents,
    components::{
        filters::{Choice, Search},
        status::example_status,
    },
    remote::Remote,
};
use cerebros_common::{
    documents::{DocumentKind, DocumentQuery},
    examples::{ExampleFilter, ExampleOrigin, ExampleSort, ExampleStatus, Grounding},
};
use leptos::prelude::*;

type Options = Vec<(String, String)>;

fn options<const N: usize>(all: [(String, &str); N]) -> Options {
    all.into_iter().map(|(value, name)| (value, name.to_owned())).collect()
}

#[component]
pub fn Filters(reviewing: Reviewing) -> impl IntoView {
    let address = reviewing.address;
    let statuses = [ExampleStatus::Pending, ExampleStatus::Approved, ExampleStatus::Rejected];
    let statuses = options(statuses.map(|status| (word(&status), example_status(status).1)));
    let sorts = options([
        (word(&ExampleSort::ScoreUp), "Lowest score first"),
        (word(&ExampleSort::ScoreDown), "Highest score first"),
    ]);
    let any = move || filter_of(address) != ExampleFilter::default();
    let more = untrack(|| {
        let keys = ["grounding", "origin", "score", "duplicates"];
        keys.iter().any(|key| address.text(key).is_some())
    });
    view! {
        <div class="mb-2 flex flex-wrap items-center gap-2">
            <Search address label="Search examples" />
            <Choice address key="status" label="Status" all="All statuses" options=statuses />
            <Choice address key="document" label="Document" all="All documents" options=documents(reviewing) />
            <Choice address key="sort" label="Order" all="Newest first" options=sorts />
            <Show when=any>
                <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| address.clear(&FILTERS)>
                    "Clear filters"
                </button>
            </Show>
        </div>
        <details class="mb-2" open=more>
            <summary class="link-plain w-fit cursor-pointer text-sm">"More filters"</summary>
            <More reviewing />
        </details>
    }
}

#[component]
fn More(reviewing: Reviewing) -> impl IntoView {
    let address = reviewing.address;
    let groundings = options([
        (word(&Grounding::Grounded), "Quoted from the document"),
        (word(&Grounding::Ungrounded), "Quotation not in the document"),
        (word(&Grounding::None), "Quotes nothing"),
    ]);
    let origins = options([
        (word(&ExampleOrigin::Extractive), "Built from the text"),
        (word(&ExampleOrigin::LanguageModel), "Language model"),
        (word(&ExampleOrigin::Manual), "By hand"),
    ]);
    let scores = options([
        ("90-100".to_owned(), "90 to 100"),
        ("70-89".to_owned(), "70 to 89"),
        ("50-69".to_owned(), "50 to 69"),
        ("0-49".to_owned(), "Below 50"),
    ]);
    // A group that was chosen from an example is an option while it is chosen.
    let duplicates = Signal::derive(move || {
        let mut all = options([
            ("none".to_owned(), "Without further copies"),
            ("only".to_owned(), "Near duplicates only"),
        ]);
        let group = address.text("duplicates").filter(|text| text.len() > 4);
        all.extend(group.map(|id| (id, "One group of near duplicates".to_owned())));
        all
    });
    view! {
        <div class="flex flex-wrap items-center gap-2 pt-2">
            <Choice address key="grounding" label="Source" all="Any source" options=groundings />
            <Choice address key="score" label="Score" all="Any score" options=scores />
            <Choice address key="origin" label="Made by" all="Made by any" options=origins />
            <Choice address key="duplicates" label="Near duplicates" all="With near duplicates" options=duplicates />
        </div>
    }
}

fn documents(reviewing: Reviewing) -> Signal<Options> {
    let documents = Remote::new(move || {
        list_documents(DocumentQuery {
            agent_id: Some(reviewing.agent),
            kind: Some(DocumentKind::WorkProduct),
            limit: Some(100),
            ..DocumentQuery::default()
        })
    });
    Signal::derive(move || {
        let items = documents.get().map(|page| page.items).unwrap_or_default();
        items
            .into_iter()
            .map(|document| (document.id.to_string(), document.name))
            .collect()
    })
}
