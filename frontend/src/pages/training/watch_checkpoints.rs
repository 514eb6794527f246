//! Where training can go on from.

use crate::{
    api::jobs::{checkpoint_address, list_checkpoints},
    browser,
    components::{
        loaded::{Loaded, no_more_items},
        page_head::Panel,
        time::Ago,
    },
    events::Events,
    format,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::{Checkpoint, JobCursor, KEPT_ADAPTERS},
};
use leptos::prelude::*;
use std::time::Duration;

/// No event comes with a checkpoint, so they are read again this often while metrics come.
const AGAIN: Duration = Duration::from_secs(4);

#[component]
pub fn CheckpointsPanel(id: JobId) -> impl IntoView {
    let checkpoints = Remote::new(move || {
        list_checkpoints(
            id,
            JobCursor {
                limit: Some(2000),
                ..JobCursor::default()
            },
        )
    })
    .live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
    let refetch = browser::settled(AGAIN, move || checkpoints.refetch());
    Events::of_app().on(
        move |event| event.kind == EventKind::JobMetric && event.id == id.0,
        move |_| refetch(),
    );
    let empty = || view! { <p class="text-muted">"No checkpoint was written yet."</p> };
    let about = format!(
        "Adapters of {KEPT_ADAPTERS} checkpoints at most are kept, spread over the training, and the one with the least \
         validation loss among them."
    );
    view! {
        <Panel title="Checkpoints">
            <p class="mb-3 text-sm text-muted">{about}</p>
            <Loaded remote=checkpoints is_empty=no_more_items empty=empty let:page>
                <div class="max-h-80 overflow-auto" tabindex="0" role="region" aria-label="Checkpoints">
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">"Step"</th>
                                <th scope="col">"Loss"</th>
                                <th scope="col">"Validation"</th>
                                <th scope="col" class="hidden sm:table-cell">"Written"</th>
                                <th scope="col">"Adapter"</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || page.get().items key=|checkpoint| checkpoint.step let:checkpoint>
                                <Row id checkpoint />
                            </For>
                        </tbody>
                    </table>
                </div>
            </Loaded>
        </Panel>
    }
}

#[component]
fn Row(id: JobId, checkpoint: Checkpoint) -> impl IntoView {
    let loss = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), format::loss);
    let step = checkpoint.step;
    let adapter = match checkpoint.adapter_bytes {
        None => view! { <span class="text-muted">"Not kept"</span> }.into_any(),
        Some(bytes) => view! {
            <a
                href=checkpoint_address(id, step)
                download
                class="link-plain whitespace-nowrap"
                aria-label=format!("Download the adapter of step {}", format::count(step))
            >
                {format::size(bytes)}
            </a>
        }
        .into_any(),
    };
    view! {
        <tr>
            <td>{format::count(checkpoint.step)}</td>
            <td class="font-mono">{loss(checkpoint.train_loss)}</td>
            <td class="font-mono">{loss(checkpoint.validation_loss)}</td>
            <td class="hidden sm:table-cell">
                <Ago at=checkpoint.created_at />
            </td>
            <td>{adapter}</td>
        </tr>
    }
}
