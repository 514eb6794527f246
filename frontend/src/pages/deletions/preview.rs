//! What a deletion would do.

use super::{Ask, counts::in_words};
use crate::{
    api::deletions::preview_deletion,
    components::{icon::Icon, loaded::Loaded},
    remote::Remote,
};
use cerebros_common::deletions::{Affected, Deletion, DeletionPreview, DeletionSubject, DeletionTarget};
use leptos::prelude::*;

#[component]
pub fn Preview(target: DeletionTarget, accepted: Callback<Deletion>) -> impl IntoView {
    let preview = Remote::new(move || preview_deletion(target));
    view! {
        <Loaded remote=preview let:preview>
            {move || {
                let preview = preview.get();
                view! {
                    <Consequences preview=preview.clone() />
                    <Ask preview accepted />
                }
            }}
        </Loaded>
    }
}

#[component]
fn Consequences(preview: DeletionPreview) -> impl IntoView {
    let stays = matches!(preview.subject, DeletionSubject::Document | DeletionSubject::Agent);
    view! {
        <div class="space-y-4">
            <Blocking workspaces=preview.blocking />
            <div>
                <p>"This goes, and cannot be brought back:"</p>
                <ul class="list-disc pl-6">
                    {in_words(&preview.counts, preview.bytes).into_iter().map(|words| view! { <li>{words}</li> }).collect_view()}
                </ul>
            </div>
            <Named things=preview.workspaces text="These workspaces go along, because you are their only member:" />
            {stays
                .then(|| {
                    view! {
                        <Named things=preview.datasets text="These datasets hold its text, and lose their content:" />
                        <Named things=preview.models text="These models learned from it. They stay, but answer no more:" />
                    }
                })}
        </div>
    }
}

#[component]
fn Named(things: Vec<Affected>, text: &'static str) -> impl IntoView {
    (!things.is_empty()).then(|| {
        view! {
            <div>
                <p>{text}</p>
                <ul class="max-h-40 list-disc overflow-y-auto pl-6 break-words">
                    {things.into_iter().map(|thing| view! { <li>{thing.name}</li> }).collect_view()}
                </ul>
            </div>
        }
    })
}

#[component]
fn Blocking(workspaces: Vec<Affected>) -> impl IntoView {
    (!workspaces.is_empty()).then(|| {
        let names: Vec<String> = workspaces.into_iter().map(|workspace| workspace.name).collect();
        view! {
            <p role="alert" class="flex gap-2 rounded-field bg-tint-amber px-4 py-2 text-sm text-ink-amber">
                <Icon icon=icondata::LuTriangleAlert class="mt-0.5 size-4" />
                <span class="min-w-0 break-words">
                    "You own workspaces that have other members. Hand them over or delete them first: " {names.join(", ")}
                </span>
            </p>
        }
    })
}
