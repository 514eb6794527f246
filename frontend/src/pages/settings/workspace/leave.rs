//! Leaving a workspace, and handing it over.

use crate::{
    api::members::{leave_workspace, list_members, make_owner},
    components::{dialog::Confirm, field::Select, loaded::Loaded, page_head::Panel},
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    ids::UserId,
    wire::{Page, PageQuery},
    workspaces::{Member, Workspace},
};
use leptos::prelude::*;

#[component]
pub fn Leave(workspace: Signal<Workspace>) -> impl IntoView {
    let session = Session::of_app();
    let (asking, sending) = (RwSignal::new(false), Sending::new());
    let confirmed = Callback::new(move |()| {
        let Some(user) = untrack(|| session.user()) else { return };
        sending.start(leave_workspace(user.id), move |()| session.ask());
    });
    let title = Signal::derive(move || format!("Leave {}?", workspace.with(|workspace| workspace.name.clone())));
    view! {
        <Panel title="Leave this workspace">
            <p class="mb-4 max-w-prose text-muted">"What you made here stays. To come back you need a new invitation."</p>
            <button type="button" class="btn" on:click=move |_| asking.set(true)>
                "Leave"
            </button>
        </Panel>
        <Confirm open=asking title action="Leave workspace" sending confirmed>
            <p>"You lose access at once, and so do the API keys that you made here."</p>
        </Confirm>
    }
}

#[component]
pub fn HandOver() -> impl IntoView {
    let members = Remote::new(|| {
        list_members(PageQuery {
            page: None,
            limit: Some(100),
        })
    });
    view! {
        <Panel title="Hand it over">
            <p class="mb-4 max-w-prose text-muted">
                "A workspace has one owner. The new one gets all your rights; you become an admin, and can leave afterwards."
            </p>
            <Loaded remote=members let:page>
                <Choose page />
            </Loaded>
        </Panel>
    }
}

#[component]
fn Choose(page: Signal<Page<Member>>) -> impl IntoView {
    let (session, toasts, sending) = (Session::of_app(), Toasts::of_app(), Sending::new());
    let me = untrack(|| session.user()).map(|user| user.id);
    let others = Memo::new(move |_| {
        let members = page.get().items;
        members
            .into_iter()
            .filter(|member| Some(member.user_id) != me)
            .map(|member| {
                (
                    member.user_id.to_string(),
                    format!("{} ({})", member.name, member.email),
                )
            })
            .collect::<Vec<_>>()
    });
    let chosen = RwSignal::new(String::new());
    Effect::new(move |_| {
        if chosen.with_untracked(String::is_empty)
            && let Some((id, _)) = others.with(|others| others.first().cloned())
        {
            chosen.set(id);
        }
    });
    let asking = RwSignal::new(false);
    let confirmed = Callback::new(move |()| {
        let Ok(id) = chosen.get_untracked().parse::<UserId>() else {
            return;
        };
        sending.start(make_owner(id), move |member| {
            asking.set(false);
            toasts.good(format!("{} owns the workspace now. You are an admin.", member.name));
            session.ask();
        });
    });
    let name = move || {
        others.with(|others| {
            let found = others.iter().find(|(id, _)| chosen.with(|chosen| chosen == id));
            found.map(|(_, name)| name.clone())
        })
    };
    view! {
        <Show
            when=move || !others.with(Vec::is_empty)
            fallback=|| view! { <p class="text-sm">"There is nobody else here yet. Invite somebody first."</p> }
        >
            <div class="max-w-md space-y-2">
                <Select label="New owner" name="new-owner" value=chosen options=others />
                <button type="button" class="btn" on:click=move |_| asking.set(true)>
                    "Hand over"
                </button>
            </div>
        </Show>
        <Confirm open=asking title="Hand the workspace over?" action="Hand over" sending confirmed>
            <p class="break-words"><b>{name}</b> " becomes the owner. Only they can give it back."</p>
        </Confirm>
    }
}
