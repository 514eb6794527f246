//! What a template said before.

use crate::{
    address::Address,
    api::templates::{list_template_versions, restore_template},
    components::{button::Button, loaded::Loaded, page_head::Panel, pager::Pager, time::Ago},
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    templates::{Template, TemplateKind, TemplateRestore, TemplateVersion},
    wire::PageQuery,
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Versions(kind: TemplateKind, current: Signal<Template>, changed: Callback<Template>) -> impl IntoView {
    let address = Address::of_page();
    let newest = Memo::new(move |_| current.with(|current| current.version));
    let versions = Remote::new(move || {
        newest.track();
        let query = PageQuery {
            page: address.page(),
            limit: Some(10),
        };
        list_template_versions(kind, query)
    });
    view! {
        <Show when=move || { newest.get() > 1 }>
            <Panel title="Versions">
                <Loaded remote=versions let:page>
                    <ul class="divide-y divide-line">
                        <For each=move || page.get().items key=move |version| (version.version, newest.get()) let:version>
                            <Row kind version newest changed />
                        </For>
                    </ul>
                    <Pager
                        address
                        at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total)))
                        one="version"
                        many="versions"
                    />
                </Loaded>
            </Panel>
        </Show>
    }
}

#[component]
fn Row(kind: TemplateKind, version: TemplateVersion, newest: Memo<i64>, changed: Callback<Template>) -> impl IntoView {
    let session = Session::of_app();
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let number = version.version;
    let restore = Callback::new(move |()| {
        let body = TemplateRestore { version: number };
        sending.start(restore_template(kind, body), move |template| {
            toasts.good(format!("Version {number} is in use again."));
            changed.run(template);
        });
    });
    view! {
        <li class="py-3">
            <details>
                <summary class="cursor-pointer">
                    <span class="font-medium">{format!("Version {number}")}</span>
                    <span class="text-sm text-muted">
                        {match version.created_at {
                            Some(at) => view! { ", saved " <Ago at /> }.into_any(),
                            None => view! { ", built in" }.into_any(),
                        }}
                    </span>
                </summary>
                <p class="my-2 text-sm whitespace-pre-wrap">{version.instructions}</p>
                <Show when=move || number != newest.get() && session.may(Role::Editor)>
                    <Button busy=sending.busy class="btn btn-sm" on_click=restore>
                        "Use this version again"
                    </Button>
                </Show>
            </details>
        </li>
    }
}
