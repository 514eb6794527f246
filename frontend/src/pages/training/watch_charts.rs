//! The measurements of a job as a chart, alone or with those of other jobs. What is shown stands in the address.

use super::watch_metrics::{Latest, Metrics, read};
use crate::{
    address::{Address, from_word},
    api::{Answer, jobs::list_jobs},
    components::{
        chart::{Chart, Line, Series, Stroke, Unit},
        loaded::Loaded,
        page_head::Panel,
        status::JobTag,
        time::Ago,
    },
    remote::Remote,
};
use cerebros_common::{
    ids::JobId,
    jobs::{Job, JobQuery, MetricPoint},
};
use leptos::prelude::*;

/// Of the jobs that can be put beside this one.
const LISTED: u32 = 50;
const OTHERS: usize = Line::ALL.len() - 1;

type Value = fn(&MetricPoint) -> Option<f64>;

struct Measure {
    key: &'static str,
    name: &'static str,
    unit: Unit,
    training: Value,
    validation: Option<Value>,
}

const MEASURES: [Measure; 8] = [
    Measure {
        key: "loss",
        name: "Loss",
        unit: Unit::Loss,
        training: |point| point.loss,
        validation: Some(|point| point.validation_loss),
    },
    Measure {
        key: "accuracy",
        name: "Token accuracy",
        unit: Unit::Part,
        training: |point| point.token_accuracy,
        validation: Some(|point| point.validation_token_accuracy),
    },
    Measure {
        key: "margin",
        name: "Reward margin",
        unit: Unit::Number,
        training: |point| point.reward_margin,
        validation: Some(|point| point.validation_reward_margin),
    },
    Measure {
        key: "preferred",
        name: "Better answers preferred",
        unit: Unit::Part,
        training: |point| point.reward_accuracy,
        validation: Some(|point| point.validation_reward_accuracy),
    },
    Measure {
        key: "learning_rate",
        name: "Learning rate",
        unit: Unit::Small,
        training: |point| point.learning_rate,
        validation: None,
    },
    Measure {
        key: "grad_norm",
        name: "Gradient norm",
        unit: Unit::Number,
        training: |point| point.grad_norm,
        validation: None,
    },
    Measure {
        key: "speed",
        name: "Tokens a second",
        unit: Unit::Count,
        training: |point| point.tokens_per_second,
        validation: None,
    },
    Measure {
        key: "memory",
        name: "Memory",
        unit: Unit::Bytes,
        training: |point| point.memory_bytes.map(|bytes| bytes as f64),
        validation: None,
    },
];

