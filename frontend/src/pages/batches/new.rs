//! The order: which documents, how many examples, and what it costs; below it, the orders before.

use super::estimate::Estimate;
use crate::{
    address::Address,
    api::{
        batches::{create_batch, estimate_batch, list_batches},
        documents::list_documents,
    },
    components::{
        button::Button,
        error_view::Alert,
        field::Field,
        loaded::{Empty, Loaded, no_items},
        may::May,
        page_head::Panel,
        pager::Pager,
        status::BatchTag,
        time::Ago,
    },
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    batches::{Batch, BatchQuery, NewBatch},
    documents::{Document, DocumentKind, DocumentQuery, DocumentStatus},
    events::EventKind,
    ids::{AgentId, DocumentId},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Generate(id: AgentId) -> impl IntoView {
    view! {
        <div class="space-y-6">
            <May role=Role::Editor>
                <Order id />
            </May>
            <Batches id />
        </div>
    }
}

/// What the form says.
#[derive(Clone, Copy)]
struct Form {
    agent: AgentId,
    chosen: RwSignal<Vec<DocumentId>>,
    per_chunk: RwSignal<String>,
    target: RwSignal<String>,
    judge: RwSignal<bool>,
}

impl Form {
    fn body(self) -> NewBatch {
        NewBatch {
            agent_id: self.agent,
            document_ids: Some(self.chosen.get()),
            target_count: number(&self.target.get()),
            per_chunk: number(&self.per_chunk.get()),
            judge: self.judge.get(),
        }
    }
}

/// Nothing where nothing stands; what is no number is out of bounds, so that the field says so.
fn number<T: std::str::FromStr + Default>(text: &str) -> Option<T> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.parse().unwrap_or_default())
}

#[component]
fn Order(id: AgentId) -> impl IntoView {
    let documents = Remote::new(move || {
        list_documents(DocumentQuery {
            agent_id: Some(id),
            status: Some(DocumentStatus::Ready),
            limit: Some(100),
            ..DocumentQuery::default()
        })
    })
    .live(move |event| event.agent_id == Some(id) && event.kind == EventKind::DocumentChanged);
    let empty = || {
        view! {
            <Empty
                icon=icondata::LuFileText
                title="No document is ready"
                text="Examples are made from documents. Upload some, and come back when they were read."
            >
                <a href="?tab=documents" class="btn btn-primary">"Go to the documents"</a>
            </Empty>
        }
    };
    view! {
        <Loaded remote=documents is_empty=no_items empty=empty let:page>
            {
                let items = page.get_untracked().items;
                view! { <OrderForm id items /> }
            }
        </Loaded>
    }
}

#[component]
fn OrderForm(id: AgentId, items: Vec<Document>) -> impl IntoView {
    let work = items
        .iter()
        .filter(|document| document.kind == DocumentKind::WorkProduct);
    let form = Form {
        agent: id,
        chosen: RwSignal::new(work.map(|document| document.id).collect()),
        per_chunk: RwSignal::new(String::new()),
        target: RwSignal::new(String::new()),
        judge: RwSignal::new(false),
    };
    let (sending, address) = (Sending::new(), Address::of_page());
    let estimate = Remote::new(move || estimate_batch(form.body()));
    let any = move || form.chosen.with(|chosen| !chosen.is_empty());
    let by_model = move || estimate.with(|estimate| estimate.model.is_some()).unwrap_or_default();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = untrack(|| form.body());
        sending.submit(body, create_batch, move |batch| {
            address.leave_for(&format!("/batches/{}", batch.id));
        });
    };
    view! {
        <Panel title="Generate examples">
            <form class="space-y-6" novalidate on:submit=submit>
                <Choose items chosen=form.chosen />
                <div class="grid gap-4 sm:grid-cols-2">
                    <Field
                        label="Examples from each passage"
                        name="per-chunk"
                        kind="number"
                        value=form.per_chunk
                        error=sending.field("per_chunk")
                        placeholder="5"
                        hint="1 to 20. Fewer come where a passage does not prove more."
                    />
                    <Field
                        label="Stop after"
                        name="target-count"
                        kind="number"
                        value=form.target
                        error=sending.field("target_count")
                        placeholder="No limit"
                        hint="So many examples in all, from all over the documents."
                    />
                </div>
                <Show when=by_model>
                    <label class="flex items-start gap-2">
                        <input
                            type="checkbox"
                            class="checkbox mt-0.5"
                            prop:checked=form.judge
                            on:change:target=move |event| form.judge.set(event.target().checked())
                        />
                        <span>
                            "Let the model judge its examples"
                            <span class="block text-sm text-muted">"One more call for each passage. What it objects to lowers the score."</span>
                        </span>
                    </label>
                </Show>
                <Alert error=sending.general() />
                <div class="flex flex-wrap items-center gap-x-6 gap-y-4 rounded-field bg-base-200 p-4">
                    <div class="grow basis-64" aria-live="polite">
                        <Show when=any fallback=|| view! { <p class="text-muted">"Choose at least one document."</p> }>
                            <Estimate estimate />
                        </Show>
                    </div>
                    <Button busy=sending.busy disabled=Signal::derive(move || !any()) kind="submit">
                        "Start"
                    </Button>
                </div>
            </form>
        </Panel>
    }
}

