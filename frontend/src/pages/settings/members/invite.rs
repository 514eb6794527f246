//! Inviting somebody. A server that sends no mail shows the link instead.

use super::below;
use crate::{
    address::{from_word, word},
    api::members::create_invitation,
    components::{
        button::Button,
        dialog::{About, Dialog},
        error_view::Alert,
        field::{Field, Select},
        shown_once::ShownOnce,
    },
    forms::Sending,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::workspaces::{NewInvitation, Role, SentInvitation};
use leptos::prelude::*;

#[component]
pub fn Invite(open: RwSignal<bool>) -> impl IntoView {
    let toasts = Toasts::of_app();
    let link = About::new();
    let sent = Callback::new(move |sent: SentInvitation| {
        open.set(false);
        announce(sent, toasts, link);
    });
    view! {
        <Dialog open title="Invite somebody">
            <Form sent />
        </Dialog>
        <LinkDialog link />
    }
}

/// Says that the invitation is on its way, or shows the link that is to be passed on: the address and the link.
pub fn announce(sent: SentInvitation, toasts: Toasts, link: About<(String, String)>) {
    let email = sent.invitation.email;
    match sent.link {
        Some(address) => link.ask((email, address)),
        None => toasts.good(format!("The invitation to {email} is on its way.")),
    }
}

#[component]
fn Form(sent: Callback<SentInvitation>) -> impl IntoView {
    let session = Session::of_app();
    let email = RwSignal::new(String::new());
    let role = RwSignal::new(word(&Role::Editor));
    let options = Signal::derive(move || below(session.role()));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewInvitation {
            email: email.get_untracked().trim().to_owned(),
            role: from_word(&role.get_untracked()).unwrap_or(Role::Viewer),
        };
        sending.submit(body, create_invitation, move |answer| sent.run(answer));
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="E-mail" name="invited-email" kind="email" value=email error=sending.field("email") autocomplete="off" autofocus=true />
            <Select label="Role" name="invited-role" value=role options hint="You can change it later." />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Invite"
                </Button>
            </div>
        </form>
    }
}

/// Where no mail is sent: the link, and whom it is for.
#[component]
pub fn LinkDialog(link: About<(String, String)>) -> impl IntoView {
    let email = move || link.get().map(|(email, _)| email);
    let address = Signal::derive(move || link.get().map(|(_, address)| address).unwrap_or_default());
    view! {
        <ShownOnce open=link.open title="Pass the link on" copy="Copy the link" secret=address>
            "This server sends no mail. Give this link to "
            <b>{email}</b>
            ": it works once, and is not shown again."
        </ShownOnce>
    }
}
