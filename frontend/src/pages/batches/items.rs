//! The passages of a batch, and why some failed.

use crate::{
    address::{Address, word},
    api::batches::list_batch_items,
    components::{
        filters::Choice,
        loaded::Loaded,
        page_head::Panel,
        status::{BatchItemTag, batch_item_status},
    },
    format,
    remote::{Remote, read_on},
};
use cerebros_common::{
    batches::{BatchItem, BatchItemQuery, BatchItemStatus},
    events::EventKind,
    ids::BatchId,
};
use leptos::prelude::*;

const STRETCH: usize = 50;

const STATUSES: [BatchItemStatus; 5] = [
    BatchItemStatus::Failed,
    BatchItemStatus::Running,
    BatchItemStatus::Waiting,
    BatchItemStatus::Done,
    BatchItemStatus::Skipped,
];

#[component]
pub fn Items(id: BatchId) -> impl IntoView {
    let address = Address::of_page();
    let (wanted, more) = (RwSignal::new(STRETCH), RwSignal::new(false));
    let items = Remote::new(move || {
        let (status, wanted) = (address.word("status"), wanted.get());
        read_on(wanted, more, move |cursor| {
            let query = BatchItemQuery {
                status,
                cursor,
                limit: Some(50),
            };
            list_batch_items(id, query)
        })
    })
    .live(move |event| event.kind == EventKind::BatchChanged && event.id == id.0);
    let options = STATUSES
        .map(|status| (word(&status), batch_item_status(status).1.to_owned()))
        .to_vec();
    let filter =
        move || view! { <Choice address key="status" label="Status" all="All passages" options=options.clone() /> };
    view! {
        <Panel title="Passages" actions=ViewFn::from(filter)>
            <Loaded
                remote=items
                is_empty=Vec::is_empty
                empty=|| view! { <p class="text-muted">"No passage is in this state."</p> }
                let:items
            >
                <ul class="divide-y divide-line">
                    <For each=move || items.get() key=|item| (item.id, item.status, item.updated_at) let:item>
                        <Row item />
                    </For>
                </ul>
                <Show when=move || more.get()>
                    <button type="button" class="btn btn-sm mt-4" on:click=move |_| wanted.update(|wanted| *wanted += STRETCH)>
                        "Show more"
                    </button>
                </Show>
            </Loaded>
        </Panel>
    }
}

#[component]
fn Row(item: BatchItem) -> impl IntoView {
    let result = match item.status {
        BatchItemStatus::Done => format::counted(u64::from(item.examples), "example", "examples"),
        _ => String::new(),
    };
    let passage = format!(
        "/documents/{}?at={}-{}",
        item.document_id, item.place.start, item.place.end
    );
    let place = match (item.place.page, item.place.heading) {
        (Some(page), Some(heading)) => format!(" · page {page}, {heading}"),
        (Some(page), None) => format!(" · page {page}"),
        (None, Some(heading)) => format!(" · passage {}, {heading}", item.place.index + 1),
        (None, None) => format!(" · passage {}", item.place.index + 1),
    };
    let again = (item.round > 1).then(|| format!("asked {} times", item.round));
    view! {
        <li class="space-y-1 py-3">
            <div class="flex flex-wrap items-center gap-x-4 gap-y-1">
                <a href=passage class="min-w-0 grow basis-40 truncate hover:underline">
                    {item.document_name}
                    <span class="text-muted">{place}</span>
                </a>
                <span class="text-sm text-muted">{result}</span>
                {again.map(|again| view! { <span class="text-sm text-muted">{again}</span> })}
                <BatchItemTag status=item.status />
            </div>
            {item.error.map(|error| view! { <p class="text-sm text-error">{error.message}</p> })}
        </li>
    }
}
