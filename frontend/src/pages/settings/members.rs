//! Who belongs to the workspace, and who is invited.

mod invitations;
mod invite;

use crate::{
    address::{Address, from_word, word},
    api::members::{delete_member, list_members, update_member},
    browser,
    components::{
        avatar::Avatar,
        dialog::{About, Confirm},
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::PageHead,
        pager::Pager,
        tag::{Colour, Tag},
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
    words::{role_name, role_text},
};
use cerebros_common::{
    events::EventKind,
    wire::{Page, PageQuery},
    workspaces::{Member, MemberPatch, Role},
};
use invitations::Invitations;
use invite::Invite;
use leptos::{html, prelude::*};

pub const ROLES: [Role; 4] = [Role::Viewer, Role::Reviewer, Role::Editor, Role::Admin];

/// The roles that somebody with this role gives to others.
pub fn below(role: Option<Role>) -> Vec<(String, String)> {
    ROLES
        .into_iter()
        .filter(|lower| Some(*lower) < role)
        .map(|lower| (word(&lower), role_name(lower).to_owned()))
        .collect()
}

#[component]
pub fn MembersPage() -> impl IntoView {
    browser::title("Members");
    let (session, address) = (Session::of_app(), Address::of_page());
    let members = Remote::new(move || {
        list_members(PageQuery {
            page: address.page(),
            limit: None,
        })
    })
    .live(|event| event.kind == EventKind::MembersChanged);
    let personal = move || session.workspace().is_some_and(|workspace| workspace.personal);
    let inviting = RwSignal::new(false);
    let removing = About::new();
    view! {
        <PageHead title="Members" level=2>
            <Show when=move || !personal()>
                <May role=Role::Admin>
                    <button type="button" class="btn btn-primary" on:click=move |_| inviting.set(true)>
                        <Icon icon=icondata::LuUserPlus />
                        "Invite"
                    </button>
                </May>
            </Show>
        </PageHead>
        <Show when=personal>
            <p class="max-w-prose text-muted">
                "A personal workspace is for one. To work with others, make a new workspace in the menu at the top of the navigation."
            </p>
        </Show>
        <Loaded remote=members let:page>
            <ul class="panel divide-y divide-line">
                <For each=move || page.get().items key=|member| (member.user_id, member.version, member.role) let:member>
                    <Row member members removing />
                </For>
            </ul>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="member" many="members" />
        </Loaded>
        <Show when=move || !personal()>
            <May role=Role::Admin>
                <Invitations inviting />
            </May>
        </Show>
        <Invite open=inviting />
        <Roles />
        <Remove removing members />
    }
}

#[component]
fn Row(member: Member, members: Remote<Page<Member>>, removing: About<Member>) -> impl IntoView {
    let session = Session::of_app();
    let you = untrack(|| session.user()).is_some_and(|user| user.id == member.user_id);
    let role = member.role;
    let manages = Memo::new(move |_| !you && session.may(Role::Admin) && session.role() > Some(role));
    let name = member.name.clone();
    let (email, avatar, joined_at) = (member.email.clone(), member.avatar_url.clone(), member.joined_at);
    let member = StoredValue::new(member);
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
            <Avatar name=name.clone() url=avatar class="size-10 text-base" />
            <div class="min-w-0 grow basis-48">
                <p class="flex flex-wrap items-center gap-2 font-medium break-words">
                    {name.clone()} {you.then(|| view! { <Tag colour=Colour::Grey text="You" /> })}
                </p>
                <p class="text-sm break-words text-muted">{email} " · joined " <Ago at=joined_at /></p>
            </div>
            <Show when=move || manages.get() fallback=move || view! { <span class="text-sm">{role_name(role)}</span> }>
                <div class="flex items-center gap-1">
                    <RoleChoice member members />
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm btn-square"
                        aria-label=member.with_value(|member| format!("Remove {}", member.name))
                        on:click=move |_| removing.ask(member.get_value())
                    >
                        <Icon icon=icondata::LuUserMinus />
                    </button>
                </div>
            </Show>
        </li>
    }
}

#[component]
fn RoleChoice(member: StoredValue<Member>, members: Remote<Page<Member>>) -> impl IntoView {
    let (session, toasts, sending) = (Session::of_app(), Toasts::of_app(), Sending::in_toasts());
    let element = NodeRef::<html::Select>::new();
    let (id, version, role) = member.with_value(|member| (member.user_id, member.version, member.role));
    let change = move |event: web_sys::Event| {
        let Some(role) = from_word(&event_target_value(&event)) else {
            return;
        };
        sending.start(update_member(id, version, MemberPatch { role }), move |member| {
            toasts.good(format!("{} is {} now.", member.name, role_name(member.role)));
            members.refetch();
        });
    };
    Effect::new(move |_| {
        if sending.error.with(Option::is_some) {
            if let Some(element) = element.get_untracked() {
                element.set_value(&word(&role));
            }
            members.refetch();
        }
    });
    view! {
        <select
            node_ref=element
            class="select select-sm w-auto"
            aria-label=member.with_value(|member| format!("Role of {}", member.name))
            disabled=sending.busy
            on:change=change
        >
            {below(untrack(|| session.role()))
                .into_iter()
                .map(|(key, name)| {
                    let chosen = key == word(&role);
                    view! {
                        <option value=key selected=chosen>
                            {name}
                        </option>
                    }
                })
                .collect_view()}
        </select>
    }
}

#[component]
fn Remove(removing: About<Member>, members: Remote<Page<Member>>) -> impl IntoView {
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let confirmed = Callback::new(move |()| {
        let Some(member) = removing.now() else { return };
        sending.start(delete_member(member.user_id, member.version), move |()| {
            removing.close();
            toasts.good(format!("{} is no longer a member.", member.name));
            members.refetch();
        });
    });
    let title = removing.title(|member| format!("Remove {}?", member.name));
    view! {
        <Confirm open=removing.open title action="Remove member" sending confirmed>
            <p>"They lose access at once, and so do the API keys that they made. What they made here stays."</p>
        </Confirm>
    }
}

/// What each role may do.
#[component]
fn Roles() -> impl IntoView {
    view! {
        <details class="panel px-4 py-3 text-sm">
            <summary class="cursor-pointer font-medium">"What the roles may do"</summary>
            <dl class="mt-2 grid gap-x-4 gap-y-1 sm:grid-cols-[6rem_minmax(0,1fr)]">
                {ROLES
                    .into_iter()
                    .chain([Role::Owner])
                    .map(|role| {
                        view! {
                            <dt class="font-medium">{role_name(role)}</dt>
                            <dd class="text-muted">{role_text(role)}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
        </details>
    }
}
