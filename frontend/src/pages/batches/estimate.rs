//! What an order would take, in words.

use crate::{components::loaded::Loaded, format, remote::Remote};
use cerebros_common::batches::BatchEstimate;
use leptos::prelude::*;

#[component]
pub fn Estimate(estimate: Remote<BatchEstimate>) -> impl IntoView {
    view! {
        <Loaded remote=estimate skeleton=|| view! { <p class="text-muted">"Counting…"</p> } let:estimate>
            {move || {
                let estimate = estimate.get();
                view! {
                    <p class="font-medium">
                        {format!(
                            "{}, at most {}",
                            format::counted(estimate.chunks, "passage", "passages"),
                            format::counted(estimate.examples, "example", "examples"),
                        )}
                    </p>
                    <p class="text-sm text-muted">{cost(&estimate)}</p>
                }
            }}
        </Loaded>
    }
}

fn cost(estimate: &BatchEstimate) -> String {
    let Some(model) = &estimate.model else {
        return "No language model is used: they are built from the text itself and cost nothing.".to_owned();
    };
    let calls = range(
        format::count(estimate.calls_min),
        format::counted(estimate.calls_max, "call", "calls"),
    );
    let tokens = range(
        format::quantity(estimate.tokens_min),
        format!("{} tokens", format::quantity(estimate.tokens_max)),
    );
    let money = match (estimate.cost_micros_min, estimate.cost_micros_max) {
        (Some(min), Some(max)) => range(format::dollars(min), format::dollars(max)),
        _ => "no price is known for this model".to_owned(),
    };
    format!("{model}: {calls}, {tokens}, {money}.")
}

/// `2 to 4 calls`, or one of them where both say the same.
fn range(min: String, max: String) -> String {
    if max == min || max.starts_with(&format!("{min} ")) {
        max
    } else {
        format!("{min} to {max}")
    }
}
