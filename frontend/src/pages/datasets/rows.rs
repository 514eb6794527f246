//! The rows of a dataset: conversations, pairs of answers to one, or texts.

use crate::{
    api::datasets::list_rows,
    components::loaded::{Empty, Loaded},
    remote::{Remote, read_on},
};
use cerebros_common::{
    datasets::{DatasetCursor, DatasetRow},
    ids::DatasetId,
};
use leptos::prelude::*;
use serde_json::Value;

pub const STRETCH: u32 = 25;

#[component]
pub fn Rows(id: DatasetId) -> impl IntoView {
    let wanted = RwSignal::new(STRETCH as usize);
    let more = RwSignal::new(false);
    let rows = Remote::new(move || {
        read_on(wanted.get(), more, move |cursor| {
            let query = DatasetCursor {
                cursor,
                limit: Some(STRETCH),
            };
            list_rows(id, query)
        })
    });
    let empty = || view! { <Empty icon=icondata::LuRows3 title="No row can be used" text="The findings say what is wrong with each line." /> };
    view! {
        <Loaded remote=rows is_empty=Vec::is_empty empty=empty let:rows>
            <RowList rows wanted more />
        </Loaded>
    }
}

/// Rows, and a button for more of them.
#[component]
pub fn RowList(rows: Signal<Vec<DatasetRow>>, wanted: RwSignal<usize>, more: RwSignal<bool>) -> impl IntoView {
    view! {
        <ol class="space-y-4">
            <For each=move || rows.get() key=|row| row.line let:row>
                <Row row />
            </For>
        </ol>
        <Show when=move || more.get()>
            <button type="button" class="btn mt-4" on:click=move |_| wanted.update(|wanted| *wanted += STRETCH as usize)>
                "Load more rows"
            </button>
        </Show>
    }
}

#[component]
fn Row(row: DatasetRow) -> impl IntoView {
    view! {
        <li class="panel p-4">
            <p class="mb-2 text-sm text-muted">"Line " {row.line}</p>
            <dl class="space-y-2 text-sm">
                {said(&row.row)
                    .into_iter()
                    .map(|(who, what)| {
                        view! {
                            <div class="grid gap-x-4 sm:grid-cols-[6rem_minmax(0,1fr)]">
                                <dt class="text-muted">{who}</dt>
                                <dd class="break-words whitespace-pre-wrap">{what}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
        </li>
    }
}

/// Who says what, in order.
fn said(row: &Value) -> Vec<(String, String)> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let mut said = Vec::new();
    for (member, name) in [
        ("messages", None),
        ("prompt", None),
        ("chosen", Some("better")),
        ("rejected", Some("worse")),
    ] {
        for message in row.get(member).and_then(Value::as_array).into_iter().flatten() {
            let who = name.map_or_else(|| text(message.get("role")), str::to_owned);
            let calls = message.get("tool_calls").filter(|calls| !calls.is_null());
            let what = [message.get("content"), calls].map(text).join("\n");
            said.push((who, what.trim_matches('\n').to_owned()));
        }
    }
    if let Some(found) = row.get("text") {
        said.push(("text".to_owned(), text(Some(found))));
    }
    said
}
