//! Taking data along, and deleting it.

use crate::{
    api::exports::{account_address, workspace_address},
    browser,
    components::{dialog::About, icon::Icon, may::May, page_head::Panel},
    pages::deletions::{DeleteDialog, Doomed},
    session::Session,
};
use cerebros_common::{deletions::DeletionSubject, workspaces::Role};
use leptos::prelude::*;

#[component]
pub fn DataPage() -> impl IntoView {
    browser::title("Data");
    let session = Session::of_app();
    let doomed = About::new();
    let personal = move || session.workspace().is_some_and(|workspace| workspace.personal);
    let delete_workspace = move |_| {
        if let Some(workspace) = untrack(|| session.workspace()) {
            doomed.ask(Doomed::new(DeletionSubject::Workspace, workspace.id.0, workspace.name));
        }
    };
    let delete_account = move |_| {
        if let Some(user) = untrack(|| session.user()) {
            doomed.ask(Doomed::new(
                DeletionSubject::Account,
                user.id.0,
                "your account".to_owned(),
            ));
        }
    };
    view! {
        <Panel title="Take it along">
            <div class="space-y-4">
                <Export
                    text="Your account as one archive: profile, memberships, sessions, notifications, and every workspace that you own."
                    href=Signal::stored(account_address())
                    action="Export my account"
                />
                <May role=Role::Owner>
                    <Export
                        text="This workspace as one archive: documents, examples, datasets, models and all other tables, without secrets."
                        href=Signal::derive(move || session.workspace().map(|workspace| workspace_address(workspace.id)).unwrap_or_default())
                        action="Export this workspace"
                    />
                </May>
            </div>
        </Panel>
        <Show when=move || !personal()>
            <May role=Role::Owner>
                <Panel title="Delete this workspace">
                    <p class="mb-4 max-w-prose text-muted">"Its documents, examples, datasets and models go, and its members lose access. You see what goes before you confirm."</p>
                    <button type="button" class="btn" on:click=delete_workspace>
                        <Icon icon=icondata::LuTrash2 />
                        "Delete workspace"
                    </button>
                </Panel>
            </May>
        </Show>
        <Panel title="Delete your account">
            <p class="mb-4 max-w-prose text-muted">"Your personal workspace goes along, and every other one that you are the only member of. You see what goes before you confirm."</p>
            <button type="button" class="btn" on:click=delete_account>
                <Icon icon=icondata::LuTrash2 />
                "Delete account"
            </button>
        </Panel>
        <DeleteDialog about=doomed done=|()| () />
    }
}

#[component]
fn Export(text: &'static str, href: Signal<String>, action: &'static str) -> impl IntoView {
    view! {
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
            <p class="min-w-0 grow basis-64 text-muted">{text}</p>
            <a href=move || href.get() download class="btn">
                <Icon icon=icondata::LuDownload />
                {action}
            </a>
        </div>
    }
}
