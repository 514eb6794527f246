//! The start page of a signed-in person: figures, and the assistants.

mod figures;

use super::agents::list::AgentList;
use crate::{browser, components::page_head::PageHead};
use figures::Figures;
use leptos::prelude::*;

#[component]
pub fn DashboardPage() -> impl IntoView {
    browser::title("Dashboard");
    let creating = RwSignal::new(false);
    view! {
        <PageHead title="Dashboard">
            <button type="button" class="btn btn-primary" on:click=move |_| creating.set(true)>
                <crate::components::icon::Icon icon=icondata::LuPlus />
                "New assistant"
            </button>
        </PageHead>
        <Figures />
        <AgentList creating />
    }
}
