//! What the provider last told of its rate limits.

use crate::{
    components::{
        progress::Progress,
        tag::{Colour, Tag},
        time::{Ago, Moment},
    },
    format,
};
use cerebros_common::llm_settings::{LlmSettings, RateLevel, RateWindow};
use leptos::prelude::*;

#[component]
pub fn Limits(settings: Signal<LlmSettings>) -> impl IntoView {
    move || {
        match settings.with(|settings| settings.rate_limits.clone()) {
        None => view! {
            <p class="max-w-prose text-muted">
                "The provider has told nothing of rate limits yet. Where it does, questions wait before it would refuse them."
            </p>
        }
        .into_any(),
        Some(limits) => {
            let (colour, text) = match limits.level {
                RateLevel::Ok => (Colour::Green, "Enough left"),
                RateLevel::Warning => (Colour::Amber, "Less than a quarter left"),
                RateLevel::Critical => (Colour::Red, "Less than a tenth left"),
            };
            view! {
                <div class="space-y-4">
                    <p class="flex flex-wrap items-center gap-2">
                        <Tag colour text />
                        <span class="text-sm text-muted">"Told " <Ago at=limits.at /></span>
                    </p>
                    {limits.requests.map(|window| view! { <Window name="Requests left" window /> })}
                    {limits.tokens.map(|window| view! { <Window name="Tokens left" window /> })}
                </div>
            }
            .into_any()
        }
    }
    }
}

#[component]
fn Window(name: &'static str, window: RateWindow) -> impl IntoView {
    let part = window.remaining as f64 / window.limit.max(1) as f64;
    view! {
        <div class="max-w-md space-y-1">
            <p class="flex flex-wrap justify-between gap-x-4 text-sm">
                <span class="font-medium">{name}</span>
                <span>{format!("{} of {}", format::count(window.remaining), format::count(window.limit))}</span>
            </p>
            <Progress part=Signal::stored(part) label=name />
            <p class="text-sm text-muted">"Full again at " <Moment at=window.resets_at /></p>
        </div>
    }
}
