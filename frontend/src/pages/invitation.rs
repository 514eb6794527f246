//! An invitation to a workspace: who asks, and the answer.

use super::welcome::{Welcome, sign_in::EMAIL};
use crate::{
    api::members::{accept_invitation, look_at_invitation},
    browser,
    components::{button::Button, error_view::Alert, loaded::Loaded},
    forms::Sending,
    links,
    remote::Remote,
    session::{Account, HOME, Session},
    toasts,
    words::{role_name, role_text},
};
use cerebros_common::{accounts::LinkToken, workspaces::InvitationView};
use leptos::prelude::*;

#[component]
pub fn InvitationPage() -> impl IntoView {
    let again = window_event_listener(leptos::ev::hashchange, |_| drop(browser::window().location().reload()));
    on_cleanup(move || again.remove());
    view! {
        <Welcome title="Invitation" text="Somebody wants to work with you.">
            {match links::invitation() {
                Some(token) => view! { <Answer token /> }.into_any(),
                None => {
                    view! {
                        <p>"This link is incomplete, or was answered already. Open it from the mail once more, or ask for a new invitation."</p>
                        <a href=HOME class="btn btn-primary mt-6 w-full">
                            "Go on"
                        </a>
                    }
                        .into_any()
                }
            }}
        </Welcome>
    }
}

#[component]
fn Answer(token: LinkToken) -> impl IntoView {
    let session = Session::of_app();
    let token = StoredValue::new(token);
    let invitation = Remote::new(move || look_at_invitation(token.get_value()));
    let user = Memo::new(move |_| session.user());
    view! {
        <Loaded remote=invitation let:view>
            <Terms view />
            {move || match (session.account().with(|account| *account == Account::Asking), user.get()) {
                (true, _) => ().into_any(),
                (false, None) => view! { <Enter view /> }.into_any(),
                (false, Some(user)) if user.email.eq_ignore_ascii_case(&view.with(|view| view.email.clone())) => {
                    view! { <Accept token view /> }.into_any()
                }
                (false, Some(user)) => view! { <Stranger email=user.email view /> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Terms(view: Signal<InvitationView>) -> impl IntoView {
    move || {
        let InvitationView {
            workspace,
            role,
            invited_by,
            email,
            ..
        } = view.get();
        view! {
            <div class="mb-6 space-y-2 break-words">
                <p>
                    <b>{invited_by}</b>
                    " invites "
                    <b>{email}</b>
                    " to the workspace "
                    <b>{workspace}</b>
                    "."
                </p>
                <p class="text-sm text-muted">"Your role would be " {role_name(role)} ". " {role_text(role)}</p>
            </div>
        }
    }
}

#[component]
fn Accept(token: StoredValue<LinkToken>, view: Signal<InvitationView>) -> impl IntoView {
    let session = Session::of_app();
    let sending = Sending::new();
    let accept = Callback::new(move |()| {
        sending.start(accept_invitation(token.get_value()), move |workspace| {
            links::forget_invitation();
            browser::remember(browser::tab_storage(), EMAIL, None);
            toasts::after_loading(&format!("You are now a member of {}.", workspace.name));
            session.switch(workspace.id, HOME);
        });
    });
    view! {
        <Alert error=sending.error />
        <Button busy=sending.busy class="btn btn-primary w-full" on_click=accept>
            "Join " {move || view.with(|view| view.workspace.clone())}
        </Button>
    }
}

#[component]
fn Enter(view: Signal<InvitationView>) -> impl IntoView {
    Effect::new(move |_| {
        view.with(|view| browser::remember(browser::tab_storage(), EMAIL, Some(&view.email)));
    });
    view! {
        <div class="space-y-2">
            <a href="/sign-up?next=%2Finvitation" class="btn btn-primary w-full">
                "Sign up to join"
            </a>
            <a href="/sign-in?next=%2Finvitation" class="btn w-full">
                "I have an account: sign in"
            </a>
        </div>
    }
}

#[component]
fn Stranger(email: String, view: Signal<InvitationView>) -> impl IntoView {
    let session = Session::of_app();
    let sending = Sending::new();
    let sign_out = Callback::new(move |()| sending.start(session.sign_out(), |()| ()));
    view! {
        <p class="mb-4 break-words">
            "You are signed in as " <b>{email}</b> ". Only the account of " <b>{move || view.with(|view| view.email.clone())}</b>
            " can accept it."
        </p>
        <Alert error=sending.error />
        <Button busy=sending.busy class="btn w-full" on_click=sign_out>
            "Sign out"
        </Button>
    }
}
