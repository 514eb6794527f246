//! Where the person is signed in.

use crate::{
    address::Address,
    api::accounts::{end_other_sessions, end_session, list_sessions},
    browser,
    components::{
        button::Button,
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        page_head::Panel,
        pager::Pager,
        tag::{Colour, Tag},
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    accounts::DeviceSession,
    wire::{Page, PageQuery},
};
use leptos::prelude::*;

#[component]
pub fn SessionsPage() -> impl IntoView {
    browser::title("Sessions");
    let address = Address::of_page();
    let sessions = Remote::new(move || {
        list_sessions(PageQuery {
            page: address.page(),
            limit: None,
        })
    });
    let asking = RwSignal::new(false);
    let actions = move || {
        view! {
            <Show when=move || { sessions.with(|page| page.total).unwrap_or_default() > 1 }>
                <button type="button" class="btn btn-sm" on:click=move |_| asking.set(true)>
                    <Icon icon=icondata::LuLogOut />
                    "Sign out everywhere else"
                </button>
            </Show>
        }
    };
    view! {
        <Panel title="Sessions" flush=true actions=ViewFn::from(actions)>
            <p class="px-4 text-sm text-muted sm:px-6">"The browsers in which you are signed in. End those that you do not know, then change your password."</p>
            <Loaded remote=sessions let:page>
                <ul class="mt-4 divide-y divide-line border-t border-line">
                    <For each=move || page.get().items key=|session| (session.id, session.last_used_at) let:session>
                        <Row session sessions />
                    </For>
                </ul>
                <div class="px-4 pb-4 sm:px-6">
                    <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="session" many="sessions" />
                </div>
            </Loaded>
        </Panel>
        <EndOthers asking sessions />
    }
}

#[component]
fn Row(session: DeviceSession, sessions: Remote<Page<DeviceSession>>) -> impl IntoView {
    let (id, current) = (session.id, session.current);
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let label = format!("Sign out {}", session.device);
    let end = Callback::new(move |()| {
        sending.start(end_session(id), move |()| {
            toasts.good("That session has ended.");
            sessions.refetch();
        });
    });
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 sm:px-6">
            <span class="text-muted">
                <Icon icon=icondata::LuMonitorSmartphone class="size-5" />
            </span>
            <div class="min-w-0 grow basis-48">
                <p class="flex flex-wrap items-center gap-2 font-medium break-words">
                    {session.device} {current.then(|| view! { <Tag colour=Colour::Green text="This one" /> })}
                </p>
                <p class="text-sm break-words text-muted">
                    {session.address} " · used " <Ago at=session.last_used_at /> " · since " <Ago at=session.created_at />
                </p>
            </div>
            {(!current)
                .then(|| {
                    view! {
                        <span aria-label=label role="group">
                            <Button busy=sending.busy class="btn btn-sm" on_click=end>
                                "Sign out"
                            </Button>
                        </span>
                    }
                })}
        </li>
    }
}

#[component]
fn EndOthers(asking: RwSignal<bool>, sessions: Remote<Page<DeviceSession>>) -> impl IntoView {
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let confirmed = Callback::new(move |()| {
        sending.start(end_other_sessions(), move |()| {
            asking.set(false);
            toasts.good("All other sessions have ended.");
            sessions.refetch();
        });
    });
    view! {
        <Confirm open=asking title="Sign out everywhere else?" action="Sign out" sending confirmed>
            <p>"Every other browser has to sign in again. API keys keep working."</p>
        </Confirm>
    }
}
