//! What language models did, by day and model, and every call.

mod calls;

use crate::{
    address::Address,
    api::llm_calls::list_llm_usage,
    browser,
    components::{
        filters::Day,
        loaded::{Empty, Loaded},
        page_head::{Fact, PageHead, Panel},
    },
    format,
    remote::Remote,
    words::llm_provider_name,
};
use calls::Calls;
use cerebros_common::llm_calls::{LlmUsage, LlmUsageQuery};
use leptos::prelude::*;

#[component]
pub fn UsagePage() -> impl IntoView {
    browser::title("Usage");
    let address = Address::of_page();
    let usage = Remote::new(move || {
        list_llm_usage(LlmUsageQuery {
            from: address.word("from"),
            to: address.word("to"),
        })
    });
    let empty = || {
        view! {
            <Empty
                icon=icondata::LuChartColumn
                title="No language model was asked"
                text="In these days nothing was asked, so nothing was paid. Which model is used stands under Language model."
            />
        }
    };
    view! {
        <PageHead title="Usage" level=2 text="What was asked of language models. Days are in UTC." />
        <div class="flex flex-wrap items-end gap-2">
            <Day address key="from" label="From" />
            <Day address key="to" label="To" />
        </div>
        <Loaded remote=usage is_empty=Vec::is_empty empty=empty let:usage>
            <Panel title="By day and model">
                <Totals usage />
                <div class="mt-6 overflow-x-auto rounded-field border border-line" tabindex="0" role="region" aria-label="By day and model">
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">"Day"</th>
                                <th scope="col">"Model"</th>
                                <th scope="col" class="text-right">"Calls"</th>
                                <th scope="col" class="text-right">"Failed"</th>
                                <th scope="col" class="text-right">"Tokens in"</th>
                                <th scope="col" class="text-right">"Tokens out"</th>
                                <th scope="col" class="text-right">"Cost"</th>
                                <th scope="col" class="text-right">"Median time"</th>
                            </tr>
                        </thead>
                        <tbody>{move || usage.get().into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            </Panel>
        </Loaded>
        <Calls address />
    }
}

#[component]
fn Totals(usage: Signal<Vec<LlmUsage>>) -> impl IntoView {
    move || {
        usage.with(|usage| {
            let sum = |part: fn(&LlmUsage) -> u64| usage.iter().map(part).sum::<u64>();
            let cost: i64 = usage.iter().map(|line| line.cost_micros).sum();
            let unpriced = sum(|line| line.unpriced);
            let tokens = sum(|line| line.usage.prompt_tokens + line.usage.completion_tokens);
            let maybe = sum(|line| line.maybe_paid_twice);
            let (calls, failed) = (sum(|line| line.calls), sum(|line| line.failed));
            view! {
                <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
                    <Fact name="Calls">{format::count(calls)}</Fact>
                    <Fact name="Failed">{format::count(failed)}</Fact>
                    <Fact name="Tokens">{format::count(tokens)}</Fact>
                    <Fact name="Cost">{format::dollars(cost)}</Fact>
                </dl>
                {(unpriced > 0)
                    .then(|| {
                        let text = format!("{} without a price: set it under Language model.", format::counted(unpriced, "call", "calls"));
                        view! { <p class="mt-2 text-sm text-muted">{text}</p> }
                    })}
                {(maybe > 0)
                    .then(|| {
                        let text = format!(
                            "{} may have been paid without an answer reaching this server.",
                            format::counted(maybe, "call", "calls"),
                        );
                        view! { <p class="mt-2 text-sm text-muted">{text}</p> }
                    })}
            }
        })
    }
}

fn row(line: LlmUsage) -> impl IntoView {
    let cost = if line.unpriced == line.calls {
        "No price".to_owned()
    } else {
        format::dollars(line.cost_micros)
    };
    view! {
        <tr>
            <td class="whitespace-nowrap">{line.day.format("%-d %b %Y").to_string()}</td>
            <td class="min-w-40">
                <span class="block break-all">{line.model}</span>
                <span class="text-sm text-muted">{llm_provider_name(line.provider)}</span>
            </td>
            <td class="text-right">{format::count(line.calls)}</td>
            <td class="text-right">{format::count(line.failed)}</td>
            <td class="text-right">{format::count(line.usage.prompt_tokens)}</td>
            <td class="text-right">{format::count(line.usage.completion_tokens)}</td>
            <td class="text-right whitespace-nowrap">{cost}</td>
            <td class="text-right whitespace-nowrap">
                {line.p50_latency_ms.map_or_else(|| "-".to_owned(), |time| format::milliseconds(time as f64))}
            </td>
        </tr>
    }
}
