//! A line chart as SVG: axes, a read-out under the pointer, a stretch to look at, and the same numbers as a table.

mod scale;
mod stretch;

use crate::format;
use js_sys::Array;
use leptos::{html, prelude::*};
use scale::{Scale, nearest, path, thin, ticks};
use stretch::StretchFields;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{PointerEvent, ResizeObserver, ResizeObserverEntry};

const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
const TABLE_ROWS: usize = 50;
/// A shorter way of the pointer, in pixels, chooses no stretch.
const SHORTEST_DRAG: f64 = 8.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    First,
    Second,
    Third,
    Fourth,
    Fifth,
}

impl Line {
    pub const ALL: [Self; 5] = [Self::First, Self::Second, Self::Third, Self::Fourth, Self::Fifth];

    fn stroke(self) -> &'static str {
        match self {
            Self::First => "stroke-primary",
            Self::Second => "stroke-secondary",
            Self::Third => "stroke-success",
            Self::Fourth => "stroke-error",
            Self::Fifth => "stroke-warning",
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::First => "fill-primary",
            Self::Second => "fill-secondary",
            Self::Third => "fill-success",
            Self::Fourth => "fill-error",
            Self::Fifth => "fill-warning",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
    /// Behind the others, and in no legend: what a smoothed line was made of.
    Faint,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub line: Line,
    pub stroke: Stroke,
    /// In rising x.
    pub points: Vec<(f64, f64)>,
}

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Loss,
    /// Of one.
    Part,
    Small,
    Number,
    Count,
    Bytes,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Loss => format::loss(value),
            Self::Part => format::percent(value),
            Self::Small => format!("{value:.2e}"),
            Self::Number => format!("{value:.3}"),
            Self::Count => format::count(value as u64),
            Self::Bytes => format::size(value as u64),
        }
    }

    /// Shorter, beside the axis.
    fn tick(self, value: f64) -> String {
        match self {
            Self::Loss | Self::Number => scale::label(value),
            Self::Small if value == 0.0 => "0".to_owned(),
            Self::Small => format!("{value:.0e}"),
            Self::Count => format::quantity(value.max(0.0) as u64),
            Self::Part | Self::Bytes => self.write(value.max(0.0)),
        }
    }
}

/// `x_name` names the horizontal axis. Empty series are left out.
#[component]
pub fn Chart(
    #[prop(into)] series: Signal<Vec<Series>>,
    #[prop(into)] title: Signal<String>,
    x_name: &'static str,
    #[prop(into)] unit: Signal<Unit>,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = measured(frame);
    let pointed = RwSignal::new(None::<f64>);
    let stretch = RwSignal::new(None::<(f64, f64)>);
    // Where a drag started and where the pointer is now, in pixels.
    let drag = RwSignal::new(None::<(f64, f64)>);
    let whole = Memo::new(move |_| series.with(|series| scale::span(series, |point| point.0)));
    let shown = Memo::new(move |_| {
        let mut shown = series.get();
        if let Some((from, to)) = stretch.get() {
            for series in &mut shown {
                series.points.retain(|point| (from..=to).contains(&point.0));
            }
        }
        shown.retain(|series| !series.points.is_empty());
        shown
    });
    let x_scale =
        Memo::new(move |_| shown.with(|shown| Scale::of(shown, |point| point.0, LEFT, width.get() - RIGHT, 0.0)));
    let y_scale = Memo::new(move |_| shown.with(|shown| Scale::of(shown, |point| point.1, HEIGHT - BOTTOM, TOP, 0.06)));
    let place = move |event: &PointerEvent| {
        let frame = frame.get_untracked()?;
        Some(f64::from(event.client_x()) - frame.get_bounding_client_rect().left())
    };
    let point_at = move |event: PointerEvent| {
        let Some(x) = place(&event) else { return };
        drag.update(|drag| {
            if let Some((_, to)) = drag {
                *to = x;
            }
        });
        let value = x_scale.get_untracked().value(x);
        pointed.set(shown.with_untracked(|shown| {
            let longest = shown.iter().max_by_key(|series| series.points.len())?;
            nearest(&longest.points, value).map(|point| point.0)
        }));
    };
    let start = move |event: PointerEvent| {
        if event.button() == 0 {
            drag.set(place(&event).map(|x| (x, x)));
        }
    };
    let end = move |_: PointerEvent| {
        let Some((from, to)) = drag.get_untracked() else { return };
        drag.set(None);
        if (to - from).abs() >= SHORTEST_DRAG {
            let scale = x_scale.get_untracked();
            let (from, to) = (scale.value(from.min(to)).ceil(), scale.value(from.max(to)).floor());
            stretch::choose(stretch, whole.get_untracked(), from, to);
        }
    };
    view! {
        <figure class="m-0">
            <Legend shown pointed x_name unit />
            <div
                node_ref=frame
                class="touch-pan-y cursor-crosshair select-none"
                on:pointerdown=start
                on:pointermove=point_at
                on:pointerup=end
                on:pointerleave=move |_| {
                    pointed.set(None);
                    drag.set(None);
                }
            >
                <svg
                    role="img"
                    aria-label=move || title.get()
                    class="block w-full"
                    height=HEIGHT
                    viewBox=move || format!("0 0 {} {HEIGHT}", width.get())
                >
                    {move || {
                        view! { <Axes x=x_scale.get() y=y_scale.get() width=width.get() x_name unit=unit.get() /> }
                    }}
                    {move || {
                        let (x, y, columns) = (x_scale.get(), y_scale.get(), width.get() as usize);
                        shown.with(|shown| shown.iter().map(|series| drawn(series, x, y, columns)).collect_view())
                    }}
                    {move || pointed.get().map(|at| view! { <Cursor at shown x=x_scale.get() y=y_scale.get() /> })}
                    {move || {
                        drag.get()
                            .map(|(from, to)| {
                                view! {
                                    <rect
                                        x=from.min(to)
                                        y=TOP
                                        width=(to - from).abs()
                                        height=HEIGHT - TOP - BOTTOM
                                        class="fill-primary opacity-15"
                                    />
                                }
                            })
                    }}
                </svg>
            </div>
            <StretchFields stretch whole=Signal::from(whole) x_name />
            <Table shown title x_name unit />
        </figure>
    }
}

