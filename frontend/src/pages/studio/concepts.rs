//! The second column: concepts, and what can be done with them.

use super::{
    concept_dialogs::{ConceptForm, DeleteConcept, MergeConcept},
    state::{Studio, level_name, origin, severity},
};
use crate::{
    api::concepts::find_document_concepts,
    components::{
        button::Button,
        dialog::About,
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        may::May,
        tag::{Colour, Tag},
    },
    forms::Sending,
};
use cerebros_common::{
    concepts::{Concept, Level},
    diagrams::{DrawFrom, DrawRequest},
    documents::DocumentStatus,
    examples::Grounding,
    ids::DocumentId,
    studies::{Study, StudyStatus},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Concepts(studio: Studio) -> impl IntoView {
    let adding = RwSignal::new(false);
    let (editing, merging, deleting) = (About::new(), About::new(), About::new());
    let study = Memo::new(move |_| studio.study());
    let empty = move || {
        let text = if study.with(Option::is_some) {
            "Find them in the document, or add your own."
        } else {
            "Choose a document to find its concepts."
        };
        view! { <Empty icon=icondata::LuLightbulb title="No concepts yet" text /> }
    };
    view! {
        <section aria-labelledby="studio-concepts" class="min-w-0 space-y-2">
            <h2 id="studio-concepts">"Concepts"</h2>
            <May role=Role::Editor>
                {move || study.get().map(|study| view! { <Actions studio study adding /> })}
            </May>
            {move || {
                let error = study.get()?.error?;
                let (colour, text) = severity(error.severity);
                Some(view! { <p class="text-sm"><Tag colour text /> " " {error.message}</p> })
            }}
            <Loaded remote=studio.concepts is_empty=no_items empty let:page>
                <ul class="panel max-h-96 divide-y divide-line overflow-y-auto xl:max-h-[70vh]">
                    <For each=move || page.get().items key=|concept| (concept.id, concept.version) let:concept>
                        <li>
                            <One studio concept editing merging deleting />
                        </li>
                    </For>
                </ul>
            </Loaded>
            <ConceptForm studio adding editing />
            <MergeConcept studio about=merging />
            <DeleteConcept studio about=deleting />
        </section>
    }
}

#[component]
fn Actions(studio: Studio, study: Study, adding: RwSignal<bool>) -> impl IntoView {
    let id = study.document_id;
    let finding = Sending::in_toasts();
    let find = Callback::new(move |()| finding.start(find_document_concepts(id), move |_| studio.studies.refetch()));
    let draw = move |from: DrawFrom| studio.draw(request(from, id));
    let unread = study.status != DocumentStatus::Ready;
    let busy = Signal::derive(move || finding.busy.get() || study.concepts_status == StudyStatus::Running);
    view! {
        <div class="flex flex-wrap gap-2">
            <Button busy class="btn btn-sm btn-primary" disabled=Signal::stored(unread) on_click=find>
                <Icon icon=icondata::LuSparkles />
                "Find concepts"
            </Button>
            <button type="button" class="btn btn-sm" on:click=move |_| adding.set(true)>
                <Icon icon=icondata::LuPlus />
                "Add"
            </button>
            <button type="button" class="btn btn-sm" disabled=unread on:click=move |_| draw(DrawFrom::Document)>
                <Icon icon=icondata::LuListTree />
                "Draw outline"
            </button>
            <button type="button" class="btn btn-sm" disabled=study.concepts == 0 on:click=move |_| draw(DrawFrom::Concepts)>
                <Icon icon=icondata::LuWorkflow />
                "Draw all concepts"
            </button>
        </div>
    }
}

fn request(from: DrawFrom, document_id: DocumentId) -> DrawRequest {
    DrawRequest {
        from,
        concept_id: None,
        document_id: Some(document_id),
        text: None,
        title: None,
    }
}

fn colour(level: Level) -> Colour {
    match level {
        Level::Beginner => Colour::Green,
        Level::Intermediate => Colour::Blue,
        Level::Advanced => Colour::Purple,
    }
}

#[component]
fn One(
    studio: Studio,
    concept: Concept,
    editing: About<Concept>,
    merging: About<Concept>,
    deleting: About<Concept>,
) -> impl IntoView {
    let id = concept.id;
    let open = Memo::new(move |_| studio.concept.get() == Some(id));
    let toggle = move |_| {
        let target = if open.get_untracked() {
            String::new()
        } else {
            id.to_string()
        };
        studio.address.set("concept", &target);
    };
    let concept = StoredValue::new(concept);
    let head = concept.with_value(|concept| {
        (
            concept.name.clone(),
            concept.importance,
            concept.level,
            concept.category.clone(),
        )
    });
    let (name, importance, level, category) = head;
    view! {
        <button
            type="button"
            class="block w-full px-4 py-2 text-left hover:bg-base-200 focus-visible:-outline-offset-2"
            class:bg-tint-blue=move || open.get()
            aria-expanded=move || open.get().to_string()
            aria-current=move || open.get().then_some("true")
            on:click=toggle
        >
            <span class="flex items-start justify-between gap-2">
                <span class="min-w-0 text-sm font-medium break-words">{name}</span>
                <span class="text-sm text-muted" title="Importance, 1 to 100">{importance}</span>
            </span>
            <span class="flex flex-wrap items-center gap-1 text-sm text-muted">
                <Tag colour=colour(level) text=level_name(level) />
                {category}
            </span>
        </button>
        <Show when=move || open.get()>
            <Detail studio concept editing merging deleting />
        </Show>
    }
}

#[component]
fn Detail(
    studio: Studio,
    concept: StoredValue<Concept>,
    editing: About<Concept>,
    merging: About<Concept>,
    deleting: About<Concept>,
) -> impl IntoView {
    let Concept {
        id,
        description,
        source,
        grounding,
        document_id,
        document_name,
        model,
        origin: made,
        ..
    } = concept.get_value();
    let passage = source.map(|source| {
        let span = source.start.zip(source.end);
        let href = match span {
            Some((start, end)) => format!("/documents/{document_id}?at={start}-{end}"),
            None => format!("/documents/{document_id}"),
        };
        let page = source.page.map(|page| format!(", page {page}")).unwrap_or_default();
        view! {
            <blockquote class="border-l-2 border-primary pl-2 text-sm break-words">{source.quote}</blockquote>
            <p class="text-sm break-words">
                <a class="link-plain" href=href>
                    {document_name}
                </a>
                {page}
            </p>
        }
    });
    let draw = move |_| {
        studio.draw(DrawRequest {
            from: DrawFrom::Concept,
            concept_id: Some(id),
            document_id: None,
            text: None,
            title: None,
        });
    };
    view! {
        <div class="space-y-2 border-t border-line px-4 py-2">
            <p class="text-sm break-words">{description}</p>
            {passage}
            {(grounding == Grounding::Ungrounded)
                .then(|| view! { <Tag colour=Colour::Amber text="Quotation not found in the document" /> })}
            <p class="text-sm text-muted">{origin(made, model.as_deref())}</p>
            <div class="flex flex-wrap gap-2">
                <button type="button" class="btn btn-sm" on:click=move |_| studio.address.change(&[("of", &id.to_string()), ("diagram", ""), ("edit", "")])>
                    "Its diagrams"
                </button>
                <May role=Role::Editor>
                    <button type="button" class="btn btn-sm btn-primary" on:click=draw>
                        "Draw"
                    </button>
                    <button type="button" class="btn btn-sm" on:click=move |_| editing.ask(concept.get_value())>
                        "Edit"
                    </button>
                    <button type="button" class="btn btn-sm" on:click=move |_| merging.ask(concept.get_value())>
                        "Merge"
                    </button>
                    <button type="button" class="btn btn-sm" on:click=move |_| deleting.ask(concept.get_value())>
                        "Delete"
                    </button>
                </May>
            </div>
        </div>
    }
}
