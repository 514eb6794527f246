//! What a share link shows, without a session.

use crate::{
    api::diagrams::{find_shared, shared_picture_address},
    browser,
    components::{brand::Brand, loaded::Loaded, theme_switch::ThemeSwitch},
    remote::Remote,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

#[component]
pub fn SharedPage() -> impl IntoView {
    let params = use_params_map();
    let token = Memo::new(move |_| params.with(|params| params.get("token")).unwrap_or_default());
    let shared = Remote::new(move || find_shared(token.get()));
    browser::title("Shared diagram");
    view! {
        <div class="flex min-h-screen flex-col bg-base-200">
            <header class="flex items-center justify-between p-4 sm:px-8">
                <Brand />
                <ThemeSwitch />
            </header>
            <main class="mx-auto w-full max-w-5xl grow space-y-4 px-4 pb-12">
                <Loaded remote=shared let:diagram>
                    <h1 class="break-words">{move || diagram.with(|diagram| diagram.title.clone())}</h1>
                    <p class="max-w-prose break-words">{move || diagram.with(|diagram| diagram.summary.clone())}</p>
                    <div class="panel overflow-hidden bg-white p-4">
                        <img
                            src=move || shared_picture_address(&token.get())
                            alt=move || format!("Diagram: {}", diagram.with(|diagram| diagram.title.clone()))
                            class="mx-auto max-w-full"
                        />
                    </div>
                </Loaded>
            </main>
        </div>
    }
}
