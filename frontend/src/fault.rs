//! What is left when the app itself breaks: a plain page instead of one that does not answer.

use crate::browser;
use std::panic;

const PAGE: &str = r#"<main class="mx-auto flex max-w-xl flex-col items-center gap-2 px-4 py-24 text-center">
<h1>The app has stopped</h1>
<p class="text-muted">That is a fault of the app. What was not saved yet is lost; everything else is on the server. Load the page again to go on.</p>
<p class="mt-4 flex flex-wrap justify-center gap-2"><a id="again" rel="external" class="btn btn-primary">Load the page again</a>
<a href="/dashboard" rel="external" class="btn">Go to the dashboard</a></p>
</main>"#;

pub fn watch() {
    panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        let document = leptos::prelude::document();
        if let Some(body) = document.body() {
            body.set_inner_html(PAGE);
        }
        let here = browser::window().location().href().unwrap_or_default();
        if let Some(again) = document.get_element_by_id("again") {
            // Fails only for a name that no attribute can have.
            drop(again.set_attribute("href", &here));
        }
    }));
}
