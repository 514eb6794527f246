//! The passage that an example was made from, in the text around it.

use super::passages::Passages;
use crate::{
    browser,
    components::{
        icon::Icon,
        loaded::Loaded,
        reading::{Mark, Reading},
    },
    remote::Remote,
};
use cerebros_common::examples::{ExampleSource, Grounding};
use leptos::prelude::*;

#[component]
pub fn Source(source: Memo<Option<(ExampleSource, Grounding)>>, passages: Passages) -> impl IntoView {
    let surroundings = Remote::new(move || {
        let source = source.get();
        async move {
            let Some((source, grounding)) = source else {
                return Ok(None);
            };
            let text = passages.find(&source).await?;
            Ok(Some((source, grounding, text)))
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
                    Some((source, grounding, text)) => {
                        let found = grounding == Grounding::Grounded;
                        let mark = Mark {
                            start: source.start,
                            end: source.end,
                            current: true,
                        };
                        let marks: Vec<Mark> = found.then_some(mark).into_iter().collect();
                        let quote = (!found).then(|| source.quote.clone());
                        view! {
                            <div class="panel overflow-hidden">
                                <Origin source />
                                {quote.map(|quote| view! { <Missing quote /> })}
                                <div class="max-h-72 overflow-y-auto p-4 text-sm lg:max-h-[28rem]" tabindex="0" role="region" aria-label="Text around the quote">
                                    <Reading text marks reveal=browser::reveal_in_region />
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

/// A quotation that does not stand in the document.
#[component]
fn Missing(quote: String) -> impl IntoView {
    view! {
        <div class="border-b border-line bg-tint-amber px-4 py-2 text-sm text-ink-amber">
            <p class="font-medium">"This quotation does not stand in the document:"</p>
            <blockquote class="mt-1 max-h-40 overflow-y-auto break-words whitespace-pre-wrap" tabindex="0">{quote}</blockquote>
        </div>
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
