//! Every call with all its attempts.

use crate::{
    address::{Address, word},
    api::llm_calls::list_llm_calls,
    components::{
        filters::Choice,
        loaded::{Empty, Loaded},
        page_head::Panel,
        tag::{Colour, Tag},
        time::Moment,
    },
    format,
    remote::{Remote, read_on},
    words::{purpose_name, severity_look},
};
use cerebros_common::llm_calls::{CallOutcome, LlmAttempt, LlmCall, LlmCallQuery, Purpose};
use leptos::prelude::*;

const STRETCH: usize = 25;
const PURPOSES: [Purpose; 6] = [
    Purpose::Example,
    Purpose::Judge,
    Purpose::Concepts,
    Purpose::Diagram,
    Purpose::Repair,
    Purpose::Test,
];
const OUTCOMES: [CallOutcome; 3] = [CallOutcome::InFlight, CallOutcome::Answered, CallOutcome::Failed];

#[component]
pub fn Calls(address: Address) -> impl IntoView {
    let (wanted, more) = (RwSignal::new(STRETCH), RwSignal::new(false));
    let calls = Remote::new(move || {
        let query = LlmCallQuery {
            purpose: address.word("purpose"),
            outcome: address.word("outcome"),
            cursor: None,
            limit: Some(STRETCH as u32),
        };
        read_on(wanted.get(), more, move |cursor| {
            list_llm_calls(LlmCallQuery {
                cursor,
                ..query.clone()
            })
        })
    });
    let purposes = PURPOSES
        .map(|purpose| (word(&purpose), purpose_name(purpose).to_owned()))
        .to_vec();
    let outcomes = OUTCOMES
        .map(|outcome| (word(&outcome), look(outcome).1.to_owned()))
        .to_vec();
    let empty = || view! { <Empty icon=icondata::LuMessagesSquare title="No call matches" text="Each question that is put to a language model stands here, with all its attempts." /> };
    view! {
        <Panel title="Calls">
            <div class="mb-4 flex flex-wrap items-end gap-2">
                <Choice address key="purpose" label="What for" all="For anything" options=purposes />
                <Choice address key="outcome" label="How it ended" all="All calls" options=outcomes />
                <button type="button" class="btn" on:click=move |_| calls.refetch()>
                    "Refresh"
                </button>
            </div>
            <Loaded remote=calls is_empty=Vec::is_empty empty=empty let:calls>
                <ul class="divide-y divide-line">
                    <For each=move || calls.get() key=|call: &LlmCall| (call.id, call.outcome as u8, call.attempts.len()) let:call>
                        <Line call />
                    </For>
                </ul>
                <Show when=move || more.get()>
                    <button type="button" class="btn mt-4" on:click=move |_| wanted.update(|wanted| *wanted += STRETCH)>
                        "Load more calls"
                    </button>
                </Show>
            </Loaded>
        </Panel>
    }
}

fn look(outcome: CallOutcome) -> (Colour, &'static str) {
    match outcome {
        CallOutcome::InFlight => (Colour::Blue, "Under way"),
        CallOutcome::Answered => (Colour::Green, "Answered"),
        CallOutcome::Failed => (Colour::Red, "Failed"),
    }
}

#[component]
fn Line(call: LlmCall) -> impl IntoView {
    let (colour, text) = look(call.outcome);
    let tokens = call.usage.prompt_tokens + call.usage.completion_tokens;
    let mut facts = vec![call.model.clone(), format::counted(tokens, "token", "tokens")];
    facts.extend(call.cost_micros.map(format::dollars));
    facts.extend(call.latency_ms.map(|time| format::milliseconds(time as f64)));
    let attempts = format::counted(call.attempts.len() as u64, "attempt", "attempts");
    view! {
        <li class="space-y-1 py-4">
            <p class="flex flex-wrap items-center gap-x-2 gap-y-1">
                <span class="font-medium">{purpose_name(call.purpose)}</span>
                <Tag colour text />
                {call.maybe_paid_twice.then(|| view! { <Tag colour=Colour::Amber text="Maybe paid twice" /> })}
                <span class="text-sm text-muted"><Moment at=call.created_at /></span>
            </p>
            <p class="text-sm break-words">{facts.join(", ")}</p>
            {call.error.map(|error| view! { <p class="text-sm break-words text-error">{error.message}</p> })}
            <details class="text-sm">
                <summary class="w-fit cursor-pointer rounded-sm text-muted">{attempts}</summary>
                <ol class="mt-2 space-y-1 border-l border-line pl-4">{call.attempts.into_iter().map(attempt).collect_view()}</ol>
            </details>
        </li>
    }
}

fn attempt(attempt: LlmAttempt) -> impl IntoView {
    let mut facts = vec![look(attempt.outcome).1.to_owned()];
    facts.extend(attempt.status.map(|status| format!("status {status}")));
    facts.extend(
        attempt
            .error
            .as_ref()
            .map(|error| severity_look(error.severity).1.to_lowercase()),
    );
    facts.extend(attempt.latency_ms.map(|time| format::milliseconds(time as f64)));
    let tokens = attempt.usage.prompt_tokens + attempt.usage.completion_tokens;
    facts.extend((tokens > 0).then(|| format::counted(tokens, "token", "tokens")));
    let said = attempt
        .error
        .map(|error| error.message)
        .filter(|message| !message.is_empty());
    view! {
        <li>
            <span class="text-muted"><Moment at=attempt.at /></span>
            " "
            {facts.join(", ")}
            {said.map(|said| view! { <span class="block break-words text-muted">{said}</span> })}
        </li>
    }
}
