//! Adding, editing, merging and deleting concepts.

use super::state::{Studio, levels};
use crate::{
    address::{from_word, word},
    api::concepts::{create_concept, delete_concept, merge_concept, update_concept},
    components::{
        button::Button,
        dialog::{About, Confirm, Dialog},
        error_view::Alert,
        field::{Field, Select, TextArea},
    },
    forms::Sending,
};
use cerebros_common::{
    concepts::{Concept, ConceptPatch, Level, NewConcept},
    ids::ConceptId,
};
use leptos::prelude::*;

#[component]
pub fn ConceptForm(studio: Studio, adding: RwSignal<bool>, editing: About<Concept>) -> impl IntoView {
    let close = Callback::new(move |()| {
        adding.set(false);
        editing.close();
        studio.concepts.refetch();
        studio.studies.refetch();
    });
    view! {
        <Dialog open=adding title="Add a concept">
            <Form studio concept=None done=close />
        </Dialog>
        <Dialog open=editing.open title="Edit the concept">
            {move || editing.get().map(|concept| view! { <Form studio concept=Some(concept) done=close /> })}
        </Dialog>
    }
}

#[component]
fn Form(studio: Studio, concept: Option<Concept>, done: Callback<()>) -> impl IntoView {
    let read = |read: fn(&Concept) -> String, other: &str| {
        RwSignal::new(concept.as_ref().map_or_else(|| other.to_owned(), read))
    };
    let name = read(|concept| concept.name.clone(), "");
    let description = read(|concept| concept.description.clone(), "");
    let category = read(|concept| concept.category.clone(), "");
    let level = read(|concept| word(&concept.level), "intermediate");
    let importance = read(|concept| concept.importance.to_string(), "50");
    let known = concept.map(|concept| (concept.id, concept.version));
    let sending = Sending::new();
    let save = move || {
        let importance = importance.get_untracked().trim().parse().unwrap_or(0);
        let level: Level = from_word(&level.get_untracked()).unwrap_or(Level::Intermediate);
        if let Some((id, version)) = known {
            let body = ConceptPatch {
                name: Some(name.get_untracked()),
                description: Some(description.get_untracked()),
                category: Some(category.get_untracked()),
                level: Some(level),
                importance: Some(importance),
            };
            sending.submit(
                body,
                move |body| update_concept(id, version, body),
                move |_| done.run(()),
            );
        } else if let Some(document_id) = studio.document.get_untracked() {
            let body = NewConcept {
                document_id,
                name: name.get_untracked(),
                description: description.get_untracked(),
                category: category.get_untracked(),
                level,
                importance,
            };
            sending.submit(body, create_concept, move |_| done.run(()));
        }
    };
    view! {
        <form
            novalidate
            class="space-y-2"
            on:submit=move |event| {
                event.prevent_default();
                save();
            }
        >
            <Alert error=sending.general() />
            <Field label="Name" name="concept-name" value=name error=sending.field("name") autofocus=true />
            <TextArea label="Description" name="concept-description" value=description error=sending.field("description") />
            <Field label="Category" name="concept-category" value=category error=sending.field("category") />
            <Select label="Level" name="concept-level" value=level options=levels() />
            <Field label="Importance" name="concept-importance" kind="number" hint="1 to 100" value=importance error=sending.field("importance") />
            <div class="flex justify-end pt-2">
                <Button busy=sending.busy kind="submit">
                    "Save"
                </Button>
            </div>
        </form>
    }
}

#[component]
pub fn MergeConcept(studio: Studio, about: About<Concept>) -> impl IntoView {
    let sending = Sending::new();
    let into = RwSignal::new(String::new());
    let others = Signal::derive(move || {
        let Some(gone) = about.get() else { return Vec::new() };
        let all = studio.concepts.get().map(|page| page.items).unwrap_or_default();
        let others = all
            .into_iter()
            .filter(|other| other.document_id == gone.document_id && other.id != gone.id);
        let choose = std::iter::once((String::new(), "Choose a concept".to_owned()));
        choose
            .chain(others.map(|other| (other.id.to_string(), other.name)))
            .collect()
    });
    Effect::new(move |_| {
        about.open.get();
        into.set(String::new());
    });
    let merge = Callback::new(move |()| {
        let target: Option<ConceptId> = into.get_untracked().parse().ok();
        let (Some(gone), Some(target)) = (about.now(), target) else {
            return;
        };
        sending.start(merge_concept(gone.id, gone.version, target), move |kept| {
            about.close();
            studio.address.set("concept", &kept.id.to_string());
            studio.concepts.refetch();
        });
    });
    view! {
        <Confirm open=about.open title=about.title(|concept| format!("Merge “{}”?", concept.name)) action="Merge" tone="btn btn-primary" sending confirmed=merge>
            <p>"It goes; its diagrams belong to the concept that takes it in."</p>
            <Select label="Takes it in" name="merge-into" value=into options=others />
        </Confirm>
    }
}

#[component]
pub fn DeleteConcept(studio: Studio, about: About<Concept>) -> impl IntoView {
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| {
        let Some(concept) = about.now() else { return };
        sending.start(delete_concept(concept.id, concept.version), move |()| {
            about.close();
            studio.address.set("concept", "");
            studio.concepts.refetch();
        });
    });
    view! {
        <Confirm open=about.open title=about.title(|concept| format!("Delete “{}”?", concept.name)) action="Delete" sending confirmed>
            <p>"What was drawn of it stays."</p>
        </Confirm>
    }
}
