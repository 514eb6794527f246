//! The third column: the diagrams, or the one that is open.

use super::{
    diagram::OneDiagram,
    editor::NewEditor,
    state::{Studio, level_name, levels, severity},
};
use crate::{
    address::word,
    api::diagrams::{list_diagrams, picture_address},
    components::{
        button::Button,
        dialog::Dialog,
        error_view::Alert,
        field::{Field, TextArea},
        filters::{Choice, Search},
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        may::May,
        pager::Pager,
        tag::{Colour, Tag},
    },
    remote::Remote,
};
use cerebros_common::{
    diagrams::{Diagram, DiagramQuery, DiagramStatus, DrawFrom, DrawRequest},
    events::EventKind,
    wire::Page,
    workspaces::Role,
};
use leptos::prelude::*;
use std::collections::BTreeSet;

#[component]
pub fn Diagrams(studio: Studio) -> impl IntoView {
    let writing = Memo::new(move |_| studio.address.text("edit").as_deref() == Some("new"));
    view! {
        <section aria-labelledby="studio-diagrams" class="min-w-0 space-y-2">
            {move || match (writing.get(), studio.diagram.get()) {
                (true, _) => view! { <NewEditor studio /> }.into_any(),
                (false, Some(id)) => view! { <OneDiagram studio id /> }.into_any(),
                (false, None) => view! { <List studio /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn List(studio: Studio) -> impl IntoView {
    let address = studio.address;
    let diagrams = Remote::new(move || {
        list_diagrams(DiagramQuery {
            document_id: studio.document.get(),
            concept_id: address.word("of"),
            status: address.word("status"),
            level: address.word("level"),
            domain: address.text("domain"),
            tag: address.text("tag"),
            search: address.text("search"),
            page: address.page(),
            limit: Some(24),
        })
    })
    .live(|event| matches!(event.kind, EventKind::DiagramChanged | EventKind::DiagramDeleted));
    let texting = RwSignal::new(false);
    let empty = || {
        view! {
            <Empty
                icon=icondata::LuWorkflow
                title="No diagrams here"
                text="Draw one from a concept, a document or a text, or write its source yourself."
            />
        }
    };
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <h2 id="studio-diagrams" class="grow">"Diagrams"</h2>
            <May role=Role::Editor>
                <button type="button" class="btn btn-sm" on:click=move |_| texting.set(true)>
                    <Icon icon=icondata::LuType />
                    "Draw a text"
                </button>
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| address.set("edit", "new")>
                    <Icon icon=icondata::LuPlus />
                    "Write one"
                </button>
            </May>
        </div>
        <Filters studio diagrams />
        <Loaded remote=diagrams is_empty=no_items empty let:page>
            <ul class="grid gap-4 sm:grid-cols-2" aria-live="polite">
                <For each=move || page.get().items key=|diagram| (diagram.id, diagram.version) let:diagram>
                    <li>
                        <Card studio diagram />
                    </li>
                </For>
            </ul>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="diagram" many="diagrams" />
        </Loaded>
        <FromText studio open=texting />
    }
}

#[component]
fn Filters(studio: Studio, diagrams: Remote<Page<Diagram>>) -> impl IntoView {
    let address = studio.address;
    let statuses = DiagramStatus::ALL.map(|status| (word(&status), status_look(status).1.to_owned()));
    // What the shown diagrams have, and what is chosen.
    let options = move |key: &'static str, of: fn(&Diagram) -> Vec<String>| {
        Signal::derive(move || {
            let mut all: BTreeSet<String> = address.text(key).into_iter().collect();
            diagrams.with(|page| all.extend(page.items.iter().flat_map(of)));
            all.into_iter()
                .filter(|one| !one.is_empty())
                .map(|one| (one.clone(), one))
                .collect::<Vec<_>>()
        })
    };
    let filtered = move || {
        ["search", "status", "level", "domain", "tag", "of"]
            .iter()
            .any(|key| address.text(key).is_some())
    };
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <Search address label="Search diagrams" />
            <Choice address key="status" label="Status" all="All statuses" options=statuses.to_vec() />
            <Choice address key="level" label="Level" all="All levels" options=levels() />
            <Choice address key="domain" label="Domain" all="All domains" options=options("domain", |diagram| vec![diagram.domain.clone()]) />
            <Choice address key="tag" label="Tag" all="All tags" options=options("tag", |diagram| diagram.tags.clone()) />
            <Show when=filtered>
                <button
                    type="button"
                    class="btn btn-sm"
                    on:click=move |_| address.clear(&["search", "status", "level", "domain", "tag", "of"])
                >
                    "Clear the filters"
                </button>
            </Show>
        </div>
    }
}

pub fn status_look(status: DiagramStatus) -> (Colour, &'static str, bool) {
    match status {
        DiagramStatus::Drawing => (Colour::Blue, "Drawing", true),
        DiagramStatus::Ready => (Colour::Green, "Ready", false),
        DiagramStatus::Failed => (Colour::Red, "Failed", false),
    }
}

#[component]
fn Card(studio: Studio, diagram: Diagram) -> impl IntoView {
    let picture = (diagram.status == DiagramStatus::Ready).then(|| picture_address(&diagram, false));
    let id = diagram.id;
    let Diagram {
        title,
        status,
        level,
        domain,
        error,
        ..
    } = diagram;
    let (colour, text, moving) = status_look(status);
    view! {
        <button
            type="button"
            class="panel block w-full overflow-hidden text-left hover:border-primary"
            on:click=move |_| studio.address.set("diagram", &id.to_string())
        >
            <span class="flex h-36 items-center justify-center bg-white p-2 text-ink-grey">
                {match picture {
                    Some(src) => view! { <img src=src alt="" loading="lazy" class="max-h-full max-w-full" /> }.into_any(),
                    None => view! { <span class="text-[#4a5568]"><Icon icon=icondata::LuWorkflow class="size-6" /></span> }.into_any(),
                }}
            </span>
            <span class="block space-y-1 border-t border-line px-4 py-2">
                <span class="block break-words font-medium">{title}</span>
                <span class="flex flex-wrap items-center gap-1 text-sm text-muted">
                    {(status != DiagramStatus::Ready).then(|| view! { <Tag colour text moving /> })}
                    {error
                        .map(|error| {
                            let (colour, text) = severity(error.severity);
                            view! { <Tag colour text /> }
                        })}
                    {level_name(level)}
                    {(!domain.is_empty()).then(|| format!(" · {domain}"))}
                </span>
            </span>
        </button>
    }
}

#[component]
fn FromText(studio: Studio, open: RwSignal<bool>) -> impl IntoView {
    let (title, text) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let sending = studio.drawing;
    Effect::new(move |before: Option<bool>| {
        let busy = sending.busy.get();
        if before == Some(true) && !busy && sending.error.with_untracked(Option::is_none) && open.get_untracked() {
            open.set(false);
            title.set(String::new());
            text.set(String::new());
        }
        busy
    });
    let draw = move || {
        studio.draw(DrawRequest {
            from: DrawFrom::Text,
            concept_id: None,
            document_id: None,
            text: Some(text.get_untracked()),
            title: Some(title.get_untracked()),
        });
    };
    view! {
        <Dialog open title="Draw a text">
            <form
                novalidate
                class="space-y-2"
                on:submit=move |event| {
                    event.prevent_default();
                    draw();
                }
            >
                <Alert error=sending.general() />
                <Field label="Title" name="text-title" value=title error=sending.field("title") autofocus=true />
                <TextArea
                    label="Text"
                    name="text-text"
                    value=text
                    error=sending.field("text")
                    rows=8
                    hint="Headings, list items or sentences become the branches of a mind map."
                />
                <div class="flex justify-end">
                    <Button busy=sending.busy kind="submit">
                        "Draw"
                    </Button>
                </div>
            </form>
        </Dialog>
    }
}
