//! Keys for scripts: making, listing, revoking.

mod create;

use crate::{
    address::Address,
    api::api_keys::{delete_api_key, list_api_keys},
    browser,
    components::{
        dialog::Confirm,
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        page_head::PageHead,
        pager::Pager,
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::api_keys::ApiKey;
use create::CreateKey;
use leptos::prelude::*;

#[component]
pub fn ApiKeysPage() -> impl IntoView {
    browser::title("API keys");
    let address = Address::of_page();
    let keys = Remote::new(move || list_api_keys(address.page().unwrap_or(1)));
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
    let revoking = RwSignal::new(None::<ApiKey>);
    view! {
        <PageHead title="API keys" text="For scripts and programs. Each acts with your role in this workspace.">
            {create()}
        </PageHead>
        <Loaded remote=keys is_empty=no_items empty=empty let:page>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="API keys">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Starts with"</th>
                            <th scope="col">"Created"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col">
                                <span class="sr-only">"Actions"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().items key=|key| (key.id, key.last_used_at) let:key>
                            <Row key revoking />
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager address at=Signal::derive(move || page.with(|page| (page.page, page.total_pages, page.total))) one="key" many="keys" />
        </Loaded>
        <CreateKey open=creating done=Callback::new(move |()| keys.refetch()) />
        <Revoke revoking done=Callback::new(move |()| keys.refetch()) />
    }
}

#[component]
fn Row(key: ApiKey, revoking: RwSignal<Option<ApiKey>>) -> impl IntoView {
    let (name, prefix, created_at, used) = (key.name.clone(), key.prefix.clone(), key.created_at, key.last_used_at);
    let label = format!("Revoke {name}");
    let key = StoredValue::new(key);
    view! {
        <tr>
            <td class="max-w-72 truncate font-medium">{name}</td>
            <td class="font-mono whitespace-nowrap">{prefix} "…"</td>
            <td>
                <Ago at=created_at />
            </td>
            <td>{used.map_or_else(|| "Never".into_any(), |at| view! { <Ago at /> }.into_any())}</td>
            <td class="text-right">
                <button type="button" class="btn btn-sm" aria-label=label on:click=move |_| revoking.set(Some(key.get_value()))>
                    "Revoke"
                </button>
            </td>
        </tr>
    }
}

#[component]
fn Revoke(revoking: RwSignal<Option<ApiKey>>, done: Callback<()>) -> impl IntoView {
    let (open, sending, toasts) = (RwSignal::new(false), Sending::new(), Toasts::of_app());
    Effect::new(move |_| {
        if revoking.with(Option::is_some) {
            open.set(true);
        }
    });
    Effect::new(move |_| {
        if !open.get() {
            revoking.set(None);
        }
    });
    let confirmed = Callback::new(move |()| {
        let Some(key) = revoking.get_untracked() else { return };
        sending.start(delete_api_key(key.id), move |()| {
            open.set(false);
            toasts.good(format!("{} was revoked.", key.name));
            done.run(());
        });
    });
    let title = Signal::derive(move || {
        revoking.with(|key| {
            key.as_ref()
                .map_or_else(String::new, |key| format!("Revoke {}?", key.name))
        })
    });
    view! {
        <Confirm open title action="Revoke key" sending confirmed>
            <p>"Whatever uses this key is refused from now on. This cannot be undone."</p>
        </Confirm>
    }
}
