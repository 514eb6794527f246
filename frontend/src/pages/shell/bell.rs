//! What happened, behind a bell with the number of unread notifications.

use crate::{
    api::notifications::{count_unread, list_notifications, read_all, read_notification},
    components::{
        icon::Icon,
        loaded::{Loaded, no_more_items},
        menu::Menu,
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    session::Session,
    words::target,
};
use cerebros_common::{
    events::{Event, EventKind},
    notifications::{Notification, NotificationQuery, NotificationSubject},
};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

const SHOWN: u32 = 30;

fn concerns(event: &Event) -> bool {
    event.kind == EventKind::NotificationsChanged
}

#[component]
pub fn Bell() -> impl IntoView {
    let count = Remote::new(count_unread).live(concerns);
    let unread = Signal::derive(move || count.with(|count| count.unread).unwrap_or_default());
    let label = Signal::derive(move || {
        Some(match unread.get() {
            0 => "Notifications".to_owned(),
            number => format!("Notifications, {number} unread"),
        })
    });
    let button = move || {
        view! {
            <Icon icon=icondata::LuBell class="size-5" />
            <Show when=move || { unread.get() > 0 }>
                <span
                    aria-hidden="true"
                    class="absolute -top-0.5 -right-0.5 min-w-5 rounded-full bg-primary px-1 text-center text-xs leading-5 font-medium text-primary-content"
                >
                    {move || if unread.get() > 99 { "99+".to_owned() } else { unread.get().to_string() }}
                </span>
            </Show>
        }
    };
    view! {
        <Menu
            id="notifications"
            label
            class="btn btn-ghost btn-circle relative"
            place="top-14 right-4 max-h-[min(36rem,calc(100vh-5rem))] w-96"
            button=ViewFn::from(button)
        >
            <List count unread />
        </Menu>
    }
}

#[component]
fn List(count: Remote<cerebros_common::notifications::UnreadCount>, unread: Signal<u64>) -> impl IntoView {
    let notifications = Remote::new(|| {
        list_notifications(NotificationQuery {
            limit: Some(SHOWN),
            ..NotificationQuery::default()
        })
    })
    .live(concerns);
    let sending = Sending::in_toasts();
    let all = move |_| {
        sending.start(read_all(), move |now| {
            count.set(now);
            notifications.refetch();
        });
    };
    let empty = || {
        view! {
            <p class="px-4 py-8 text-center text-sm text-muted">
                "Nothing has happened yet. Finished training, failed documents and news of your account will show here."
            </p>
        }
    };
    view! {
        <div class="sticky top-0 flex items-center justify-between gap-2 border-b border-line bg-base-100 px-4 py-2">
            <h2 class="text-base">"Notifications"</h2>
            <Show when=move || { unread.get() > 0 }>
                <button type="button" class="btn btn-ghost btn-sm" on:click=all>
                    <Icon icon=icondata::LuCheckCheck />
                    "Mark all read"
                </button>
            </Show>
        </div>
        <Loaded remote=notifications is_empty=no_more_items empty=empty let:page>
            <ul class="divide-y divide-line">
                <For each=move || page.get().items key=|item| (item.id, item.read_at) let:item>
                    <Item item changed=Callback::new(move |()| count.refetch()) />
                </For>
            </ul>
        </Loaded>
        <p class="border-t border-line px-4 py-2 text-sm">
            <a class="link-plain" href="/settings/notifications">
                "Choose what you are told"
            </a>
        </p>
    }
}

#[component]
fn Item(item: Notification, changed: Callback<()>) -> impl IntoView {
    let session = Session::of_app();
    let navigate = use_navigate();
    let (id, workspace, title) = (item.id, item.workspace_id, item.title.clone());
    let read = RwSignal::new(item.read_at.is_some());
    let href = target(&item);
    let here = item.subject == NotificationSubject::Account
        || untrack(|| session.workspace()).is_some_and(|current| current.id == workspace);
    let reachable = here
        || untrack(|| session.workspaces())
            .iter()
            .any(|known| known.id == workspace);
    let sending = Sending::in_toasts();
    let mark = move |then: Box<dyn FnOnce()>| {
        if read.get_untracked() {
            return then();
        }
        sending.start(read_notification(id), move |_| {
            read.try_set(true);
            changed.run(());
            then();
        });
    };
    let open = {
        let href = href.clone();
        move |event: web_sys::MouseEvent| {
            if event.ctrl_key() || event.meta_key() || event.shift_key() {
                return;
            }
            event.prevent_default();
            let (href, navigate) = (href.clone(), navigate.clone());
            mark(Box::new(move || {
                if here {
                    navigate(&href, leptos_router::NavigateOptions::default());
                } else {
                    session.switch(workspace, &href);
                }
            }));
        }
    };
    view! {
        <li class="flex items-start gap-2 px-4 py-3 text-sm" class:bg-tint-blue=move || !read.get()>
            <div class="min-w-0 grow">
                {if reachable {
                    view! {
                        <a href=href rel="external" class="font-medium break-words hover:underline" on:click=open>
                            {title.clone()}
                        </a>
                    }
                        .into_any()
                } else {
                    view! { <span class="font-medium break-words">{title.clone()}</span> }.into_any()
                }}
                <p class="text-muted">
                    <Show when=move || !read.get()>
                        <span class="sr-only">"Unread, "</span>
                    </Show>
                    <Ago at=item.created_at />
                </p>
            </div>
            <Show when=move || !read.get()>
                <button
                    type="button"
                    class="btn btn-ghost btn-sm btn-square"
                    aria-label=format!("Mark as read: {title}")
                    title="Mark as read"
                    on:click=move |_| mark(Box::new(|| ()))
                >
                    <Icon icon=icondata::LuCheck />
                </button>
            </Show>
        </li>
    }
}
