//! The measurements of a job: read once, then appended as events bring them.

use crate::{
    api::{Answer, jobs::list_metrics},
    components::page_head::Fact,
    events::Events,
    format,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::{JobCursor, MetricPoint},
};
use leptos::prelude::*;

const STRETCH: u32 = 2000;

#[derive(Clone, Copy)]
pub struct Metrics {
    pub points: RwSignal<Vec<MetricPoint>>,
    /// The first step that was seen to happen, and when, in milliseconds.
    seen: StoredValue<Option<(u64, f64)>>,
}

impl Metrics {
    pub fn new(id: JobId) -> Self {
        let metrics = Self {
            points: RwSignal::new(Vec::new()),
            seen: StoredValue::new(None),
        };
        let stored =
            Remote::new(move || read(id)).live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
        Effect::new(move |_| {
            if let Some(stored) = stored.get() {
                metrics
                    .points
                    .update(|points| stored.into_iter().for_each(|point| insert(points, point)));
            }
        });
        Events::of_app().on(
            move |event| event.kind == EventKind::JobMetric && event.id == id.0,
            move |event| {
                if let Some(point) = event.metric.clone() {
                    metrics.append(point);
                }
            },
        );
        metrics
    }

    fn append(self, point: MetricPoint) {
        self.seen.update_value(|seen| {
            seen.get_or_insert((point.step, js_sys::Date::now()));
        });
        self.points.update(|points| insert(points, point));
    }

    pub fn last_step(self) -> u64 {
        self.points.with(|points| points.last().map_or(0, |point| point.step))
    }

    /// As watched from here; none until three steps were seen.
    pub fn seconds_per_step(self) -> Option<f64> {
        let last = self.last_step();
        let (step, since) = self.seen.get_value()?;
        let steps = last.checked_sub(step).filter(|steps| *steps >= 3)?;
        Some((js_sys::Date::now() - since) / 1000.0 / steps as f64)
    }
}

/// Keeps the points in order of their step. A step that comes again (after a resume) replaces the old one.
fn insert(points: &mut Vec<MetricPoint>, point: MetricPoint) {
    match points.binary_search_by_key(&point.step, |point| point.step) {
        Ok(place) => points[place] = point,
        Err(place) => points.insert(place, point),
    }
}

/// All measurements of a job.
pub async fn read(id: JobId) -> Answer<Vec<MetricPoint>> {
    let mut points = Vec::new();
    let mut cursor = None;
    loop {
        let query = JobCursor {
            cursor,
            limit: Some(STRETCH),
        };
        let stretch = list_metrics(id, query).await?;
        points.extend(stretch.items);
        cursor = stretch.next_cursor;
        if cursor.is_none() {
            return Ok(points);
        }
    }
}

#[component]
pub fn Latest(points: RwSignal<Vec<MetricPoint>>) -> impl IntoView {
    fn last<T>(points: &[MetricPoint], value: impl Fn(&MetricPoint) -> Option<T>) -> Option<T> {
        points.iter().rev().find_map(value)
    }
    let fact = move |value: fn(&[MetricPoint]) -> Option<String>| {
        move || points.with(|points| value(points)).unwrap_or_else(|| "–".to_owned())
    };
    view! {
        <dl class="mt-6 grid grid-cols-2 gap-4 border-t border-line pt-4 md:grid-cols-3 lg:grid-cols-6">
            <Fact name="Accuracy">
                {fact(|points| last(points, |point| point.token_accuracy.or(point.reward_accuracy)).map(format::percent))}
            </Fact>
            <Fact name="Validation accuracy">
                {fact(|points| last(points, |point| point.validation_token_accuracy.or(point.validation_reward_accuracy)).map(format::percent))}
            </Fact>
            <Fact name="Learning rate">
                {fact(|points| last(points, |point| point.learning_rate).map(|rate| format!("{rate:.2e}")))}
            </Fact>
            <Fact name="Gradient norm">
                {fact(|points| last(points, |point| point.grad_norm).map(|norm| format!("{norm:.3}")))}
            </Fact>
            <Fact name="Tokens a second">
                {fact(|points| last(points, |point| point.tokens_per_second).map(|speed| format::count(speed as u64)))}
            </Fact>
            <Fact name="Memory">{fact(|points| last(points, |point| point.memory_bytes).map(format::size))}</Fact>
        </dl>
    }
}
