//! The start page of a signed-in person: figures, and the assistants.

mod figures;

use super::agents::list::AgentList;
use crate::{
    browser,
    components::{icon::Icon, may::May, page_head::PageHead},
};
use cerebros_common::workspaces::Role;
use figures::Figures;
use leptos::prelude::*;

#[component]
pub fn DashboardPage() -> impl IntoView {
    browser::title("Dashboard");
    let creating = RwSignal::new(false);
    view! {
        <PageHead title="Dashboard">
            <May role=Role::Editor>
                <button type="button" class="btn btn-primary" on:click=move |_| creating.set(true)>
                    <Icon icon=icondata::LuPlus />
                    "New assistant"
                </button>
            </May>
        </PageHead>
        <Figures />
        <AgentList creating />
    }
}
