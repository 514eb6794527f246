//! Invitations that nobody has answered yet.

use super::invite::{LinkDialog, announce};
use crate::{
    api::members::{delete_invitation, list_invitations, resend_invitation},
    components::{
        button::Button,
        dialog::About,
        loaded::{Loaded, no_items},
        page_head::Panel,
        time::Day,
    },
    facts::Facts,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
    words::role_name,
};
use cerebros_common::{
    events::EventKind,
    wire::{Page, PageQuery},
    workspaces::Invitation,
};
use chrono::Utc;
use leptos::prelude::*;

#[component]
pub fn Invitations(
    /// Read again when the dialog closes.
    inviting: RwSignal<bool>,
) -> impl IntoView {
    let invitations = Remote::new(move || {
        inviting.get();
        list_invitations(PageQuery {
            page: None,
            limit: Some(100),
        })
    })
    .live(|event| event.kind == EventKind::InvitationsChanged);
    let empty = || view! { <p class="px-4 pb-6 text-muted sm:px-6">"Nobody is invited right now."</p> };
    view! {
        <Panel title="Invitations" flush=true>
            <Loaded remote=invitations is_empty=no_items empty=empty let:page>
                <ul class="divide-y divide-line border-t border-line">
                    <For each=move || page.get().items key=|invitation| (invitation.id, invitation.expires_at) let:invitation>
                        <Row invitation invitations />
                    </For>
                </ul>
            </Loaded>
        </Panel>
    }
}

#[component]
fn Row(invitation: Invitation, invitations: Remote<Page<Invitation>>) -> impl IntoView {
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let facts = Facts::of_app();
    let link = About::new();
    let id = invitation.id;
    let again = Callback::new(move |()| {
        sending.start(resend_invitation(id), move |sent| {
            announce(sent, toasts, link);
            invitations.refetch();
        });
    });
    let withdraw = Callback::new(move |()| {
        sending.start(delete_invitation(id), move |()| {
            toasts.good("The invitation was withdrawn.");
            invitations.refetch();
        });
    });
    let over = invitation.expires_at <= Utc::now();
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 sm:px-6">
            <div class="min-w-0 grow basis-48">
                <p class="font-medium break-all">{invitation.email.clone()}</p>
                <p class="text-sm text-muted">
                    {role_name(invitation.role)} {if over { " · expired " } else { " · open until " }} <Day at=invitation.expires_at />
                </p>
            </div>
            <div role="group" aria-label=format!("Invitation of {}", invitation.email) class="flex gap-1">
                <Button busy=sending.busy class="btn btn-sm" on_click=again>
                    {move || if facts.mail() { "Send again" } else { "New link" }}
                </Button>
                <Button busy=sending.busy class="btn btn-sm" on_click=withdraw>
                    "Withdraw"
                </Button>
            </div>
            <LinkDialog link />
        </li>
    }
}
