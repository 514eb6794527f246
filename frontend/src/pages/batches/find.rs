//! One batch: how far it is, what it cost, and what failed.

use super::items::Items;
use crate::{
    api::{
        agents::find_agent,
        batches::{cancel_batch, find_batch, pause_batch, resume_batch, retry_batch},
    },
    browser,
    components::{
        button::Button,
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
        progress::Progress,
        status::BatchTag,
        time::Ago,
    },
    format,
    forms::Sending,
    pages::by_id::by_id,
    remote::Remote,
};
use cerebros_common::{
    batches::{Batch, BatchStatus, PauseReason},
    events::EventKind,
    ids::BatchId,
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn BatchPage() -> impl IntoView {
    browser::title("Batch");
    view! {
        {by_id(|id| view! { <OneBatch id /> })}
    }
}

#[component]
fn OneBatch(id: BatchId) -> impl IntoView {
    let remote = Remote::new(move || find_batch(id))
        .live(move |event| event.kind == EventKind::BatchChanged && event.id == id.0);
    view! {
        <Loaded remote let:batch>
            <Head batch />
            <div class="space-y-6">
                <State batch remote />
                <Paused batch />
                <Facts batch />
                <Items id />
            </div>
        </Loaded>
    }
}

#[component]
fn Head(batch: Signal<Batch>) -> impl IntoView {
    let agent_id = batch.with_untracked(|batch| batch.agent_id);
    let agent = Remote::new(move || find_agent(agent_id));
    let parents = Signal::derive(move || {
        let name = agent
            .with(|agent| agent.name.clone())
            .unwrap_or_else(|| "Assistant".to_owned());
        vec![
            ("Dashboard".to_owned(), "/dashboard".to_owned()),
            (name, format!("/assistants/{agent_id}?tab=generate")),
        ]
    });
    let review = move || batch.with(|batch| format!("/assistants/{agent_id}?tab=examples&batch={}", batch.id));
    view! {
        <PageHead title="Batch" parents>
            <Show when=move || batch.with(|batch| batch.progress.examples > 0)>
                <a href=review class="btn btn-primary">
                    <Icon icon=icondata::LuListChecks />
                    "Review the examples"
                </a>
            </Show>
        </PageHead>
    }
}

#[component]
fn State(batch: Signal<Batch>, remote: Remote<Batch>) -> impl IntoView {
    let status = Memo::new(move |_| batch.with(|batch| batch.status));
    let progress = move || batch.with(|batch| batch.progress);
    let part = Signal::derive(move || {
        let of = progress();
        (of.done + of.failed + of.skipped) as f64 / of.total.max(1) as f64
    });
    let line = move || {
        let of = progress();
        let mut line = format!(
            "{} of {}",
            format::count(of.done),
            format::counted(of.total, "passage", "passages")
        );
        for (count, what) in [(of.failed, "failed"), (of.skipped, "left out")] {
            if count > 0 {
                line.push_str(&format!(", {} {what}", format::count(count)));
            }
        }
        line
    };
    let made = move || {
        let target = batch.with(|batch| batch.target_count);
        let of_target = target
            .map(|target| format!(" of {}", format::count(target)))
            .unwrap_or_default();
        format!("{}{of_target} examples", format::count(progress().examples))
    };
    view! {
        <section class="panel space-y-4 p-4 sm:p-6" aria-label="Progress">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-2">
                {move || view! { <BatchTag status=status.get() /> }}
                <p class="grow basis-48" aria-live="polite">
                    <span class="font-medium">{line}</span>
                    <span class="text-muted">" · " {made}</span>
                </p>
                <May role=Role::Editor>
                    <Buttons batch remote />
                </May>
            </div>
            <Progress part label="Passages done" />
        </section>
    }
}

#[component]
fn Buttons(batch: Signal<Batch>, remote: Remote<Batch>) -> impl IntoView {
    let id = batch.with_untracked(|batch| batch.id);
    let status = Memo::new(move |_| batch.with(|batch| batch.status));
    let (asking, sending, cancelling) = (RwSignal::new(false), Sending::in_toasts(), Sending::new());
    let pause = Callback::new(move |()| sending.start(pause_batch(id), move |batch| remote.set(batch)));
    let resume = Callback::new(move |()| sending.start(resume_batch(id), move |batch| remote.set(batch)));
    let retry = Callback::new(move |()| sending.start(retry_batch(id), move |batch| remote.set(batch)));
    let cancel = Callback::new(move |()| {
        cancelling.start(cancel_batch(id), move |batch| {
            asking.set(false);
            remote.set(batch);
        });
    });
    let failed = move || batch.with(|batch| batch.progress.failed > 0 && batch.status != BatchStatus::Cancelled);
    view! {
        <Show when=failed>
            <Button busy=sending.busy class="btn btn-sm" on_click=retry>
                <Icon icon=icondata::LuRotateCcw />
                "Retry failed"
            </Button>
        </Show>
        <Show when=move || status.get() == BatchStatus::Running>
            <Button busy=sending.busy class="btn btn-sm" on_click=pause>
                <Icon icon=icondata::LuPause />
                "Pause"
            </Button>
        </Show>
        <Show when=move || status.get() == BatchStatus::Paused>
            <Button busy=sending.busy class="btn btn-sm btn-primary" on_click=resume>
                <Icon icon=icondata::LuPlay />
                "Continue"
            </Button>
        </Show>
        <Show when=move || !status.get().is_over()>
            <button type="button" class="btn btn-sm" on:click=move |_| asking.set(true)>
                <Icon icon=icondata::LuSquare />
                "Cancel"
            </button>
        </Show>
        <Confirm open=asking title="Cancel this batch?" action="Cancel batch" sending=cancelling confirmed=cancel>
            <p>"What it has made stays. It cannot be continued."</p>
        </Confirm>
    }
}

/// Why it rests, unless somebody wanted it so.
#[component]
fn Paused(batch: Signal<Batch>) -> impl IntoView {
    move || {
        let pause = batch.with(|batch| batch.pause.clone());
        pause.filter(|pause| pause.reason != PauseReason::Person).map(|pause| {
            view! {
                <div role="alert" class="flex gap-2 rounded-field bg-tint-amber p-4 text-ink-amber">
                    <Icon icon=icondata::LuTriangleAlert class="mt-1 size-4" />
                    <p>{pause.message}</p>
                </div>
            }
        })
    }
}

#[component]
fn Facts(batch: Signal<Batch>) -> impl IntoView {
    view! {
        <Panel title="How it is made">
            {move || {
                let batch = batch.get();
                let of = batch.progress;
                let model = batch.model.clone();
                let by_model = model.is_some();
                let cost = of.cost_micros.map_or_else(|| "no price known".to_owned(), format::dollars);
                view! {
                    <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 md:grid-cols-4">
                        <Fact name="Made by">{model.unwrap_or_else(|| "the text itself, no language model".to_owned())}</Fact>
                        <Fact name="From each passage">{format!("up to {}", batch.per_chunk)}</Fact>
                        {by_model
                            .then(|| {
                                view! {
                                    <Fact name="Tokens">{format!("{} in, {} out", format::count(of.prompt_tokens), format::count(of.completion_tokens))}</Fact>
                                    <Fact name="Cost so far">{cost}</Fact>
                                    <Fact name="Judged by the model">{if batch.judge { "Yes" } else { "No" }}</Fact>
                                }
                            })}
                        <Fact name="Started">
                            <Ago at=batch.created_at />
                        </Fact>
                        {batch.finished_at.map(|at| view! { <Fact name="Ended"><Ago at /></Fact> })}
                    </dl>
                }
            }}
        </Panel>
    }
}