#[component]
pub fn ChartsPanel(id: JobId, metrics: Metrics) -> impl IntoView {
    let address = Address::of_page();
    let measure = Memo::new(move |_| {
        let wanted = address.text("measure");
        let place = MEASURES
            .iter()
            .position(|measure| Some(measure.key) == wanted.as_deref());
        place.unwrap_or(0)
    });
    // What the job does not measure is not offered, once it has measured something.
    let measured = move |shown: &Measure| {
        metrics.points.with(|points| {
            let trained = points.iter().any(|point| point.loss.is_some());
            !trained || points.iter().any(|point| (shown.training)(point).is_some())
        })
    };
    let smoothing = RwSignal::new(0.0_f64);
    let wanted = Memo::new(move |_| others(address, id));
    let runs = Remote::new(move || {
        list_jobs(JobQuery {
            limit: Some(LISTED),
            ..JobQuery::default()
        })
    });
    let compared = Remote::new(move || read_each(wanted.get()));
    let series = Signal::derive(move || {
        let (measure, smoothing) = (&MEASURES[measure.get()], smoothing.get());
        let others = compared.get().unwrap_or_default();
        let name = |name: Option<String>, part: &str| {
            name.map_or_else(|| part.to_owned(), |name| format!("{name}, {}", part.to_lowercase()))
        };
        let own = (!others.is_empty()).then(|| "This job".to_owned());
        let mut series = metrics
            .points
            .with(|points| lines(measure, points, smoothing, Line::First, |part| name(own.clone(), part)));
        for ((id, points), line) in others.iter().zip(Line::ALL.into_iter().skip(1)) {
            let run = runs
                .with(|runs| runs.items.iter().find(|run| run.id == *id).map(run_name))
                .flatten();
            let run = run.unwrap_or_else(|| short(*id));
            series.extend(lines(measure, points, smoothing, line, |part| {
                name(Some(run.clone()), part)
            }));
        }
        // Alone, the second colour is free for the validation.
        if let ([first, .., last], true) = (&mut series[..], others.is_empty())
            && last.stroke == Stroke::Dashed
            && first.line == last.line
        {
            last.line = Line::Second;
        }
        series
    });
    let empty = Signal::derive(move || series.with(|series| series.iter().all(|series| series.points.is_empty())));
    view! {
        <Panel title="Measurements">
            <div class="mb-4 flex flex-wrap items-end gap-4">
                <label class="flex grow basis-40 flex-col gap-1 text-sm sm:grow-0">
                    "Measure"
                    <select class="select" on:change:target=move |event| address.set("measure", &event.target().value())>
                        {MEASURES
                            .iter()
                            .enumerate()
                            .map(|(place, shown)| {
                                view! {
                                    <option value=shown.key hidden=move || !measured(shown) selected=move || measure.get() == place>
                                        {shown.name}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                </label>
                <label class="flex grow basis-40 flex-col gap-1 text-sm sm:max-w-64">
                    <span>"Smoothing " <span class="font-mono">{move || format!("{:.2}", smoothing.get())}</span></span>
                    <input
                        type="range"
                        class="range range-xs my-2 w-full"
                        min="0"
                        max="0.95"
                        step="0.05"
                        prop:value=move || smoothing.get()
                        on:input:target=move |event| smoothing.set(event.target().value().parse().unwrap_or_default())
                    />
                </label>
            </div>
            <Show
                when=move || !empty.get()
                fallback=|| view! { <p class="py-12 text-center text-muted">"The first measurement comes with the first step."</p> }
            >
                <Chart
                    series
                    title=Signal::derive(move || format!("{} by step", MEASURES[measure.get()].name))
                    x_name="Step"
                    unit=Signal::derive(move || MEASURES[measure.get()].unit)
                />
                <Latest points=metrics.points />
            </Show>
            <Others id address wanted runs />
        </Panel>
    }
}

/// The loss alone, once there is some.
#[component]
pub fn LossChart(metrics: Metrics, #[prop(into)] title: String) -> impl IntoView {
    let measure = &MEASURES[0];
    let series = Signal::derive(move || {
        let mut series = metrics
            .points
            .with(|points| lines(measure, points, 0.0, Line::First, str::to_owned));
        if let Some(last) = series.last_mut().filter(|last| last.stroke == Stroke::Dashed) {
            last.line = Line::Second;
        }
        series
    });
    let title = Signal::stored(title);
    view! {
        <Show when=move || series.with(|series| series.iter().any(|series| !series.points.is_empty()))>
            <Chart series title x_name="Step" unit=Signal::stored(measure.unit) />
        </Show>
    }
}

/// The jobs to put beside this one, as the address names them.
fn others(address: Address, id: JobId) -> Vec<JobId> {
    let named = address.text("with").unwrap_or_default();
    let mut others: Vec<JobId> = Vec::new();
    for other in named.split(',').filter_map(from_word::<JobId>) {
        if other != id && !others.contains(&other) && others.len() < OTHERS {
            others.push(other);
        }
    }
    others
}

async fn read_each(ids: Vec<JobId>) -> Answer<Vec<(JobId, Vec<MetricPoint>)>> {
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        runs.push((id, read(id).await?));
    }
    Ok(runs)
}

fn lines(
    measure: &Measure,
    points: &[MetricPoint],
    smoothing: f64,
    line: Line,
    name: impl Fn(&str) -> String,
) -> Vec<Series> {
    let values = |value: Value| -> Vec<(f64, f64)> {
        let values = points
            .iter()
            .filter_map(|point| Some((point.step as f64, value(point)?)));
        values.collect()
    };
    let training = values(measure.training);
    let mut lines = Vec::new();
    let smoothed = if smoothing > 0.0 {
        let smoothed = smooth(&training, smoothing);
        lines.push(Series {
            name: String::new(),
            line,
            stroke: Stroke::Faint,
            points: training,
        });
        smoothed
    } else {
        training
    };
    lines.push(Series {
        name: name("Training"),
        line,
        stroke: Stroke::Solid,
        points: smoothed,
    });
    if let Some(validation) = measure.validation {
        lines.push(Series {
            name: name("Validation"),
            line,
            stroke: Stroke::Dashed,
            points: values(validation),
        });
    }
    lines
}

/// The exponential moving average, with the weight that the start lacks made up for. `smoothing` is 0 up to below 1.
fn smooth(points: &[(f64, f64)], smoothing: f64) -> Vec<(f64, f64)> {
    let (mut mean, mut weight) = (0.0, 0.0);
    let smoothed = points.iter().map(|(x, y)| {
        mean = mean * smoothing + y * (1.0 - smoothing);
        weight = weight * smoothing + (1.0 - smoothing);
        (*x, mean / weight)
    });
    smoothed.collect()
}

fn run_name(run: &Job) -> String {
    format!("{} ({})", run.dataset_name, short(run.id))
}

/// The end of an id, which tells runs of the same dataset apart.
fn short(id: JobId) -> String {
    let id = id.to_string();
    id.get(id.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

#[component]
fn Others(
    id: JobId,
    address: Address,
    wanted: Memo<Vec<JobId>>,
    runs: Remote<cerebros_common::wire::Page<Job>>,
) -> impl IntoView {
    let choose = move |other: JobId, chosen: bool| {
        let mut others = wanted.get_untracked();
        others.retain(|id| *id != other);
        if chosen {
            others.push(other);
        }
        let ids: Vec<String> = others.iter().map(JobId::to_string).collect();
        address.set("with", &ids.join(","));
    };
    view! {
        <details class="mt-4 border-t border-line pt-4 text-sm" open=!wanted.get_untracked().is_empty()>
            <summary class="cursor-pointer">"Compare with other jobs"</summary>
            <Loaded remote=runs let:page>
                {move || {
                    let others: Vec<Job> = page.with(|page| page.items.iter().filter(|run| run.id != id && run.step > 0).cloned().collect());
                    if others.is_empty() {
                        return view! { <p class="mt-2 text-muted">"No other job has measurements yet."</p> }.into_any();
                    }
                    let others = others
                        .into_iter()
                        .map(|run| {
                            let other = run.id;
                            let chosen = Memo::new(move |_| wanted.with(|wanted| wanted.contains(&other)));
                            let full = move || wanted.with(Vec::len) >= OTHERS && !chosen.get();
                            view! {
                                <li>
                                    <label class="flex flex-wrap items-center gap-2 py-1">
                                        <input
                                            type="checkbox"
                                            class="checkbox checkbox-sm"
                                            prop:checked=chosen
                                            disabled=full
                                            on:change:target=move |event| choose(other, event.target().checked())
                                        />
                                        {run_name(&run)}
                                        <span class="text-muted">{run.base_name.clone()}</span>
                                        <JobTag status=run.status />
                                        <Ago at=run.created_at />
                                    </label>
                                </li>
                            }
                        })
                        .collect_view();
                    view! {
                        <p class="mt-2 text-muted">{format!("Up to {OTHERS}, of the {LISTED} newest.")}</p>
                        <ul class="mt-1 max-h-64 overflow-y-auto">{others}</ul>
                    }
                        .into_any()
                }}
            </Loaded>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_starts_at_the_first_value_and_follows_slowly() {
        let smoothed = smooth(&[(0.0, 4.0), (1.0, 2.0)], 0.5);
        assert!((smoothed[0].1 - 4.0).abs() < 1e-12);
        assert!((smoothed[1].1 - (4.0 * 0.25 + 2.0 * 0.5) / 0.75).abs() < 1e-12);
        assert_eq!(smooth(&[(3.0, 7.0)], 0.0), [(3.0, 7.0)]);
    }
}
