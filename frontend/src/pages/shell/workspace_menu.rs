//! Which workspace is shown, and the way to the others.

use crate::{
    api::workspaces::create_workspace,
    components::{button::Button, dialog::Dialog, error_view::Alert, field::Field, icon::Icon, menu::Menu},
    forms::Sending,
    session::{HOME, Session},
    words::role_name,
};
use cerebros_common::workspaces::{NewWorkspace, Workspace};
use leptos::prelude::*;

#[component]
pub fn WorkspaceMenu() -> impl IntoView {
    let session = Session::of_app();
    let creating = RwSignal::new(false);
    let name = move || session.workspace().map(|workspace| workspace.name).unwrap_or_default();
    let role = move || session.workspace().map(|workspace| kind(&workspace));
    let button = move || {
        view! {
            <span class="min-w-0 grow">
                <span class="sr-only">"Workspace "</span>
                <span class="block truncate font-medium">{name}</span>
                <span class="block text-sm text-muted">{role}</span>
            </span>
            <span class="text-muted">
                <Icon icon=icondata::LuChevronsUpDown />
            </span>
        }
    };
    view! {
        <div>
            <Menu
                id="workspace-menu"
                class="panel flex w-full cursor-pointer items-center gap-2 px-3 py-2 text-left"
                place="top-34 left-4 lg:top-38 max-h-96 w-72"
                button=ViewFn::from(button)
            >
                <p class="px-4 pt-3 text-sm text-muted">"Your workspaces"</p>
                <ul class="p-1">
                    {move || session.workspaces().into_iter().map(|workspace| view! { <Entry workspace /> }).collect_view()}
                </ul>
                <div class="border-t border-line p-1">
                    <button
                        type="button"
                        data-closes
                        class="flex w-full cursor-pointer items-center gap-2 rounded-field px-3 py-2 text-sm hover:bg-base-200"
                        on:click=move |_| creating.set(true)
                    >
                        <Icon icon=icondata::LuPlus />
                        "New workspace"
                    </button>
                </div>
            </Menu>
            <Dialog open=creating title="New workspace">
                <Create />
            </Dialog>
        </div>
    }
}

fn kind(workspace: &Workspace) -> &'static str {
    if workspace.personal {
        "Personal"
    } else {
        role_name(workspace.role)
    }
}

#[component]
fn Entry(workspace: Workspace) -> impl IntoView {
    let session = Session::of_app();
    let (id, kind) = (workspace.id, kind(&workspace));
    let here = move || session.workspace().is_some_and(|current| current.id == id);
    view! {
        <li>
            <button
                type="button"
                data-closes
                class="flex w-full cursor-pointer items-center gap-2 rounded-field px-3 py-2 text-left text-sm hover:bg-base-200"
                aria-current=move || here().then_some("true")
                on:click=move |_| {
                    if !untrack(here) {
                        session.switch(id, HOME);
                    }
                }
            >
                <span class="min-w-0 grow">
                    <span class="block truncate font-medium">{workspace.name}</span>
                    <span class="block text-muted">{kind}</span>
                </span>
                <Show when=here>
                    <span class="text-primary">
                        <Icon icon=icondata::LuCheck />
                    </span>
                </Show>
            </button>
        </li>
    }
}

#[component]
fn Create() -> impl IntoView {
    let session = Session::of_app();
    let name = RwSignal::new(String::new());
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewWorkspace {
            name: name.get_untracked().trim().to_owned(),
        };
        sending.submit(body, create_workspace, move |workspace| {
            session.switch(workspace.id, HOME)
        });
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <p class="text-muted">"Its documents, models and members are apart from those of your other workspaces."</p>
            <Alert error=sending.general() />
            <Field label="Name" name="workspace-name" value=name error=sending.field("name") autofocus=true />
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Create workspace"
                </Button>
            </div>
        </form>
    }
}
