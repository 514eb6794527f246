//! One training job.

use super::watch::Watch;
use crate::{browser, components::page_head::PageHead, pages::by_id::by_id};
use leptos::prelude::*;

#[component]
pub fn JobPage() -> impl IntoView {
    browser::title("Training job");
    let parents = vec![("Training".to_owned(), "/training".to_owned())];
    view! {
        <PageHead title="Training job" parents />
        {by_id(|id| view! { <Watch id /> })}
    }
}
