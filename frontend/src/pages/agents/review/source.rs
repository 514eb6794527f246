//! The passage that an example was made from, in the text around it.

use crate::{
    api::documents::find_text,
    components::{icon::Icon, loaded::Loaded, passage::Passage},
    remote::Remote,
};
use cerebros_common::{documents::DocumentTextQuery, examples::ExampleSource};
use leptos::prelude::*;

/// Characters shown on each side of the quote.
const AROUND: u64 = 500;

#[component]
pub fn Source(source: Memo<Option<ExampleSource>>) -> impl IntoView {
    let surroundings = Remote::new(move || {
        let source = source.get();
        async move {
            let Some(source) = source else { return Ok(None) };
            let offset = source.start.saturating_sub(AROUND);
            let query = DocumentTextQuery {
                offset: Some(offset),
                length: Some((source.end + AROUND - offset).min(100_000)),
            };
            let text = find_text(source.document_id, query).await?;
            Ok(Some((source, text)))
        }
    });
    view! {
        <aside aria-label="Source" class="min-w-0">
            <Loaded remote=surroundings let:found>
                {move || match found.get() {
                    None => {
                        view! {
                            <p class="panel p-4 text-sm text-muted">
                                "A person wrote this example. It quotes no document."
                            </p>
                        }
                            .into_any()
                    }
                    Some((source, text)) => {
                        let span = Some((source.start, source.end));
                        view! {
                            <div class="panel overflow-hidden">
                                <Origin source />
                                <div class="max-h-96 overflow-y-auto p-4" tabindex="0" role="region" aria-label="Text around the quote">
                                    <Passage text=text.text offset=text.offset pages=text.pages span />
                                </div>
                            </div>
                        }
                            .into_any()
                    }
                }}
            </Loaded>
        </aside>
    }
}

#[component]
fn Origin(source: ExampleSource) -> impl IntoView {
    let href = format!("/documents/{}?at={}-{}", source.document_id, source.start, source.end);
    view! {
        <div class="border-b border-line px-4 py-2 text-sm">
            <a href=href class="link-plain flex min-w-0 items-center gap-1">
                <Icon icon=icondata::LuFileText />
                <span class="truncate">{source.document_name}</span>
            </a>
            <p class="truncate text-muted">
                {source.page.map(|page| format!("Page {page}"))}
                {(source.page.is_some() && source.heading.is_some()).then_some(" · ")}
                {source.heading}
            </p>
        </div>
    }
}
