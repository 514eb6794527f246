//! Writing a diagram: the source beside what it draws, with the parser's line and message.

use super::{
    frame::Preview,
    state::{Studio, levels},
};
use crate::{
    address::{from_word, word},
    api::diagrams::{check_diagram, create_diagram, update_diagram},
    browser,
    components::{
        button::Button,
        error_view::Alert,
        field::{Field, Select, TextArea},
        icon::Icon,
    },
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    concepts::Level,
    diagrams::{Diagram, DiagramCheck, DiagramPatch, NewDiagram},
};
use leptos::{html, prelude::*, task::spawn_local};
use std::time::Duration;

const TYPING: Duration = Duration::from_millis(500);
const START: &str = "flowchart LR\n  A[Question] --> B{Known?}\n  B -->|yes| C[Answer]\n  B -->|no| D[Ask]\n";

#[derive(Clone, Copy)]
struct Draft {
    title: RwSignal<String>,
    source: RwSignal<String>,
    slug: RwSignal<String>,
    domain: RwSignal<String>,
    level: RwSignal<String>,
    tags: RwSignal<String>,
    summary: RwSignal<String>,
    notes: RwSignal<String>,
}

impl Draft {
    fn of(diagram: Option<&Diagram>) -> Self {
        let read =
            |read: fn(&Diagram) -> String, other: &str| RwSignal::new(diagram.map_or_else(|| other.to_owned(), read));
        Self {
            title: read(|diagram| diagram.title.clone(), ""),
            source: read(|diagram| diagram.source.clone(), START),
            slug: read(|diagram| diagram.slug.clone(), ""),
            domain: read(|diagram| diagram.domain.clone(), ""),
            level: read(|diagram| word(&diagram.level), "intermediate"),
            tags: read(|diagram| diagram.tags.join(", "), ""),
            summary: read(|diagram| diagram.summary.clone(), ""),
            notes: read(|diagram| diagram.notes.clone(), ""),
        }
    }

    fn level(self) -> Level {
        from_word(&self.level.get_untracked()).unwrap_or(Level::Intermediate)
    }

    fn tags(self) -> Vec<String> {
        let tags = self.tags.get_untracked();
        tags.split(',')
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect()
    }
}

#[component]
pub fn NewEditor(studio: Studio) -> impl IntoView {
    let draft = Draft::of(None);
    let sending = Sending::new();
    let document_id = studio.document.get_untracked();
    let save = Callback::new(move |()| {
        let body = NewDiagram {
            title: draft.title.get_untracked(),
            source: draft.source.get_untracked(),
            domain: draft.domain.get_untracked(),
            level: draft.level(),
            tags: draft.tags(),
            summary: draft.summary.get_untracked(),
            notes: draft.notes.get_untracked(),
            document_id,
        };
        sending.submit(body, create_diagram, move |diagram| {
            let id = diagram.id.to_string();
            studio.address.change(&[("edit", ""), ("diagram", &id)]);
        });
    });
    view! { <Form studio title="Write a diagram" draft sending save known=false /> }
}

#[component]
pub fn Editor(studio: Studio, diagram: Diagram, remote: Remote<Diagram>) -> impl IntoView {
    let draft = Draft::of(Some(&diagram));
    let sending = Sending::new();
    let before = StoredValue::new(diagram);
    let save = Callback::new(move |()| {
        let (id, version, source) = before.with_value(|before| (before.id, before.version, before.source.clone()));
        let body = DiagramPatch {
            title: Some(draft.title.get_untracked()),
            source: Some(draft.source.get_untracked()).filter(|new| *new != source),
            slug: Some(draft.slug.get_untracked()),
            domain: Some(draft.domain.get_untracked()),
            level: Some(draft.level()),
            tags: Some(draft.tags()),
            summary: Some(draft.summary.get_untracked()),
            notes: Some(draft.notes.get_untracked()),
        };
        sending.submit(
            body,
            move |body| update_diagram(id, version, body),
            move |diagram| {
                remote.set(diagram);
                studio.address.set("edit", "");
            },
        );
    });
    view! { <Form studio title="Edit the diagram" draft sending save known=true /> }
}

