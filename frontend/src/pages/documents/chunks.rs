//! The chunks that a document's text is cut into: where each stands, and how long it is.

use crate::{
    api::documents::list_chunks,
    components::{button::Button, error_view::Alert, loaded::Loaded, page_head::Panel},
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    documents::{Chunk, ChunkQuery},
    ids::DocumentId,
    wire::CursorPage,
};
use leptos::prelude::*;

const AT_ONCE: u32 = 20;

#[component]
pub fn ChunksPanel(id: DocumentId) -> impl IntoView {
    let read = move |cursor| {
        list_chunks(
            id,
            ChunkQuery {
                cursor,
                limit: Some(AT_ONCE),
            },
        )
    };
    let chunks: Remote<CursorPage<Chunk>> = Remote::new(move || read(None));
    let sending = Sending::new();
    view! {
        <Panel title="Chunks">
            <p class="mb-4 max-w-prose text-sm text-muted">
                "The text is cut into overlapping pieces, which examples are made from and search looks through."
            </p>
            <Loaded remote=chunks let:shown>
                <ol class="divide-y divide-line">
                    <For
                        each=move || shown.with(|shown| shown.items.clone())
                        key=|chunk| chunk.id
                        children=move |chunk| view! { <OneChunk chunk /> }
                    />
                </ol>
                <Alert error=sending.error />
                <Show when=move || shown.with(|shown| shown.next_cursor.is_some())>
                    <Button
                        busy=sending.busy
                        class="btn btn-sm mt-4"
                        on_click=Callback::new(move |()| {
                            let now = shown.get_untracked();
                            sending
                                .start(
                                    read(now.next_cursor.clone()),
                                    move |more| {
                                        let mut all = now.items;
                                        all.extend(more.items);
                                        chunks
                                            .set(CursorPage {
                                                items: all,
                                                next_cursor: more.next_cursor,
                                            });
                                    },
                                );
                        })
                    >
                        "Show more chunks"
                    </Button>
                </Show>
            </Loaded>
        </Panel>
    }
}

#[component]
fn OneChunk(chunk: Chunk) -> impl IntoView {
    let href = format!("/documents/{}?at={}-{}", chunk.document_id, chunk.start, chunk.end);
    let title = match chunk.headings.is_empty() {
        true => format!("Chunk {}", chunk.index + 1),
        false => chunk.headings.join(" › "),
    };
    view! {
        <li class="flex flex-wrap items-baseline justify-between gap-x-4 py-2">
            <a href=href class="link-plain min-w-0 break-words">
                {title}
            </a>
            <span class="text-sm text-muted">
                {chunk.page.map(|page| format!("page {page} · "))}
                {format::count(u64::from(chunk.tokens))}
                " tokens"
            </span>
        </li>
    }
}
