//! Name, picture, e-mail address and password.

mod email;
mod password;
mod picture;

use crate::{
    api::accounts::{find_profile, update_profile},
    browser,
    components::{button::Button, error_view::Alert, field::Field, loaded::Loaded, page_head::Panel},
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::accounts::{Profile, ProfilePatch};
use email::Email;
use leptos::prelude::*;
use password::Password;
use picture::Picture;

#[component]
pub fn ProfilePage() -> impl IntoView {
    browser::title("Profile");
    let session = Session::of_app();
    let remote = Remote::new(find_profile);
    let changed = Callback::new(move |profile: Profile| {
        remote.set(profile);
        session.ask();
    });
    view! {
        <Loaded remote let:profile>
            <div class="space-y-6">
                <Panel title="About you">
                    <Picture profile changed />
                    <Name profile changed />
                </Panel>
                <Email profile again=Callback::new(move |()| remote.refetch()) />
                <Password />
            </div>
        </Loaded>
    }
}

#[component]
fn Name(profile: Signal<Profile>, changed: Callback<Profile>) -> impl IntoView {
    let toasts = Toasts::of_app();
    let name = RwSignal::new(profile.with_untracked(|profile| profile.user.name.clone()));
    let sending = Sending::new();
    let same = Signal::derive(move || profile.with(|profile| name.with(|name| profile.user.name == name.trim())));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let version = profile.with_untracked(|profile| profile.version);
        let body = ProfilePatch {
            name: Some(name.get_untracked().trim().to_owned()),
        };
        sending.submit(
            body,
            move |body| update_profile(version, body),
            move |profile| {
                toasts.good("Your name was saved.");
                changed.run(profile);
            },
        );
    };
    view! {
        <form class="mt-6 max-w-md space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="Name" name="name" value=name error=sending.field("name") autocomplete="name" />
            <Button busy=sending.busy disabled=same kind="submit">
                "Save name"
            </Button>
        </form>
    }
}
