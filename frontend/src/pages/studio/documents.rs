//! The first column: documents, and how far their concepts and diagrams are.

use super::state::{Studio, severity};
use crate::{
    components::{
        loaded::{Empty, Loaded, no_items},
        progress::Progress,
        status::DocumentTag,
        tag::{Colour, Tag},
    },
    format,
};
use cerebros_common::{
    documents::DocumentStatus,
    studies::{Study, StudyStatus},
};
use leptos::prelude::*;

#[component]
pub fn Documents(studio: Studio) -> impl IntoView {
    let empty = || {
        view! {
            <Empty icon=icondata::LuFileText title="No documents" text="Upload some to an assistant; they appear here." />
        }
    };
    view! {
        <section aria-labelledby="studio-documents" class="min-w-0 space-y-2">
            <h2 id="studio-documents">"Documents"</h2>
            <Loaded remote=studio.studies is_empty=no_items empty let:page>
                <ul class="panel max-h-96 divide-y divide-line overflow-y-auto xl:max-h-[70vh]" aria-live="polite">
                    <li>
                        <Everything studio />
                    </li>
                    <For
                        each=move || page.get().items
                        key=|study| (study.document_id, study.status, study.concepts, study.concepts_status, study.diagrams.ready, study.diagrams.failed, study.diagrams.drawing, study.diagrams.wanted)
                        let:study
                    >
                        <li>
                            <One studio study />
                        </li>
                    </For>
                </ul>
            </Loaded>
        </section>
    }
}

const ROW: &str = "block w-full px-4 py-2 text-left hover:bg-base-200 focus-visible:-outline-offset-2";

#[component]
fn Everything(studio: Studio) -> impl IntoView {
    let here = move || studio.document.get().is_none();
    view! {
        <button
            type="button"
            class=ROW
            class:bg-tint-blue=here
            aria-current=move || here().then_some("true")
            on:click=move |_| studio.address.clear(&["document", "concept", "of", "diagram", "edit"])
        >
            "All documents"
        </button>
    }
}

#[component]
fn One(studio: Studio, study: Study) -> impl IntoView {
    let id = study.document_id;
    let here = move || studio.document.get() == Some(id);
    let choose = move |_| {
        let id = id.to_string();
        studio.address.change(&[
            ("document", &id),
            ("concept", ""),
            ("of", ""),
            ("diagram", ""),
            ("edit", ""),
        ]);
    };
    let Study {
        name,
        status,
        concepts,
        concepts_status,
        diagrams,
        error,
        ..
    } = study;
    let under_way = diagrams.drawing > 0 && diagrams.wanted > 0;
    let figures = format!(
        "{} · {}",
        format::counted(concepts, "concept", "concepts"),
        format::counted(diagrams.ready, "diagram", "diagrams")
    );
    let steps = format!("{} of {} drawn", diagrams.done, diagrams.wanted);
    let part = diagrams.done as f64 / diagrams.wanted.max(1) as f64;
    view! {
        <button type="button" class=ROW class:bg-tint-blue=here aria-current=move || here().then_some("true") on:click=choose>
            <span class="block break-words text-sm font-medium">{name}</span>
            <span class="block text-sm text-muted">{figures}</span>
            <span class="flex flex-wrap gap-1">
                {(status != DocumentStatus::Ready).then(|| view! { <DocumentTag status /> })}
                {(concepts_status == StudyStatus::Running)
                    .then(|| view! { <Tag colour=Colour::Blue text="Finding concepts" moving=true /> })}
                {error
                    .map(|error| {
                        let (colour, text) = severity(error.severity);
                        view! { <Tag colour text=format!("{text}: no concepts") /> }
                    })}
                {(diagrams.failed > 0)
                    .then(|| view! { <Tag colour=Colour::Amber text=format!("{} failed", diagrams.failed) /> })}
            </span>
            {under_way
                .then(|| {
                    view! {
                        <span class="mt-1 block space-y-1 text-sm">
                            {steps}
                            <Progress part=Signal::stored(part) label="Diagrams drawn" />
                        </span>
                    }
                })}
        </button>
    }
}
