//! The rows of a dataset as conversations.

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

const STRETCH: u32 = 25;

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
        </Loaded>
    }
}

#[component]
fn Row(row: DatasetRow) -> impl IntoView {
    let messages = row
        .row
        .get("messages")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let said = |message: &Value, key: &str| match message.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    view! {
        <li class="panel p-4">
            <p class="mb-2 text-sm text-muted">"Line " {row.line}</p>
            <dl class="space-y-2 text-sm">
                {messages
                    .iter()
                    .map(|message| {
                        view! {
                            <div class="grid gap-x-4 sm:grid-cols-[6rem_minmax(0,1fr)]">
                                <dt class="text-muted">{said(message, "role")}</dt>
                                <dd class="break-words whitespace-pre-wrap">{said(message, "content")}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
        </li>
    }
}
