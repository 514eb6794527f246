//! Trying the instructions on one passage before they are saved.

use crate::{
    api::{
        documents::{list_chunks, list_documents},
        templates::test_template,
    },
    components::{
        button::Button,
        error_view::Alert,
        field::Select,
        loaded::{Loaded, no_items, no_more_items},
        page_head::Panel,
        tag::{Colour, Tag},
    },
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    documents::{Chunk, ChunkQuery, Document, DocumentQuery, DocumentStatus},
    examples::Grounding,
    ids::{ChunkId, DocumentId},
    templates::{TemplateKind, TemplateTest, TemplateTrial, TrialExample},
    wire::{CursorPage, Page},
};
use leptos::prelude::*;

/// `instructions` as they stand in the editor.
#[component]
pub fn Trial(kind: TemplateKind, instructions: RwSignal<String>) -> impl IntoView {
    let documents = Remote::new(|| {
        list_documents(DocumentQuery {
            status: Some(DocumentStatus::Ready),
            limit: Some(100),
            ..DocumentQuery::default()
        })
    });
    let empty = || view! { <p class="text-muted">"There is no document to try them on yet."</p> };
    view! {
        <Panel title="Try the instructions">
            <Loaded remote=documents is_empty=no_items empty=empty let:page>
                <OfDocuments kind instructions page />
            </Loaded>
        </Panel>
    }
}

#[component]
fn OfDocuments(kind: TemplateKind, instructions: RwSignal<String>, page: Signal<Page<Document>>) -> impl IntoView {
    let items = page.get_untracked().items;
    let fitting = |document: &&Document| TemplateKind::of(document.format, document.kind) == kind;
    let first = items.iter().find(fitting).or(items.first());
    let document = RwSignal::new(first.map(|document| document.id.to_string()).unwrap_or_default());
    let options: Vec<(String, String)> = items
        .into_iter()
        .map(|document| (document.id.to_string(), document.name))
        .collect();
    let chunks = Remote::new(move || {
        let id = document.get().parse::<DocumentId>();
        async move {
            let query = ChunkQuery {
                limit: Some(100),
                ..ChunkQuery::default()
            };
            match id {
                Ok(id) => list_chunks(id, query).await,
                Err(_) => Ok(CursorPage {
                    items: Vec::new(),
                    next_cursor: None,
                }),
            }
        }
    });
    let empty = || view! { <p class="text-muted">"This document holds no text."</p> };
    view! {
        <div class="space-y-4">
            <Select label="Document" name="trial-document" value=document options=Signal::stored(options) />
            <Loaded remote=chunks is_empty=no_more_items empty=empty let:chunks>
                <OfChunks kind instructions chunks />
            </Loaded>
        </div>
    }
}

#[component]
fn OfChunks(kind: TemplateKind, instructions: RwSignal<String>, chunks: Signal<CursorPage<Chunk>>) -> impl IntoView {
    let chunk = RwSignal::new(String::new());
    Effect::new(move |_| {
        chunk.set(chunks.with(|page| page.items.first().map(|chunk| chunk.id.to_string()).unwrap_or_default()))
    });
    let options = Signal::derive(move || {
        let name = |chunk: &Chunk| {
            let number = format!("{}", chunk.index + 1);
            let named = chunk
                .heading
                .as_ref()
                .map_or(number.clone(), |heading| format!("{number}: {heading}"));
            (chunk.id.to_string(), named)
        };
        chunks.with(|page| page.items.iter().map(name).collect())
    });
    let sending = Sending::new();
    let trial: RwSignal<Option<TemplateTrial>> = RwSignal::new(None);
    let run = Callback::new(move |()| {
        let Ok(chunk_id) = chunk.get_untracked().parse::<ChunkId>() else {
            return;
        };
        let body = TemplateTest {
            chunk_id,
            instructions: Some(instructions.get_untracked()),
        };
        sending.submit(
            body,
            |body| test_template(kind, body),
            move |answer| trial.set(Some(answer)),
        );
    });
    view! {
        <Select
            label="Passage"
            name="trial-chunk"
            value=chunk
            options
            hint="One call to the language model, with what stands in the editor. Nothing is stored but the call."
        />
        <Alert error=sending.error />
        <Button busy=sending.busy class="btn" on_click=run>
            "Run on this passage"
        </Button>
        <div aria-live="polite">
            {move || trial.get().map(|trial| view! { <Answer trial /> })}
        </div>
    }
}

#[component]
fn Answer(trial: TemplateTrial) -> impl IntoView {
    let cost = trial
        .cost_micros
        .map(|cost| format!(", {}", format::dollars(cost)))
        .unwrap_or_default();
    let about = format!(
        "{}: {} tokens in, {} out{cost}",
        trial.model,
        format::count(trial.prompt_tokens),
        format::count(trial.completion_tokens)
    );
    view! {
        <div class="mt-4 space-y-4">
            <p class="text-sm text-muted">{about}</p>
            {trial.examples.is_empty().then(|| view! { <p>"The model found nothing in this passage to make an example of."</p> })}
            <ul class="space-y-4">{trial.examples.into_iter().map(|example| view! { <One example /> }).collect_view()}</ul>
        </div>
    }
}

#[component]
fn One(example: TrialExample) -> impl IntoView {
    let (colour, grounding) = match example.grounding {
        Grounding::Grounded => (Colour::Green, "Quotation found"),
        Grounding::Ungrounded => (Colour::Red, "Quotation not in the document"),
        Grounding::None => (Colour::Amber, "No quotation"),
    };
    view! {
        <li class="space-y-2 rounded-field border border-line p-4">
            <div class="flex flex-wrap items-center gap-2">
                <Tag colour text=grounding />
                <span class="text-sm text-muted">{format!("Score {}", example.score)}</span>
            </div>
            <p class="font-medium whitespace-pre-wrap">{example.prompt}</p>
            <p class="text-sm whitespace-pre-wrap text-muted">{example.reasoning}</p>
            <p class="whitespace-pre-wrap">{example.response}</p>
            <blockquote class="border-l-2 border-line pl-3 text-sm whitespace-pre-wrap">{example.quote}</blockquote>
            {(!example.findings.is_empty())
                .then(|| {
                    view! {
                        <ul class="list-disc pl-5 text-sm text-muted">
                            {example.findings.into_iter().map(|finding| view! { <li>{format!("{} (−{})", finding.message, finding.points)}</li> }).collect_view()}
                        </ul>
                    }
                })}
        </li>
    }
}
