//! Pages about one thing, named by the id in the address.

use super::missing::NotHere;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use std::str::FromStr;

/// Makes the page anew for each id.
pub fn by_id<I, V>(page: impl Fn(I) -> V + Send + Sync + 'static) -> impl IntoView
where
    I: FromStr + Copy + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params
            .with(|params| params.get("id"))
            .and_then(|id| id.parse::<I>().ok())
    });
    move || match id.get() {
        Some(id) => untrack(|| page(id)).into_any(),
        None => view! { <NotHere /> }.into_any(),
    }
}