#[component]
fn Choose(items: Vec<Document>, chosen: RwSignal<Vec<DocumentId>>) -> impl IntoView {
    let all: Vec<DocumentId> = items.iter().map(|document| document.id).collect();
    let row = move |document: Document| {
        let id = document.id;
        let kind = match document.kind {
            DocumentKind::WorkProduct => "work product",
            DocumentKind::Communication => "communication",
            DocumentKind::Reference => "reference",
        };
        let about = format!("{kind}, {}", format::counted(document.chunks, "passage", "passages"));
        view! {
            <li>
                <label class="flex items-center gap-3 px-4 py-2 hover:bg-tint-grey">
                    <input
                        type="checkbox"
                        class="checkbox checkbox-sm"
                        prop:checked=move || chosen.with(|chosen| chosen.contains(&id))
                        on:change:target=move |event| {
                            let on = event.target().checked();
                            chosen
                                .update(|chosen| {
                                    chosen.retain(|one| *one != id);
                                    if on {
                                        chosen.push(id);
                                    }
                                });
                        }
                    />
                    <span class="min-w-0 grow truncate">{document.name}</span>
                    <span class="shrink-0 text-sm text-muted">{about}</span>
                </label>
            </li>
        }
    };
    view! {
        <fieldset class="min-w-0">
            <div class="mb-1 flex items-center justify-between gap-2">
                <legend class="text-sm font-medium">"Documents"</legend>
                <span class="flex gap-1">
                    <button type="button" class="btn btn-ghost btn-xs" on:click=move |_| chosen.set(all.clone())>
                        "All"
                    </button>
                    <button type="button" class="btn btn-ghost btn-xs" on:click=move |_| chosen.set(Vec::new())>
                        "None"
                    </button>
                </span>
            </div>
            <ul class="max-h-64 divide-y divide-line overflow-y-auto rounded-field border border-line">
                {items.into_iter().map(row).collect_view()}
            </ul>
        </fieldset>
    }
}

/// The orders of an assistant, newest first.
#[component]
fn Batches(id: AgentId) -> impl IntoView {
    let address = Address::of_page();
    let batches = Remote::new(move || {
        list_batches(BatchQuery {
            agent_id: Some(id),
            page: address.page(),
            limit: Some(10),
            ..BatchQuery::default()
        })
    })
    .live(move |event| event.kind == EventKind::BatchChanged && event.agent_id == Some(id));
    view! {
        <Loaded remote=batches is_empty=no_items empty=|| () let:page>
            <section aria-labelledby="batches-title" class="space-y-2">
                <h2 id="batches-title">"Batches"</h2>
                <ul class="panel divide-y divide-line">
                    <For each=move || page.get().items key=|batch| (batch.id, batch.status, batch.progress) let:batch>
                        <Row batch />
                    </For>
                </ul>
                <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="batch" many="batches" />
            </section>
        </Loaded>
    }
}

#[component]
fn Row(batch: Batch) -> impl IntoView {
    let of = batch.progress;
    let failed = match of.failed {
        0 => String::new(),
        failed => format!(", {} failed", format::count(failed)),
    };
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3">
            <a href=format!("/batches/{}", batch.id) class="grow basis-48 font-medium hover:underline">
                {format!("{} of {} passages{failed}", format::count(of.done), format::count(of.total))}
            </a>
            <span class="text-sm text-muted">{format::counted(of.examples, "example", "examples")}</span>
            <BatchTag status=batch.status />
            <span class="text-sm text-muted">
                <Ago at=batch.created_at />
            </span>
        </li>
    }
}
