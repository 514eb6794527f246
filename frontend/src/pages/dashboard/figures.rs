//! Four figures over a range of days, each beside the range before.

use crate::{
    address::Address,
    api::dashboard::find_dashboard,
    components::{filters::Choice, icon::Icon, loaded::Loaded},
    format,
    remote::Remote,
};
use cerebros_common::{
    dashboard::{Dashboard, DashboardQuery, Figure},
    events::EventKind,
};
use chrono::{TimeDelta, Utc};
use leptos::prelude::*;

const DEFAULT_DAYS: i64 = 30;

#[component]
pub fn Figures() -> impl IntoView {
    let address = Address::of_page();
    let days = Memo::new(move |_| {
        let days = address.text("days").and_then(|days| days.parse().ok());
        days.filter(|days| (1..=366).contains(days)).unwrap_or(DEFAULT_DAYS)
    });
    let dashboard = Remote::new(move || {
        let to = Utc::now();
        find_dashboard(DashboardQuery {
            from: Some(to - TimeDelta::days(days.get())),
            to: Some(to),
        })
    })
    .live(|event| matches!(event.kind, EventKind::AgentChanged | EventKind::AgentDeleted));
    let ranges = vec![
        ("7".to_owned(), "Last 7 days".to_owned()),
        ("90".to_owned(), "Last 90 days".to_owned()),
    ];
    view! {
        <section aria-labelledby="figures" class="mb-8">
            <div class="mb-4 flex flex-wrap items-center justify-between gap-2">
                <h2 id="figures">"Overview"</h2>
                <Choice address key="days" label="Range of days" all="Last 30 days" options=ranges />
            </div>
            <Loaded remote=dashboard skeleton=Waiting let:dashboard>
                {move || view! { <Cards dashboard=dashboard.get() days=days.get() /> }}
            </Loaded>
        </section>
    }
}

const GRID: &str = "grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 lg:grid-cols-4";

#[component]
fn Waiting() -> impl IntoView {
    view! {
        <div class=GRID role="status" aria-label="Loading">
            {[(); 4].map(|()| view! { <div class="shimmer h-32"></div> })}
        </div>
    }
}

#[component]
fn Cards(dashboard: Dashboard, days: i64) -> impl IntoView {
    let whole = |value: f64| format::count(value as u64);
    view! {
        <dl class=GRID>
            <Card name="Assistants" icon=icondata::LuBot figure=dashboard.agents show=whole change=more days />
            <Card name="API calls" icon=icondata::LuMessagesSquare figure=dashboard.calls show=whole change=share days />
            <Card name="Average response" icon=icondata::LuClock figure=dashboard.average_response_ms show=format::milliseconds change=share days good_when_less=true />
            <Card name="Success rate" icon=icondata::LuCircleCheck figure=dashboard.success_rate show=format::percent change=points days />
        </dl>
    }
}

fn more(value: f64, previous: f64) -> Option<String> {
    Some(format!("{:+.0}", value - previous))
}

fn share(value: f64, previous: f64) -> Option<String> {
    (previous > 0.0).then(|| format!("{:+.0} %", (value / previous - 1.0) * 100.0))
}

fn points(value: f64, previous: f64) -> Option<String> {
    Some(format!("{:+.1} points", (value - previous) * 100.0))
}

#[component]
fn Card(
    name: &'static str,
    icon: icondata::Icon,
    figure: Figure,
    show: fn(f64) -> String,
    change: fn(f64, f64) -> Option<String>,
    days: i64,
    #[prop(optional)] good_when_less: bool,
) -> impl IntoView {
    let compared = figure.value.zip(figure.previous).and_then(|(value, previous)| {
        let text = change(value, previous)?;
        let colour = if value == previous {
            "text-muted"
        } else if (value > previous) != good_when_less {
            "text-success"
        } else {
            "text-error"
        };
        Some((text, colour))
    });
    view! {
        <div class="panel p-4">
            <dt class="flex items-center justify-between gap-2 text-sm text-muted">
                {name} <Icon icon />
            </dt>
            <dd class="mt-2">
                <span class="text-2xl font-semibold tracking-tight">{figure.value.map_or("–".to_owned(), show)}</span>
                <span class="mt-1 block text-sm text-muted">
                    {match (compared, figure.value) {
                        (Some((text, colour)), _) => {
                            view! { <span class=format!("font-medium {colour}")>{text}</span> " against the " {days} " days before" }.into_any()
                        }
                        (None, Some(_)) => "Nothing to compare with yet".into_any(),
                        (None, None) => "No calls yet".into_any(),
                    }}
                </span>
            </dd>
        </div>
    }
}
