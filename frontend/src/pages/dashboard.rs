//! The start page of a signed-in person.

use crate::browser;
use leptos::prelude::*;

#[component]
pub fn DashboardPage() -> impl IntoView {
    browser::title("Dashboard");
    view! { <h1>"Dashboard"</h1> }
}
