//! Privacy and terms, as the operator of the server words them.

use crate::{
    api::legal::find_legal,
    browser,
    components::{brand::Brand, footer::Footer, loaded::Loaded},
    remote::Remote,
};
use cerebros_common::legal::LegalPage;
use leptos::prelude::*;

#[component]
pub fn Privacy() -> impl IntoView {
    view! { <Legal page=LegalPage::Privacy /> }
}

#[component]
pub fn Terms() -> impl IntoView {
    view! { <Legal page=LegalPage::Terms /> }
}

#[component]
fn Legal(page: LegalPage) -> impl IntoView {
    let text = Remote::new(move || find_legal(page));
    Effect::new(move |_| {
        if let Some(title) = text.with(|text| text.title.clone()) {
            browser::title(title);
        }
    });
    view! {
        <div class="flex min-h-screen flex-col">
            <header class="mx-auto w-full max-w-3xl p-4 sm:px-8">
                <Brand />
            </header>
            <main class="mx-auto w-full max-w-3xl grow px-4 py-6 sm:px-8">
                <Loaded remote=text let:text>
                    <article>
                        <h1 class="mb-6">{move || text.with(|text| text.title.clone())}</h1>
                        // The server makes it from Markdown without raw HTML.
                        <div class="reading" inner_html=move || text.with(|text| text.html.clone())></div>
                    </article>
                </Loaded>
            </main>
            <Footer />
        </div>
    }
}
