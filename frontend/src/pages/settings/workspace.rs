//! The workspace itself: its name, leaving it, handing it over.

mod leave;

use crate::{
    api::workspaces::{find_workspace, update_workspace},
    browser,
    components::{
        button::Button,
        error_view::Alert,
        field::Field,
        loaded::Loaded,
        may::May,
        page_head::{Fact, Panel},
        time::Day,
    },
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
    words::role_name,
};
use cerebros_common::{
    events::EventKind,
    workspaces::{Role, Workspace, WorkspacePatch},
};
use leave::{HandOver, Leave};
use leptos::prelude::*;

#[component]
pub fn WorkspacePage() -> impl IntoView {
    browser::title("Workspace");
    let session = Session::of_app();
    let Some(id) = untrack(|| session.workspace()).map(|workspace| workspace.id) else {
        return ().into_any();
    };
    let remote = Remote::new(move || find_workspace(id)).live(|event| event.kind == EventKind::WorkspaceChanged);
    let changed = Callback::new(move |workspace: Workspace| {
        remote.set(workspace);
        session.ask();
    });
    view! {
        <Loaded remote let:workspace>
            <div class="space-y-6">
                <Panel title="Workspace">
                    <Facts workspace />
                    <May role=Role::Admin>
                        <Name workspace changed />
                    </May>
                </Panel>
                <Show when=move || workspace.with(|workspace| !workspace.personal)>
                    <May role=Role::Owner>
                        <HandOver />
                    </May>
                    <Show when=move || workspace.with(|workspace| workspace.role < Role::Owner)>
                        <Leave workspace />
                    </Show>
                </Show>
            </div>
        </Loaded>
    }
    .into_any()
}

#[component]
fn Facts(workspace: Signal<Workspace>) -> impl IntoView {
    move || {
        let workspace = workspace.get();
        let kind = if workspace.personal {
            "Personal, for you alone"
        } else {
            "Shared with its members"
        };
        view! {
            <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 md:grid-cols-4">
                <Fact name="Name">{workspace.name}</Fact>
                <Fact name="Kind">{kind}</Fact>
                <Fact name="Your role">{role_name(workspace.role)}</Fact>
                <Fact name="Made">
                    <Day at=workspace.created_at />
                </Fact>
            </dl>
        }
    }
}

#[component]
fn Name(workspace: Signal<Workspace>, changed: Callback<Workspace>) -> impl IntoView {
    let toasts = Toasts::of_app();
    let name = RwSignal::new(workspace.with_untracked(|workspace| workspace.name.clone()));
    let sending = Sending::new();
    let same = Signal::derive(move || workspace.with(|workspace| name.with(|name| workspace.name == name.trim())));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (id, version) = workspace.with_untracked(|workspace| (workspace.id, workspace.version));
        let body = WorkspacePatch {
            name: name.get_untracked().trim().to_owned(),
        };
        sending.submit(
            body,
            move |body| update_workspace(id, version, body),
            move |workspace| {
                toasts.good("The workspace was renamed.");
                changed.run(workspace);
            },
        );
    };
    view! {
        <form class="mt-6 max-w-md space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field label="New name" name="workspace-new-name" value=name error=sending.field("name") />
            <Button busy=sending.busy disabled=same kind="submit">
                "Rename"
            </Button>
        </form>
    }
}
