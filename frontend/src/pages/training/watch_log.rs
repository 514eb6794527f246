//! What the trainer said.

use crate::{
    api::jobs::list_log,
    browser,
    components::{
        loaded::{Loaded, no_more_items},
        page_head::Panel,
    },
    events::Events,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::{JobCursor, JobLogLine},
};
use chrono::Local;
use leptos::prelude::*;
use std::time::Duration;

/// No event comes with a line, so the log is read again this often while metrics come.
const AGAIN: Duration = Duration::from_secs(2);

#[component]
pub fn LogPanel(id: JobId) -> impl IntoView {
    let log = Remote::new(move || {
        list_log(
            id,
            JobCursor {
                limit: Some(2000),
                ..JobCursor::default()
            },
        )
    })
    .live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
    let refetch = browser::settled(AGAIN, move || log.refetch());
    Events::of_app().on(
        move |event| event.kind == EventKind::JobMetric && event.id == id.0,
        move |_| refetch(),
    );
    let empty = || view! { <p class="text-muted">"Nothing was logged yet."</p> };
    view! {
        <Panel title="Log">
            <Loaded remote=log is_empty=no_more_items empty=empty let:page>
                <ol class="max-h-80 overflow-y-auto font-mono text-sm" tabindex="0" aria-label="Log">
                    <For each=move || page.get().items.into_iter().enumerate() key=|(index, _)| *index let((_, line))>
                        <Line line />
                    </For>
                </ol>
            </Loaded>
        </Panel>
    }
}

#[component]
fn Line(line: JobLogLine) -> impl IntoView {
    let colour = match line.level.as_str() {
        "error" => "text-error",
        "warn" => "text-warning",
        _ => "",
    };
    view! {
        <li class=format!("flex gap-4 py-0.5 {colour}")>
            <time class="shrink-0 text-muted" datetime=line.at.to_rfc3339()>
                {line.at.with_timezone(&Local).format("%H:%M:%S").to_string()}
            </time>
            <span class="min-w-0 break-words">{line.message}</span>
        </li>
    }
}
