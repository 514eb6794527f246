//! Times, relative to now; the full time stands in the title.

use crate::format;
use chrono::{DateTime, Local, Utc};
use leptos::prelude::*;

#[component]
pub fn Ago(at: DateTime<Utc>) -> impl IntoView {
    view! {
        <time datetime=at.to_rfc3339() title=full(at) class="whitespace-nowrap">
            {format::ago(at, Utc::now())}
        </time>
    }
}

#[component]
pub fn Day(at: DateTime<Utc>) -> impl IntoView {
    view! {
        <time datetime=at.to_rfc3339() title=full(at) class="whitespace-nowrap">
            {format::day(at)}
        </time>
    }
}

/// Day and time.
#[component]
pub fn Moment(at: DateTime<Utc>) -> impl IntoView {
    view! { <time datetime=at.to_rfc3339()>{full(at)}</time> }
}

fn full(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%-d %B %Y, %H:%M:%S").to_string()
}
