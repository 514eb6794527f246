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

static PLACES: [Place; 5] = [
    Place {
        href: "/dashboard",
        name: "Dashboard",
        icon: icondata::LuLayoutDashboard,
        also: &["/assistants", "/documents"],
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
        also: &[],
    },
    Place {
        href: "/api-keys",
        name: "API keys",
        icon: icondata::LuKeyRound,
        also: &[],
    },
];

#[component]
pub fn Navigation(#[prop(into)] email: Signal<String>, sign_out: Callback<()>) -> impl IntoView {
    let open = RwSignal::new(false);
    let path = use_location().pathname;
    Effect::new(move |_| {
        path.with(|_| ());
        open.set(false);
    });
    view! {
        <header class="sticky top-0 z-30 flex items-center justify-between border-b border-line bg-base-100 px-4 py-2 lg:hidden">
            <Brand href="/dashboard" />
            <button
                type="button"
                class="btn btn-ghost btn-square"
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
        </header>
        <aside
            id="navigation"
            aria-label="Navigation"
            class="fixed inset-x-0 top-[57px] bottom-0 z-20 flex-col gap-6 overflow-y-auto border-line bg-base-200 p-4 lg:sticky lg:top-0 lg:flex lg:h-screen lg:w-60 lg:shrink-0 lg:border-r"
            class:flex=move || open.get()
            class:hidden=move || !open.get()
        >
            <div class="hidden px-2 pt-2 lg:block">
                <Brand href="/dashboard" />
            </div>
            <nav aria-label="Main" class="grow">
                <ul class="space-y-1">
                    {PLACES.iter().map(|place| view! { <li>{place.link(path)}</li> }).collect_view()}
                </ul>
            </nav>
            <div class="space-y-4 px-2">
                <ThemeSwitch />
                <div class="flex items-center justify-between gap-2 border-t border-line pt-4">
                    <span class="truncate text-sm text-muted" title=move || email.get()>
                        {move || email.get()}
                    </span>
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square"
                        aria-label="Sign out"
                        title="Sign out"
                        on:click=move |_| sign_out.run(())
                    >
                        <Icon icon=icondata::LuLogOut />
                    </button>
                </div>
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
