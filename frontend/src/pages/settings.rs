//! The person's own settings, and those of the workspace. Each part has an address of its own.

pub mod api_keys;
pub mod audit;
pub mod data;
pub mod language_model;
pub mod members;
pub mod notifications;
pub mod profile;
pub mod provider_keys;
pub mod sessions;
pub mod templates;
pub mod usage;
pub mod webhooks;
pub mod workspace;

use crate::{
    components::{icon::Icon, may::May, page_head::PageHead},
    session::Session,
};
use cerebros_common::workspaces::Role;
use leptos::{html, prelude::*};
use leptos_router::{
    NavigateOptions,
    components::{Outlet, Redirect},
    hooks::use_location,
};

struct Part {
    href: &'static str,
    name: &'static str,
    icon: icondata::Icon,
    least: Role,
}

static YOURS: [Part; 3] = [
    Part::new("/settings/profile", "Profile", icondata::LuUser, Role::Viewer),
    Part::new(
        "/settings/notifications",
        "Notifications",
        icondata::LuBell,
        Role::Viewer,
    ),
    Part::new(
        "/settings/sessions",
        "Sessions",
        icondata::LuMonitorSmartphone,
        Role::Viewer,
    ),
];

static WORKSPACE: [Part; 10] = [
    Part::new("/settings/workspace", "Workspace", icondata::LuBuilding2, Role::Viewer),
    Part::new("/settings/members", "Members", icondata::LuUsers, Role::Viewer),
    Part::new("/settings/api-keys", "API keys", icondata::LuKeyRound, Role::Admin),
    Part::new(
        "/settings/provider-keys",
        "Provider keys",
        icondata::LuPlug,
        Role::Admin,
    ),
    Part::new("/settings/webhooks", "Webhooks", icondata::LuWebhook, Role::Admin),
    Part::new(
        "/settings/templates",
        "Prompt templates",
        icondata::LuMessageSquareQuote,
        Role::Viewer,
    ),
    Part::new(
        "/settings/language-model",
        "Language model",
        icondata::LuBrain,
        Role::Viewer,
    ),
    Part::new("/settings/usage", "Usage", icondata::LuChartColumn, Role::Viewer),
    Part::new("/settings/data", "Data", icondata::LuArchive, Role::Viewer),
    Part::new("/settings/audit", "Audit log", icondata::LuScrollText, Role::Admin),
];

#[component]
pub fn Settings() -> impl IntoView {
    let session = Session::of_app();
    let name = Signal::derive(move || session.workspace().map(|workspace| workspace.name).unwrap_or_default());
    view! {
        <PageHead title="Settings" />
        <div class="lg:grid lg:grid-cols-[12rem_minmax(0,1fr)] lg:gap-8">
            <nav aria-label="Settings" class="mb-6 overflow-x-auto border-b border-line pb-2 lg:mb-0 lg:border-b-0 lg:pb-0">
                <div class="flex gap-1 lg:block lg:space-y-6">
                    <Group title="You" parts=&YOURS />
                    <Group title=name parts=&WORKSPACE />
                </div>
            </nav>
            <div class="min-w-0 space-y-6">
                <Outlet />
            </div>
        </div>
    }
}

#[component]
pub fn First() -> impl IntoView {
    let options = NavigateOptions {
        replace: true,
        ..NavigateOptions::default()
    };
    view! { <Redirect path="/settings/profile" options /> }
}

#[component]
fn Group(#[prop(into)] title: Signal<String>, parts: &'static [Part]) -> impl IntoView {
    view! {
        <div class="contents lg:block">
            <p class="hidden truncate px-2 pb-1 text-sm text-muted lg:block">{move || title.get()}</p>
            <ul class="flex gap-1 lg:block lg:space-y-1">
                {parts
                    .iter()
                    .map(|part| {
                        view! {
                            <May role=part.least>
                                <Entry part />
                            </May>
                        }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
}

#[component]
fn Entry(part: &'static Part) -> impl IntoView {
    let path = use_location().pathname;
    let here = Memo::new(move |_| path.with(|path| path == part.href));
    let element = NodeRef::<html::Li>::new();
    Effect::new(move |_| {
        // On a narrow screen the open one may be outside the strip.
        if let Some(item) = element.get().filter(|_| here.get())
            && let Some(strip) = item.closest("nav").ok().flatten()
        {
            strip.set_scroll_left(item.offset_left() - 16);
        }
    });
    view! {
        <li node_ref=element>
            <a
                href=part.href
                aria-current=move || here.get().then_some("page")
                class="flex items-center gap-2 rounded-field px-2 py-2 text-sm font-medium whitespace-nowrap"
                class:text-muted=move || !here.get()
                class:bg-tint-blue=here
                class:text-ink-blue=here
                class:hover:bg-tint-grey=move || !here.get()
            >
                <Icon icon=part.icon />
                {part.name}
            </a>
        </li>
    }
}

impl Part {
    const fn new(href: &'static str, name: &'static str, icon: icondata::Icon, least: Role) -> Self {
        Self {
            href,
            name,
            icon,
            least,
        }
    }
}
