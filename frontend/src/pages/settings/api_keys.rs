//! Keys for scripts: making, listing, rotating, revoking.

mod create;

use crate::{
    address::Address,
    api::api_keys::{delete_api_key, list_api_keys, rotate_api_key},
    browser,
    components::{
        dialog::{About, Confirm},
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        may::Needs,
        page_head::PageHead,
        pager::Pager,
        shown_once::ShownOnce,
        tag::{Colour, Tag},
        time::{Ago, Day},
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{api_keys::ApiKey, events::EventKind, wire::PageQuery, workspaces::Role};
use chrono::Utc;
use create::{CreateKey, scope_name};
use leptos::prelude::*;

#[component]
pub fn ApiKeysPage() -> impl IntoView {
    browser::title("API keys");
    view! {
        <Needs role=Role::Admin>
            <Keys />
        </Needs>
    }
}

#[component]
fn Keys() -> impl IntoView {
    let address = Address::of_page();
    let keys = Remote::new(move || {
        list_api_keys(PageQuery {
            page: address.page(),
            limit: None,
        })
    })
    .live(|event| event.kind == EventKind::ApiKeysChanged);
    let creating = RwSignal::new(false);
    let create = move || {
        view! {
            <button type="button" class="btn btn-primary" on:click=move |_| creating.set(true)>
                <Icon icon=icondata::LuPlus />
                "New key"
            </button>
        }
    };
    let empty = move || {
        view! {
            <Empty icon=icondata::LuKeyRound title="No key yet" text="A script sends a key to call this server: the native API, or OpenAI's chat format.">
                {create()}
            </Empty>
        }
    };
    let (rotating, revoking) = (About::new(), About::new());
    let secret = About::<String>::new();
    let changed = Callback::new(move |()| keys.refetch());
    view! {
        <PageHead title="API keys" level=2 text="For scripts and programs. Each belongs to this workspace, and may never do more than whoever made it.">
            {create()}
        </PageHead>
        <Loaded remote=keys is_empty=no_items empty=empty let:page>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="API keys">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"May"</th>
                            <th scope="col">"Expires"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col">
                                <span class="sr-only">"Actions"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().items key=|key| (key.id, key.prefix.clone(), key.last_used_at) let:key>
                            <Row key rotating revoking />
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="key" many="keys" />
        </Loaded>
        <CreateKey open=creating secret changed />
        <Rotate rotating secret changed />
        <Revoke revoking changed />
        <ShownOnce
            open=secret.open
            title="Your key"
            copy="Copy the key"
            secret=Signal::derive(move || secret.get().unwrap_or_default())
        >
            "Copy the key now. It is not shown again."
        </ShownOnce>
    }
}

#[component]
fn Row(key: ApiKey, rotating: About<ApiKey>, revoking: About<ApiKey>) -> impl IntoView {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope_name(*scope)).collect();
    let name = key.name.clone();
    let (prefix, expires, used) = (key.prefix.clone(), key.expires_at, key.last_used_at);
    let key = StoredValue::new(key);
    view! {
        <tr>
            <td class="max-w-60 min-w-32">
                <span class="block font-medium break-words">{name.clone()}</span>
                <span class="font-mono whitespace-nowrap text-muted">{prefix} "…"</span>
            </td>
            <td class="min-w-32">{scopes.join(", ")}</td>
            <td class="whitespace-nowrap">
                {match expires {
                    None => "Never".into_any(),
                    Some(at) if at <= Utc::now() => view! { <Tag colour=Colour::Red text="Expired" /> }.into_any(),
                    Some(at) => view! { <Day at /> }.into_any(),
                }}
            </td>
            <td>{used.map_or_else(|| "Never".into_any(), |at| view! { <Ago at /> }.into_any())}</td>
            <td>
                <div class="flex justify-end gap-1">
                    <button
                        type="button"
                        class="btn btn-sm"
                        aria-label=format!("Rotate {name}")
                        on:click=move |_| rotating.ask(key.get_value())
                    >
                        "Rotate"
                    </button>
                    <button
                        type="button"
                        class="btn btn-sm"
                        aria-label=format!("Revoke {name}")
                        on:click=move |_| revoking.ask(key.get_value())
                    >
                        "Revoke"
                    </button>
                </div>
            </td>
        </tr>
    }
}

#[component]
fn Rotate(rotating: About<ApiKey>, secret: About<String>, changed: Callback<()>) -> impl IntoView {
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| {
        let Some(key) = rotating.now() else { return };
        sending.start(rotate_api_key(key.id), move |made| {
            rotating.close();
            secret.ask(made.secret);
            changed.run(());
        });
    });
    let title = rotating.title(|key| format!("Rotate {}?", key.name));
    view! {
        <Confirm open=rotating.open title action="Rotate key" sending confirmed>
            <p>"A new secret takes the place of the old one, which is refused at once. Name, scopes and expiry stay."</p>
        </Confirm>
    }
}

#[component]
fn Revoke(revoking: About<ApiKey>, changed: Callback<()>) -> impl IntoView {
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let confirmed = Callback::new(move |()| {
        let Some(key) = revoking.now() else { return };
        sending.start(delete_api_key(key.id), move |()| {
            revoking.close();
            toasts.good(format!("{} was revoked.", key.name));
            changed.run(());
        });
    });
    let title = revoking.title(|key| format!("Revoke {}?", key.name));
    view! {
        <Confirm open=revoking.open title action="Revoke key" sending confirmed>
            <p>"Whatever uses this key is refused from now on. This cannot be undone."</p>
        </Confirm>
    }
}
