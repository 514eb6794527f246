//! How long the rows are in the tokens of a base, and what a length cuts off.

use crate::{
    api::{bases::list_bases, datasets::measure_lengths},
    browser,
    components::{
        field::{Field, Select},
        icon::Icon,
        loaded::Loaded,
        page_head::{Fact, Panel},
    },
    format,
    forms::check,
    remote::Remote,
};
use cerebros_common::{
    bases::{BaseQuery, BaseSource, BaseStatus},
    datasets::{DatasetLengths, LengthSpan, LengthsChoice, LongRow},
    events::EventKind,
    ids::DatasetId,
    jobs::JobParameters,
};
use leptos::prelude::*;
use std::time::Duration;

/// How long one has typed no more before it is counted anew.
const QUIET: Duration = Duration::from_millis(500);

/// Nothing is counted before somebody asks: a large dataset takes a while.
#[component]
pub fn Lengths(id: DatasetId) -> impl IntoView {
    let asked = RwSignal::new(false);
    view! {
        <div class="mt-6">
            <Panel title="Lengths">
                {move || match asked.get() {
                    true => view! { <Measured id /> }.into_any(),
                    false => {
                        view! {
                            <p class="text-sm text-muted">
                                "How long the rows are in the tokens of a base, and what a length would cut off."
                            </p>
                            <button type="button" class="btn btn-sm mt-3" on:click=move |_| asked.set(true)>
                                <Icon icon=icondata::LuRuler />
                                "Measure lengths"
                            </button>
                        }
                            .into_any()
                    }
                }}
            </Panel>
        </div>
    }
}

#[component]
fn Measured(id: DatasetId) -> impl IntoView {
    let base = RwSignal::new(String::new());
    let length = RwSignal::new(JobParameters::default().max_seq_length.to_string());
    let bases = Remote::new(|| {
        list_bases(BaseQuery {
            limit: Some(100),
            ..BaseQuery::default()
        })
    })
    .live(|event| event.kind == EventKind::BaseChanged);
    let ready = Signal::derive(move || {
        let ready = bases.with(|page| {
            let mut ready: Vec<_> = page
                .items
                .iter()
                .filter(|base| base.status == BaseStatus::Ready)
                .collect();
            // A real base first.
            ready.sort_by_key(|base| base.source == BaseSource::BuiltIn);
            ready
                .iter()
                .map(|base| (base.id.to_string(), base.name.clone()))
                .collect()
        });
        ready.unwrap_or_default()
    });
    Effect::new(move |_| {
        let first = ready.with(|ready: &Vec<(String, String)>| ready.first().map(|(id, _)| id.clone()));
        if base.with_untracked(String::is_empty) {
            base.set(first.unwrap_or_default());
        }
    });
    let choice = move || {
        let choice = LengthsChoice {
            base_id: base.with(|base| base.parse().ok())?,
            max_seq_length: length.with(|length| length.trim().parse().ok())?,
        };
        check(&choice).is_ok().then_some(choice)
    };
    let asked = RwSignal::new(untrack(choice));
    let ask = browser::settled(QUIET, move || asked.set(untrack(choice)));
    Effect::new(move |_| {
        choice();
        ask();
    });
    let lengths = Remote::new(move || {
        let asked = asked.get();
        async move {
            match asked {
                Some(choice) => measure_lengths(id, choice).await.map(Some),
                None => Ok(None),
            }
        }
    });
    let wrong = Signal::derive(move || {
        let length: Option<u32> = length.with(|length| length.trim().parse().ok());
        let fits = length.is_some_and(|length| (16..=8192).contains(&length));
        (!fits).then(|| "must be 16 to 8192".to_owned())
    });
    view! {
                <div class="flex flex-wrap items-start gap-4">
                    <div class="w-full max-w-72">
                        <Select label="In the tokens of" name="lengths_base" value=base options=ready />
                    </div>
                    <div class="w-40">
                        <Field label="Cut rows at" name="lengths_cut" value=length error=wrong />
                    </div>
                </div>
                <div aria-live="polite">
                    <Loaded remote=lengths skeleton=|| view! { <p class="text-muted">"Counting…"</p> } let:lengths>
                        {move || match lengths.get() {
                            None => view! { <p class="text-muted">"Choose a base and a length to see what is cut off."</p> }.into_any(),
                            Some(lengths) => view! { <Told lengths /> }.into_any(),
                        }}
                    </Loaded>
                </div>
    }
}

