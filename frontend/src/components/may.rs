//! What is only for some roles.

use super::loaded::Empty;
use crate::{session::Session, words::role_name};
use cerebros_common::workspaces::Role;
use leptos::prelude::*;

/// Shows its children to people whose role in this workspace includes `role`. The server refuses the others anyway.
#[component]
pub fn May(role: Role, children: ChildrenFn) -> impl IntoView {
    let session = Session::of_app();
    let children = StoredValue::new(children);
    view! { <Show when=move || session.may(role)>{children.with_value(|children| children())}</Show> }
}

/// Says who may see a page that is not for everyone.
#[component]
pub fn Needs(role: Role, children: ChildrenFn) -> impl IntoView {
    let session = Session::of_app();
    let children = StoredValue::new(children);
    let fallback = move || {
        view! {
            <Empty
                icon=icondata::LuLock
                title="Your role does not include this"
                text=format!(
                    "It takes the role {} or above in this workspace; yours is {}.",
                    role_name(role),
                    session.role().map_or("none", role_name),
                )
            />
        }
    };
    view! {
        <Show when=move || session.may(role) fallback=fallback>
            {children.with_value(|children| children())}
        </Show>
    }
}
