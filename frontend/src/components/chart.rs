//! A line chart as SVG: axes, a read-out under the pointer, and the same numbers as a table.

mod scale;

use crate::format;
use js_sys::Array;
use leptos::{html, prelude::*};
use scale::{Scale, nearest, path, thin, ticks};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{PointerEvent, ResizeObserver, ResizeObserverEntry};

const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
const TABLE_ROWS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    First,
    Second,
}

impl Line {
    fn stroke(self) -> &'static str {
        match self {
            Self::First => "stroke-primary",
            Self::Second => "stroke-secondary",
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::First => "fill-primary",
            Self::Second => "fill-secondary",
        }
    }

    fn swatch(self) -> &'static str {
        match self {
            Self::First => "bg-primary",
            Self::Second => "bg-secondary",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: &'static str,
    pub line: Line,
    /// In rising x.
    pub points: Vec<(f64, f64)>,
}

/// `x_name` names the horizontal axis. Empty series are left out.
#[component]
pub fn Chart(#[prop(into)] series: Signal<Vec<Series>>, title: &'static str, x_name: &'static str) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = measured(frame);
    let pointed = RwSignal::new(None::<f64>);
    let shown = Memo::new(move |_| {
        series
            .get()
            .into_iter()
            .filter(|series| !series.points.is_empty())
            .collect::<Vec<_>>()
    });
    let x_scale =
        Memo::new(move |_| shown.with(|shown| Scale::of(shown, |point| point.0, LEFT, width.get() - RIGHT, 0.0)));
    let y_scale = Memo::new(move |_| shown.with(|shown| Scale::of(shown, |point| point.1, HEIGHT - BOTTOM, TOP, 0.06)));
    let point_at = move |event: PointerEvent| {
        let Some(frame) = frame.get_untracked() else { return };
        let x = f64::from(event.client_x()) - frame.get_bounding_client_rect().left();
        let value = x_scale.get_untracked().value(x);
        pointed.set(shown.with_untracked(|shown| {
            shown
                .first()
                .and_then(|series| nearest(&series.points, value))
                .map(|point| point.0)
        }));
    };
    view! {
        <figure class="m-0">
            <Legend shown pointed x_name />
            <div
                node_ref=frame
                class="touch-pan-y"
                on:pointermove=point_at
                on:pointerleave=move |_| pointed.set(None)
            >
                <svg
                    role="img"
                    aria-label=title
                    class="block w-full"
                    height=HEIGHT
                    viewBox=move || format!("0 0 {} {HEIGHT}", width.get())
                >
                    {move || view! { <Axes x=x_scale.get() y=y_scale.get() width=width.get() x_name /> }}
                    {move || {
                        let (x, y) = (x_scale.get(), y_scale.get());
                        shown
                            .with(|shown| {
                                shown
                                    .iter()
                                    .map(|series| {
                                        let thinned = thin(&series.points, width.get() as usize);
                                        let dots = if series.points.len() <= 40 { series.points.clone() } else { Vec::new() };
                                        view! {
                                            <path
                                                d=path(&thinned, x, y)
                                                class=format!("fill-none {}", series.line.stroke())
                                                stroke-width="2"
                                                stroke-linejoin="round"
                                                stroke-linecap="round"
                                            />
                                            {dots
                                                .into_iter()
                                                .map(|point| {
                                                    view! { <circle cx=x.at(point.0) cy=y.at(point.1) r="2.5" class=series.line.fill() /> }
                                                })
                                                .collect_view()}
                                        }
                                    })
                                    .collect_view()
                            })
                    }}
                    {move || pointed.get().map(|at| view! { <Cursor at shown x=x_scale.get() y=y_scale.get() /> })}
                </svg>
            </div>
            <Table shown title x_name />
        </figure>
    }
}

/// The width of the frame as it is and becomes, in CSS pixels.
fn measured(frame: NodeRef<html::Div>) -> RwSignal<f64> {
    let width = RwSignal::new(640.0);
    Effect::new(move |_| {
        let Some(frame) = frame.get() else { return };
        let resized = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
            let entry: ResizeObserverEntry = entries.get(0).unchecked_into();
            width.try_set(entry.content_rect().width().max(160.0));
        })
        .into_js_value();
        let Ok(observer) = ResizeObserver::new(resized.unchecked_ref()) else {
            return;
        };
        observer.observe(&frame);
        let observer = StoredValue::new_local(observer);
        on_cleanup(move || {
            observer.try_with_value(ResizeObserver::disconnect);
        });
    });
    width
}