#[component]
fn Form(
    studio: Studio,
    title: &'static str,
    draft: Draft,
    sending: Sending,
    save: Callback<()>,
    /// It has a slug already.
    known: bool,
) -> impl IntoView {
    view! {
        <h2 id="studio-diagrams">{title}</h2>
        <form
            novalidate
            class="space-y-4"
            on:submit=move |event| {
                event.prevent_default();
                save.run(());
            }
        >
            <Alert error=sending.general() />
            <Field label="Title" name="diagram-title" value=draft.title error=sending.field("title") />
            <div class="grid gap-4 2xl:grid-cols-2">
                <Source draft sending />
                <Preview source=draft.source />
            </div>
            <div class="grid gap-x-4 gap-y-2 sm:grid-cols-2">
                {known
                    .then(|| {
                        view! { <Field label="Slug" name="diagram-slug" value=draft.slug error=sending.field("slug") hint="Small letters, digits and hyphens." /> }
                    })}
                <Field label="Domain" name="diagram-domain" value=draft.domain error=sending.field("domain") />
                <Field label="Tags" name="diagram-tags" value=draft.tags error=sending.field("tags") hint="With commas between." />
                <Select label="Level" name="diagram-level" value=draft.level options=levels() />
            </div>
            <TextArea label="Summary" name="diagram-summary" value=draft.summary error=sending.field("summary") rows=2 />
            <TextArea label="Notes" name="diagram-notes" value=draft.notes error=sending.field("notes") rows=2 />
            <div class="flex flex-wrap justify-end gap-2">
                <button type="button" class="btn btn-ghost" on:click=move |_| studio.address.clear(&["edit"])>
                    "Cancel"
                </button>
                <Button busy=sending.busy kind="submit">
                    "Save"
                </Button>
            </div>
        </form>
    }
}

/// The source, and what the server's parser says of it a moment after the last key.
#[component]
fn Source(draft: Draft, sending: Sending) -> impl IntoView {
    let verdict = RwSignal::new(None::<DiagramCheck>);
    let area = NodeRef::<html::Textarea>::new();
    let source = draft.source;
    let ask = move || {
        let text = source.get_untracked();
        spawn_local(async move {
            let answer = check_diagram(text.clone()).await;
            // Only what is said of the present text counts.
            if source.try_get_untracked() == Some(text) {
                verdict.try_set(answer.ok());
            }
        });
    };
    let check = browser::settled(TYPING, ask);
    ask();
    let go = move |line: u32| {
        let Some(area) = area.get_untracked() else { return };
        let (start, end) = source.with_untracked(|text| line_span(text, line));
        drop(area.focus());
        drop(area.set_selection_range(start, end));
    };
    let refused = sending.field("source");
    view! {
        <div class="min-w-0 space-y-1">
            <label for="diagram-source" class="block text-sm font-medium">
                "Source (Mermaid)"
            </label>
            <textarea
                id="diagram-source"
                node_ref=area
                rows="14"
                spellcheck="false"
                class="textarea w-full font-mono"
                class:textarea-error=move || verdict.with(|verdict| verdict.as_ref().is_some_and(|verdict| !verdict.ok))
                aria-describedby="diagram-source-note"
                prop:value=source
                on:input:target=move |event| {
                    source.set(event.target().value());
                    check();
                }
            ></textarea>
            <div id="diagram-source-note" role="status" class="text-sm">
                {move || match verdict.get() {
                    None => refused.get().map(|text| view! { <p class="text-error">{text}</p> }).into_any(),
                    Some(DiagramCheck { ok: true, diagram_type, .. }) => {
                        view! {
                            <p class="flex items-center gap-1 text-success">
                                <Icon icon=icondata::LuCheck />
                                {format!("Valid: {}", diagram_type.unwrap_or_default())}
                            </p>
                        }
                            .into_any()
                    }
                    Some(DiagramCheck { line, column, message, .. }) => {
                        let place = match (line, column) {
                            (Some(line), Some(column)) => format!("Line {line}, column {column}"),
                            (Some(line), None) => format!("Line {line}"),
                            _ => "Not valid".to_owned(),
                        };
                        view! {
                            <p class="break-words text-error">
                                {match line {
                                    Some(line) => {
                                        view! {
                                            <button type="button" class="font-medium underline underline-offset-4" on:click=move |_| go(line)>
                                                {place}
                                            </button>
                                        }
                                            .into_any()
                                    }
                                    None => place.into_any(),
                                }}
                                ": " {message}
                            </p>
                        }
                            .into_any()
                    }
                }}
            </div>
        </div>
    }
}

/// Where a line stands, in the UTF-16 units in which the browser counts.
fn line_span(text: &str, line: u32) -> (u32, u32) {
    let mut start = 0;
    for (number, content) in text.split('\n').enumerate() {
        let end = start + content.encode_utf16().count() as u32;
        if number as u32 + 1 == line {
            return (start, end);
        }
        start = end + 1;
    }
    (start.saturating_sub(1), start.saturating_sub(1))
}
