//! The model card.

use crate::{
    api::models::{card_address, find_card},
    components::{icon::Icon, loaded::Loaded, page_head::Panel},
    remote::Remote,
};
use cerebros_common::{ids::ModelId, models::Model};
use leptos::prelude::*;

#[component]
pub fn CardPanel(model: Signal<Model>) -> impl IntoView {
    let id: ModelId = model.with_untracked(|model| model.id);
    let card = Remote::new(move || find_card(id));
    let download = move || {
        view! {
            <a href=card_address(id) download class="btn btn-sm">
                <Icon icon=icondata::LuDownload />
                "Download card"
            </a>
        }
    };
    view! {
        <Panel title="Model card" actions=ViewFn::from(download)>
            <p class="mb-4 max-w-prose text-muted">
                "Markdown made of what is known, for whoever gets the model. What it is meant for is left for you to write."
            </p>
            <Loaded remote=card let:card>
                <details>
                    <summary class="cursor-pointer text-sm font-medium">"Show the card"</summary>
                    <pre tabindex="0" aria-label="Model card" class="mt-4 max-h-96 overflow-auto rounded-field bg-base-200 p-4 font-mono text-sm whitespace-pre-wrap">
                        {move || card.get()}
                    </pre>
                </details>
            </Loaded>
        </Panel>
    }
}