#[component]
fn Legend(shown: Memo<Vec<Series>>, pointed: RwSignal<Option<f64>>, x_name: &'static str) -> impl IntoView {
    let at = move || {
        pointed
            .get()
            .or_else(|| shown.with(|shown| shown.first()?.points.last().map(|point| point.0)))
    };
    view! {
        <figcaption class="mb-2 flex min-h-6 flex-wrap gap-x-6 gap-y-1 text-sm">
            <span class="text-muted">{move || at().map(|at| format!("{x_name} {}", format::count(at as u64)))}</span>
            {move || {
                let at = at();
                shown
                    .get()
                    .into_iter()
                    .map(|series| {
                        let value = at.and_then(|at| value_at(&series, at));
                        view! {
                            <span class="flex items-center gap-2">
                                <span class=format!("size-2 rounded-full {}", series.line.swatch())></span>
                                {series.name}
                                <span class="font-mono">{value.map(format::loss)}</span>
                            </span>
                        }
                    })
                    .collect_view()
            }}
        </figcaption>
    }
}

/// The last value measured at or before `at`.
fn value_at(series: &Series, at: f64) -> Option<f64> {
    let after = series.points.partition_point(|point| point.0 <= at);
    after.checked_sub(1).map(|index| series.points[index].1)
}

#[component]
fn Axes(x: Scale, y: Scale, width: f64, x_name: &'static str) -> impl IntoView {
    let columns = if width < 480.0 { 4 } else { 8 };
    view! {
        <g class="text-muted">
            {ticks(y.low, y.high, 5)
                .into_iter()
                .map(|value| {
                    view! {
                        <line x1=LEFT x2=width - RIGHT y1=y.at(value) y2=y.at(value) class="stroke-line" />
                        <text x=LEFT - 8.0 y=y.at(value) text-anchor="end" dominant-baseline="middle" fill="currentColor" font-size="12">
                            {scale::label(value)}
                        </text>
                    }
                })
                .collect_view()}
            {ticks(x.low, x.high, columns)
                .into_iter()
                .filter(|value| value.fract() == 0.0)
                .map(|value| {
                    view! {
                        <text x=x.at(value) y=HEIGHT - 8.0 text-anchor="middle" fill="currentColor" font-size="12">
                            {format::count(value as u64)}
                        </text>
                    }
                })
                .collect_view()}
            <title>{x_name}</title>
        </g>
    }
}

#[component]
fn Cursor(at: f64, shown: Memo<Vec<Series>>, x: Scale, y: Scale) -> impl IntoView {
    view! {
        <line x1=x.at(at) x2=x.at(at) y1=TOP y2=HEIGHT - BOTTOM stroke="currentColor" class="text-muted" stroke-dasharray="3 3" />
        {move || {
            shown
                .with(|shown| {
                    shown
                        .iter()
                        .filter_map(|series| value_at(series, at).map(|value| (value, series.line.fill())))
                        .map(|(value, fill)| view! { <circle cx=x.at(at) cy=y.at(value) r="4" class=fill /> })
                        .collect_view()
                })
        }}
    }
}

#[component]
fn Table(shown: Memo<Vec<Series>>, title: &'static str, x_name: &'static str) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <details class="mt-2 text-sm" on:toggle=move |_| open.update(|open| *open = !*open)>
            <summary class="cursor-pointer text-muted">"As a table"</summary>
            <Show when=move || open.get()>
                <div class="mt-2 max-h-64 overflow-auto" tabindex="0" role="region" aria-label=title>
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">{x_name}</th>
                                {move || shown.get().into_iter().map(|series| view! { <th scope="col">{series.name}</th> }).collect_view()}
                            </tr>
                        </thead>
                        <tbody>
                            {move || {
                                shown
                                    .with(|shown| {
                                        let steps = rows(shown);
                                        steps
                                            .into_iter()
                                            .map(|at| {
                                                view! {
                                                    <tr>
                                                        <td>{format::count(at as u64)}</td>
                                                        {shown
                                                            .iter()
                                                            .map(|series| view! { <td class="font-mono">{value_at(series, at).map(format::loss)}</td> })
                                                            .collect_view()}
                                                    </tr>
                                                }
                                            })
                                            .collect_view()
                                    })
                            }}
                        </tbody>
                    </table>
                </div>
            </Show>
        </details>
    }
}

/// Some of the steps, evenly spread, the last one among them.
fn rows(shown: &[Series]) -> Vec<f64> {
    let Some(longest) = shown.iter().max_by_key(|series| series.points.len()) else {
        return Vec::new();
    };
    let every = longest.points.len().div_ceil(TABLE_ROWS).max(1);
    let last = longest.points.len() - 1;
    let chosen = longest
        .points
        .iter()
        .enumerate()
        .filter(|(index, _)| index % every == 0 || *index == last);
    chosen.map(|(_, point)| point.0).collect()
}
