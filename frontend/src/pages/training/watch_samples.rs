//! The validation rows that the model says best and worst.

use crate::{
    api::jobs::find_samples,
    components::{loaded::Loaded, page_head::Panel},
    format,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::{JobSamples, RowSample},
};
use leptos::prelude::*;

#[component]
pub fn SamplesPanel(id: JobId) -> impl IntoView {
    let samples = Remote::new(move || find_samples(id))
        .live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
    let none: fn(&JobSamples) -> bool = |samples| samples.step.is_none();
    let empty = || view! { <p class="text-muted">"They come with the first evaluation, after an epoch, where rows are kept for validation."</p> };
    view! {
        <Panel title="Best and worst validation rows">
            <Loaded remote=samples is_empty=none empty=empty let:samples>
                {move || {
                    let JobSamples { step, best, worst } = samples.get();
                    view! {
                        <p class="mb-4 text-sm text-muted">
                            {format!("As the model says them after step {}.", format::count(step.unwrap_or_default()))}
                        </p>
                        <div class="grid gap-6 lg:grid-cols-2">
                            <Rows title="Said best" rows=best />
                            <Rows title="Said worst" rows=worst />
                        </div>
                    }
                }}
            </Loaded>
        </Panel>
    }
}

#[component]
fn Rows(title: &'static str, rows: Vec<RowSample>) -> impl IntoView {
    let none = rows
        .is_empty()
        .then(|| view! { <p class="text-sm text-muted">"No other row was kept for validation."</p> });
    view! {
        <section aria-label=title>
            <h3 class="mb-2 font-medium">{title}</h3>
            {none}
            <ol class="space-y-3">{rows.into_iter().map(|row| view! { <Row row /> }).collect_view()}</ol>
        </section>
    }
}

#[component]
fn Row(row: RowSample) -> impl IntoView {
    let figure = match row.margin {
        Some(margin) => format!("reward margin {margin:.3}"),
        None => format!("loss {} a token", format::loss(row.loss)),
    };
    let head = format!(
        "Validation row {} · {figure} · {}",
        format::count(row.row),
        format::counted(row.tokens, "token", "tokens")
    );
    let rejected = row.rejected.map(|text| view! { <Text name="Worse" text /> });
    let name = if rejected.is_some() { "Better" } else { "Answer" };
    view! {
        <li class="rounded-field bg-base-200 p-3 text-sm">
            <p class="mb-2 font-mono text-xs text-muted">{head}</p>
            <dl class="space-y-1">
                <Text name="Before" text=row.prompt />
                <Text name text=row.answer />
                {rejected}
            </dl>
        </li>
    }
}

#[component]
fn Text(name: &'static str, text: String) -> impl IntoView {
    view! {
        <div class="grid grid-cols-[4rem_1fr] gap-2">
            <dt class="text-muted">{name}</dt>
            <dd class="max-h-32 min-w-0 overflow-y-auto break-words whitespace-pre-wrap">{text}</dd>
        </div>
    }
}