fn drawn(series: &Series, x: Scale, y: Scale, columns: usize) -> impl IntoView + use<> {
    let line = series.line;
    let thinned = thin(&series.points, columns);
    let dotted = series.points.len() <= 40 && series.stroke != Stroke::Faint;
    let dots = if dotted { series.points.clone() } else { Vec::new() };
    view! {
        <path
            d=path(&thinned, x, y)
            class=format!("fill-none {}", line.stroke())
            class:opacity-30=series.stroke == Stroke::Faint
            stroke-width=if series.stroke == Stroke::Faint { "1" } else { "2" }
            stroke-dasharray=(series.stroke == Stroke::Dashed).then_some("6 4")
            stroke-linejoin="round"
            stroke-linecap="round"
        />
        {dots
            .into_iter()
            .map(|point| view! { <circle cx=x.at(point.0) cy=y.at(point.1) r="2.5" class=line.fill() /> })
            .collect_view()}
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
fn Legend(
    shown: Memo<Vec<Series>>,
    pointed: RwSignal<Option<f64>>,
    x_name: &'static str,
    unit: Signal<Unit>,
) -> impl IntoView {
    let at = move || {
        let last = || {
            shown
                .with(|shown| scale::span(shown, |point| point.0))
                .map(|span| span.1)
        };
        pointed.get().or_else(last)
    };
    view! {
        <figcaption class="mb-2 flex min-h-6 flex-wrap gap-x-6 gap-y-1 text-sm">
            <span class="text-muted">{move || at().map(|at| format!("{x_name} {}", format::count(at as u64)))}</span>
            {move || {
                let at = at();
                shown
                    .get()
                    .into_iter()
                    .filter(|series| series.stroke != Stroke::Faint)
                    .map(|series| {
                        let value = at.and_then(|at| value_at(&series, at));
                        view! {
                            <span class="flex items-center gap-2">
                                <svg width="20" height="8" aria-hidden="true">
                                    <line
                                        x1="0"
                                        x2="20"
                                        y1="4"
                                        y2="4"
                                        stroke-width="2"
                                        class=series.line.stroke()
                                        stroke-dasharray=(series.stroke == Stroke::Dashed).then_some("6 4")
                                    />
                                </svg>
                                {series.name}
                                <span class="font-mono">{value.map(|value| unit.get().write(value))}</span>
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
fn Axes(x: Scale, y: Scale, width: f64, x_name: &'static str, unit: Unit) -> impl IntoView {
    let columns = if width < 480.0 { 4 } else { 8 };
    view! {
        <g class="text-muted">
            {ticks(y.low, y.high, 5)
                .into_iter()
                .map(|value| {
                    view! {
                        <line x1=LEFT x2=width - RIGHT y1=y.at(value) y2=y.at(value) class="stroke-line" />
                        <text x=LEFT - 8.0 y=y.at(value) text-anchor="end" dominant-baseline="middle" fill="currentColor" font-size="12">
                            {unit.tick(value)}
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
                        .filter(|series| series.stroke != Stroke::Faint)
                        .filter_map(|series| value_at(series, at).map(|value| (value, series.line.fill())))
                        .map(|(value, fill)| view! { <circle cx=x.at(at) cy=y.at(value) r="4" class=fill /> })
                        .collect_view()
                })
        }}
    }
}

#[component]
fn Table(shown: Memo<Vec<Series>>, title: Signal<String>, x_name: &'static str, unit: Signal<Unit>) -> impl IntoView {
    let open = RwSignal::new(false);
    let listed = Memo::new(move |_| {
        let mut shown = shown.get();
        shown.retain(|series| series.stroke != Stroke::Faint);
        shown
    });
    view! {
        <details class="mt-2 text-sm" on:toggle=move |_| open.update(|open| *open = !*open)>
            <summary class="cursor-pointer text-muted">"As a table"</summary>
            <Show when=move || open.get()>
                <div class="mt-2 max-h-64 overflow-auto" tabindex="0" role="region" aria-label=move || title.get()>
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">{x_name}</th>
                                {move || listed.get().into_iter().map(|series| view! { <th scope="col">{series.name}</th> }).collect_view()}
                            </tr>
                        </thead>
                        <tbody>
                            {move || {
                                listed
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
                                                            .map(|series| view! { <td class="font-mono">{value_at(series, at).map(|value| unit.get().write(value))}</td> })
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
