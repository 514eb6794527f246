//! The workspace's keys for other people's services. They go in and never come out.

use crate::{
    api::provider_keys::{delete_provider_key, list_provider_keys, put_provider_key},
    browser,
    components::{
        button::Button, dialog::Confirm, error_view::Alert, field::Field, loaded::Loaded, may::Needs, page_head::Panel,
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    provider_keys::{NewProviderKey, Provider, ProviderKey},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn ProviderKeysPage() -> impl IntoView {
    browser::title("Provider keys");
    view! {
        <Needs role=Role::Admin>
            <Keys />
        </Needs>
    }
}

#[component]
fn Keys() -> impl IntoView {
    view! {
        <Panel title="Hugging Face">
            <p class="mb-4 max-w-prose text-muted">
                "With a token the server fetches bases that are gated or private. It is stored encrypted, is used for this workspace alone, and is never shown again."
            </p>
            <KeyBox kind=&HUGGING_FACE changed=Callback::new(|()| ()) />
        </Panel>
    }
}

/// How a provider's key is called, and what goes without it.
pub struct Kind {
    pub provider: Provider,
    pub label: &'static str,
    pub noun: &'static str,
    pub placeholder: &'static str,
    pub hint: &'static str,
    pub store: &'static str,
    pub replace: &'static str,
    pub remove: &'static str,
    pub removal: &'static str,
}

static HUGGING_FACE: Kind = Kind {
    provider: Provider::Huggingface,
    label: "Access token",
    noun: "token",
    placeholder: "hf_…",
    hint: "From your settings at huggingface.co; the permission to read is enough.",
    store: "Store token",
    replace: "Replace token",
    remove: "Remove token",
    removal: "Gated and private bases can no longer be fetched. Those that are here already stay.",
};

/// The one key of a provider: stored, replaced, removed.
#[component]
pub fn KeyBox(kind: &'static Kind, changed: Callback<()>) -> impl IntoView {
    let keys = Remote::new(list_provider_keys);
    let changed = Callback::new(move |()| {
        keys.refetch();
        changed.run(());
    });
    view! {
        <Loaded remote=keys let:keys>
            {move || {
                let stored = keys.with(|keys| keys.iter().find(|key| key.provider == kind.provider).cloned());
                match stored {
                    Some(key) => view! { <Stored kind key changed /> }.into_any(),
                    None => view! { <Form kind action=kind.store changed /> }.into_any(),
                }
            }}
        </Loaded>
    }
}

#[component]
fn Stored(kind: &'static Kind, key: ProviderKey, changed: Callback<()>) -> impl IntoView {
    let (replacing, asking) = (RwSignal::new(false), RwSignal::new(false));
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let confirmed = Callback::new(move |()| {
        sending.start(delete_provider_key(key.provider), move |()| {
            asking.set(false);
            toasts.good(format!("The {} was removed.", kind.noun));
            changed.run(());
        });
    });
    view! {
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
            <p class="min-w-0 grow basis-48">
                {format!("A {} that ends in ", kind.noun)} <code class="font-mono">{key.hint}</code> <span class="text-muted">", stored " <Ago at=key.created_at /></span>
            </p>
            <button
                type="button"
                class="btn btn-sm"
                aria-expanded=move || replacing.get().to_string()
                on:click=move |_| replacing.update(|replacing| *replacing = !*replacing)
            >
                "Replace"
            </button>
            <button type="button" class="btn btn-sm" on:click=move |_| asking.set(true)>
                "Remove"
            </button>
        </div>
        <Show when=move || replacing.get()>
            <div class="mt-4">
                <Form kind action=kind.replace changed />
            </div>
        </Show>
        <Confirm open=asking title=format!("Remove the {}?", kind.noun) action=kind.remove sending confirmed>
            <p>{kind.removal}</p>
        </Confirm>
    }
}

#[component]
fn Form(kind: &'static Kind, action: &'static str, changed: Callback<()>) -> impl IntoView {
    let secret = RwSignal::new(String::new());
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = NewProviderKey {
            secret: secret.get_untracked().trim().to_owned(),
        };
        sending.submit(
            body,
            |body| put_provider_key(kind.provider, body),
            move |_| {
                toasts.good(format!("The {} was stored.", kind.noun));
                changed.run(());
            },
        );
    };
    view! {
        <form class="max-w-md space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field
                label=kind.label
                name="provider-secret"
                kind="password"
                value=secret
                error=sending.field("secret")
                placeholder=kind.placeholder
                autocomplete="off"
                hint=kind.hint
            />
            <Button busy=sending.busy kind="submit">
                {action}
            </Button>
        </form>
    }
}
