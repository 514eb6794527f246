//! One document in a list: what it is, how far it is, what can be done.

use super::{icon::Icon, status::DocumentTag};
use crate::{address::word, format};
use cerebros_common::documents::{Document, DocumentStatus};
use leptos::prelude::*;

#[component]
pub fn DocumentRow(
    document: Document,
    retry: Callback<Document>,
    remove: Callback<Document>,
    /// Whether the buttons are there.
    changes: Signal<bool>,
) -> impl IntoView {
    let document = StoredValue::new(document);
    let facts = document.with_value(|document| {
        let mut facts = vec![word(&document.format).to_uppercase(), format::size(document.size_bytes)];
        facts.extend(
            document
                .pages
                .map(|pages| format::counted(u64::from(pages), "page", "pages")),
        );
        if document.examples > 0 {
            facts.push(format::counted(document.examples, "example", "examples"));
        }
        facts.join(" · ")
    });
    let (id, name, status, error) = document.with_value(|document| {
        (
            document.id,
            document.name.clone(),
            document.status,
            document.error.clone(),
        )
    });
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-4">
            <span class="text-muted">
                <Icon icon=icondata::LuFileText class="size-5" />
            </span>
            <div class="min-w-0 grow basis-48">
                <a href=format!("/documents/{id}") class="block truncate font-medium hover:underline">
                    {name}
                </a>
                <p class="text-sm text-muted">{facts}</p>
            </div>
            <DocumentTag status />
            <Show when=move || changes.get()>
                <div class="ml-auto flex gap-1">
                    {(status == DocumentStatus::Error)
                        .then(|| {
                            view! {
                                <button type="button" class="btn btn-sm" on:click=move |_| retry.run(document.get_value())>
                                    <Icon icon=icondata::LuRotateCcw />
                                    "Retry"
                                </button>
                            }
                        })}
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square"
                        aria-label=document.with_value(|document| format!("Delete {}", document.name))
                        on:click=move |_| remove.run(document.get_value())
                    >
                        <Icon icon=icondata::LuTrash2 />
                    </button>
                </div>
            </Show>
            {error.map(|error| view! { <p class="basis-full text-sm text-error">{error.message}</p> })}
        </li>
    }
}