#[component]
fn Told(lengths: DatasetLengths) -> impl IntoView {
    let rows = lengths.rows + lengths.dropped_rows;
    let tokens = format!(
        "{}, {} of them learned",
        format::count(lengths.tokens),
        format::count(lengths.trainable_tokens)
    );
    let cut = match lengths.truncated_rows {
        0 => "None".to_owned(),
        cut => format!("{} of {}", format::count(cut), format::count(rows)),
    };
    let nothing_left = lengths.cut_off_rows;
    view! {
        {(nothing_left > 0)
            .then(|| {
                let what = format!(
                    "{} lost: all that is learned lies beyond {} tokens.",
                    if nothing_left == 1 { "1 row is".to_owned() } else { format!("{} rows are", format::count(nothing_left)) },
                    format::count(lengths.max_tokens),
                );
                view! {
                    <p class="mb-4 flex items-center gap-2 rounded-field bg-tint-amber p-3 text-sm text-ink-amber">
                        <Icon icon=icondata::LuTriangleAlert />
                        {what}
                    </p>
                }
            })}
        <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
            <Fact name="Half have at most">{format::count(lengths.p50_tokens)}</Fact>
            <Fact name="90 %, 99 %">
                {format!("{}, {}", format::count(lengths.p90_tokens), format::count(lengths.p99_tokens))}
            </Fact>
            <Fact name="Longest">{format::count(lengths.longest_row_tokens)}</Fact>
            <Fact name="Rows cut">{cut}</Fact>
            <Fact name="Rows that teach">{format!("{} of {}", format::count(lengths.rows), format::count(rows))}</Fact>
            <Fact name="Tokens trained on">{tokens}</Fact>
        </dl>
        <div class="mt-6 grid gap-6 md:grid-cols-2">
            <Spread spread=lengths.spread cut=lengths.max_tokens />
            <Longest rows=lengths.longest_rows />
        </div>
    }
}

/// Bars of rows by length. Those that are cut are of another colour, and marked.
#[component]
fn Spread(spread: Vec<LengthSpan>, cut: u64) -> impl IntoView {
    let most = spread.iter().map(|span| span.rows).max().unwrap_or(1).max(1);
    let bar = move |span: LengthSpan| {
        let width = 100.0 * span.rows as f64 / most as f64;
        let (colour, note) = match (span.from > cut, span.to > cut && span.rows > 0) {
            (true, true) => ("bg-warning", " cut"),
            (false, true) => ("bg-warning", " partly cut"),
            (_, false) => ("bg-primary", ""),
        };
        view! {
            <tr>
                <th scope="row" class="py-0.5 pr-3 text-right font-normal whitespace-nowrap text-muted">
                    {format!("{} to {}", format::count(span.from), format::count(span.to))}
                </th>
                <td class="w-full py-0.5">
                    <div class=format!("h-3 rounded-sm {colour}") style:width=format!("{width}%")></div>
                </td>
                <td class="py-0.5 pl-3 text-right whitespace-nowrap">
                    {format::count(span.rows)} {note}
                </td>
            </tr>
        }
    };
    view! {
        <section>
            <h3 class="mb-2">"Rows by tokens"</h3>
            <table class="w-full text-sm">
                <thead class="sr-only">
                    <tr>
                        <th scope="col">"Tokens"</th>
                        <th scope="col">"Share"</th>
                        <th scope="col">"Rows"</th>
                    </tr>
                </thead>
                <tbody>{spread.into_iter().map(bar).collect_view()}</tbody>
            </table>
        </section>
    }
}

#[component]
fn Longest(rows: Vec<LongRow>) -> impl IntoView {
    let row = |row: LongRow| {
        view! {
            <tr>
                <td class="py-0.5 pr-3">{format!("Line {}", format::count(row.line))}</td>
                <td class="py-0.5 text-right">{format::count(row.tokens)}</td>
            </tr>
        }
    };
    view! {
        <section>
            <h3 class="mb-2">"The longest rows"</h3>
            <table class="w-full max-w-72 text-sm">
                <thead class="sr-only">
                    <tr>
                        <th scope="col">"Line"</th>
                        <th scope="col">"Tokens"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
            </table>
        </section>
    }
}
