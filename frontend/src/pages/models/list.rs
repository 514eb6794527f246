//! All trained models.

use crate::{
    address::Address,
    api::models::list_models,
    browser,
    components::{
        loaded::{Empty, Loaded, no_items},
        page_head::PageHead,
        pager::Pager,
        tag::{Colour, Tag},
        time::Ago,
    },
    format,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    models::{Model, ModelQuery},
};
use leptos::prelude::*;

#[component]
pub fn ModelsPage() -> impl IntoView {
    browser::title("Models");
    let address = Address::of_page();
    let models = Remote::new(move || {
        list_models(ModelQuery {
            page: address.page(),
            ..ModelQuery::default()
        })
    })
    .live(|event| {
        matches!(
            event.kind,
            EventKind::ModelChanged | EventKind::ModelDeleted | EventKind::AgentChanged
        )
    });
    let empty = || {
        view! {
            <Empty icon=icondata::LuBox title="No model yet" text="Training makes one. Start with an assistant, or with a dataset.">
                <a href="/dashboard" class="btn btn-primary">"Go to the assistants"</a>
                <a href="/datasets" class="btn">"Go to the datasets"</a>
            </Empty>
        }
    };
    view! {
        <PageHead title="Models" text="Each is an adapter that you can download and use elsewhere." />
        <Loaded remote=models is_empty=no_items empty=empty let:page>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Models">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Base"</th>
                            <th scope="col">"Stars"</th>
                            <th scope="col">"Validation loss"</th>
                            <th scope="col">"Size"</th>
                            <th scope="col">"Use"</th>
                            <th scope="col">"Trained"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().items key=|model| (model.id, model.serving, model.source_deleted_at) let:model>
                            <Row model />
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="model" many="models" />
        </Loaded>
    }
}

#[component]
fn Row(model: Model) -> impl IntoView {
    let loss = match (model.initial_validation_loss, model.validation_loss) {
        (Some(before), Some(after)) => format!("{} → {}", format::loss(before), format::loss(after)),
        (None, Some(after)) => format::loss(after),
        (_, None) => "–".to_owned(),
    };
    view! {
        <tr>
            <td class="max-w-72">
                <a href=format!("/models/{}", model.id) class="block truncate font-medium hover:underline">
                    {model.name}
                </a>
            </td>
            <td class="whitespace-nowrap">{model.base_name}</td>
            <td class="whitespace-nowrap">{model.quality.stars.map_or_else(|| "–".to_owned(), |stars| format!("{stars} of 5"))}</td>
            <td class="font-mono whitespace-nowrap">{loss}</td>
            <td class="whitespace-nowrap">{format::size(model.size_bytes)}</td>
            <td>
                {if model.source_deleted_at.is_some() {
                    view! { <Tag colour=Colour::Red text="Source deleted" /> }.into_any()
                } else if model.serving {
                    view! { <Tag colour=Colour::Green text="Answers" /> }.into_any()
                } else {
                    view! { <Tag colour=Colour::Grey text="Not in use" /> }.into_any()
                }}
            </td>
            <td>
                <Ago at=model.created_at />
            </td>
        </tr>
    }
}
