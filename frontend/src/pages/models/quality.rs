//! How good a model is, with the parts that the stars are made of.

use crate::{
    components::{
        icon::Icon,
        page_head::{Fact, Panel},
    },
    format,
};
use cerebros_common::models::Model;
use leptos::prelude::*;

#[component]
pub fn QualityPanel(model: Signal<Model>) -> impl IntoView {
    view! {
        <Panel title="Quality">
            {move || {
                let quality = model.with(|model| model.quality.clone());
                let or_dash = |part: Option<f64>| part.map_or_else(|| "–".to_owned(), format::percent);
                view! {
                    {match quality.stars {
                        Some(stars) => view! { <Stars stars /> }.into_any(),
                        None => {
                            view! { <p class="text-muted">{format!("No stars. {}", quality.missing.unwrap_or_default())}</p> }.into_any()
                        }
                    }}
                    <dl class="mt-4 grid grid-cols-1 gap-4 min-[420px]:grid-cols-3">
                        <Fact name="Of the way to half the base's loss">{or_dash(quality.loss)}</Fact>
                        <Fact name="Right next words">{or_dash(quality.token_accuracy)}</Fact>
                        <Fact name="Words in common with held-out answers">{or_dash(quality.generation)}</Fact>
                    </dl>
                    <details class="mt-4 text-sm text-muted">
                        <summary class="cursor-pointer">"How the stars are counted"</summary>
                        <p class="mt-2 max-w-prose">
                            "All three are measured on rows that the model did not learn from. Stars are 1 plus 4 times their mean, rounded; 1 where the loss did not fall below the base's."
                        </p>
                    </details>
                }
            }}
        </Panel>
    }
}

#[component]
pub fn Stars(stars: u8) -> impl IntoView {
    let star = |number: u8| {
        let class = if number <= stars {
            "size-5 fill-current text-ink-amber"
        } else {
            "size-5 text-muted"
        };
        view! { <Icon icon=icondata::LuStar class /> }
    };
    view! {
        <p class="flex flex-wrap items-center gap-2">
            <span class="flex" aria-hidden="true">
                {(1..=5).map(star).collect_view()}
            </span>
            <span class="font-medium">{format!("{stars} of 5 stars")}</span>
        </p>
    }
}
