//! A small question, to see whether the settings work.

use crate::{
    api::llm_settings::test_llm_settings,
    components::{
        button::Button,
        error_view::Alert,
        tag::{Colour, Tag},
    },
    format,
    forms::Sending,
    words::severity_look,
};
use cerebros_common::llm_settings::LlmTest;
use leptos::prelude::*;

#[component]
pub fn Connection() -> impl IntoView {
    let (sending, test) = (Sending::new(), RwSignal::new(None::<LlmTest>));
    let start = Callback::new(move |()| {
        test.set(None);
        sending.start(test_llm_settings(), move |answer| test.set(Some(answer)));
    });
    view! {
        <p class="mb-4 max-w-prose text-muted">
            "Puts a small question to the model that is saved above. It costs a few tokens and stands among the calls."
        </p>
        <Alert error=sending.error />
        <div class="flex flex-wrap items-start gap-4">
            <Button busy=sending.busy class="btn" on_click=start>
                "Test connection"
            </Button>
            <div role="status" class="min-w-0 grow basis-64 self-center">
                {move || test.get().map(|test| view! { <Outcome test /> })}
            </div>
        </div>
    }
}

#[component]
fn Outcome(test: LlmTest) -> impl IntoView {
    match test.error {
        None => {
            let text = format!(
                "{} answered in {}.",
                test.model.unwrap_or_default(),
                format::milliseconds(test.latency_ms as f64)
            );
            view! {
                <p class="flex flex-wrap items-center gap-2">
                    <Tag colour=Colour::Green text="It works" />
                    <span class="min-w-0 break-words">{text}</span>
                </p>
            }
            .into_any()
        }
        Some(error) => {
            let (colour, text) = severity_look(error.severity);
            view! {
                <p class="flex flex-wrap items-center gap-2">
                    <Tag colour text />
                    <span class="min-w-0 break-words">{error.message}</span>
                </p>
            }
            .into_any()
        }
    }
}
