//! The way around the app: a column on wide screens, a drawer behind a button on narrow ones.

use super::{brand::Brand, icon::Icon, theme_switch::ThemeSwitch};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

struct Place {
    href: &'static str,
    name: &'static str,
    icon: icondata::Icon,
    /// What else belongs to it.
    also: &'static [&'static str],
}

static PLACES: [Place; 6] = [
    Place {
        href: "/dashboard",
        name: "Dashboard",
        icon: icondata::LuLayoutDashboard,
        also: &["/assistants", "/documents", "/batches"],
    },
    Place {
        href: "/studio",
        name: "Studio",
        icon: icondata::LuWorkflow,
        also: &[],
    },
    Place {
        href: "/datasets",
        name: "Datasets",
        icon: icondata::LuDatabase,
        also: &[],
    },
    Place {
        href: "/training",
        name: "Training",
        icon: icondata::LuActivity,
        also: &[],
    },
    Place {
        href: "/models",
        name: "Models",
        icon: icondata::LuBox,
        also: &["/comparisons"],
    },
    Place {
        href: "/settings",
        name: "Settings",
        icon: icondata::LuSettings,
        also: &[],
    },
];

/// `workspaces` stands above the places, `corner` at the right end of the bar.
#[component]
pub fn Navigation(#[prop(into)] workspaces: ViewFn, #[prop(into)] corner: ViewFn) -> impl IntoView {
    let open = RwSignal::new(false);
    let path = use_location().pathname;
    Effect::new(move |_| {
        path.with(|_| ());
        open.set(false);
    });
    view! {
        <header class="sticky top-0 z-30 flex h-14 items-center gap-1 border-b border-line bg-base-100 px-4 lg:static lg:col-start-2 lg:border-b-0 lg:px-8">
            <button
                type="button"
                class="btn btn-ghost btn-square -ml-2 lg:hidden"
                aria-label="Menu"
                aria-controls="navigation"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                {move || {
                    let icon = if open.get() { icondata::LuX } else { icondata::LuMenu };
                    view! { <Icon icon class="size-5" /> }
                }}
            </button>
            <div class="flex lg:hidden">
                <Brand href="/dashboard" />
            </div>
            <div class="ml-auto flex items-center gap-1">{corner.run()}</div>
        </header>
        <aside
            id="navigation"
            aria-label="Navigation"
            class="fixed inset-x-0 top-14 bottom-0 z-20 flex-col gap-6 overflow-y-auto border-line bg-base-200 p-4 lg:sticky lg:top-0 lg:col-start-1 lg:row-span-2 lg:row-start-1 lg:flex lg:h-screen lg:border-r"
            class:flex=move || open.get()
            class:hidden=move || !open.get()
        >
            <div class="hidden px-2 pt-2 lg:block">
                <Brand href="/dashboard" />
            </div>
            {workspaces.run()}
            <nav aria-label="Main" class="grow">
                <ul class="space-y-1">
                    {PLACES.iter().map(|place| view! { <li>{place.link(path)}</li> }).collect_view()}
                </ul>
            </nav>
            <div class="px-2">
                <ThemeSwitch />
            </div>
        </aside>
    }
}

impl Place {
    fn holds(&self, path: &str) -> bool {
        path.starts_with(self.href) || self.also.iter().any(|also| path.starts_with(also))
    }

    fn link(&'static self, path: Memo<String>) -> impl IntoView {
        let here = Memo::new(move |_| path.with(|path| self.holds(path)));
        view! {
            <a
                href=self.href
                aria-current=move || here.get().then_some("page")
                class="flex items-center gap-2 rounded-field px-2 py-2 text-sm font-medium"
                class:text-muted=move || !here.get()
                class:bg-tint-blue=move || here.get()
                class:text-ink-blue=move || here.get()
                class:hover:bg-tint-grey=move || !here.get()
            >
                <Icon icon=self.icon />
                {self.name}
            </a>
        }
    }
}
