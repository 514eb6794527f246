//! Small coloured words: states and kinds.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Grey,
    Blue,
    Green,
    Red,
    Purple,
    Amber,
}

impl Colour {
    pub fn class(self) -> &'static str {
        match self {
            Self::Grey => "tag bg-tint-grey text-ink-grey",
            Self::Blue => "tag bg-tint-blue text-ink-blue",
            Self::Green => "tag bg-tint-green text-ink-green",
            Self::Red => "tag bg-tint-red text-ink-red",
            Self::Purple => "tag bg-tint-purple text-ink-purple",
            Self::Amber => "tag bg-tint-amber text-ink-amber",
        }
    }
}

/// `moving` adds a small turning sign: something is under way.
#[component]
pub fn Tag(colour: Colour, #[prop(into)] text: String, #[prop(optional)] moving: bool) -> impl IntoView {
    view! {
        <span class=colour.class()>
            {moving.then(|| view! { <span class="loading loading-spinner loading-xs" aria-hidden="true"></span> })}
            {text}
        </span>
    }
}
