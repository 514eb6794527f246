//! Webhooks: addresses that are told when a training has ended.

mod deliveries;
mod form;

use crate::{
    api::webhooks::{delete_webhook, list_webhooks, rotate_webhook, test_webhook, update_webhook},
    browser,
    components::{
        button::Button,
        dialog::{About, Confirm},
        icon::Icon,
        loaded::{Empty, Loaded},
        may::Needs,
        page_head::PageHead,
        shown_once::ShownOnce,
        tag::{Colour, Tag},
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    events::EventKind,
    webhooks::{Webhook, WebhookEvent, WebhookPatch},
    workspaces::Role,
};
use deliveries::Deliveries;
use form::WebhookForm;
use leptos::prelude::*;

fn event_name(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::JobSucceeded => "A training has finished",
        WebhookEvent::JobFailed => "A training has failed",
        WebhookEvent::JobCancelled => "A training was cancelled",
    }
}

#[component]
pub fn WebhooksPage() -> impl IntoView {
    browser::title("Webhooks");
    view! {
        <Needs role=Role::Admin>
            <Webhooks />
        </Needs>
    }
}

#[component]
fn Webhooks() -> impl IntoView {
    let webhooks = Remote::new(list_webhooks).live(|event| event.kind == EventKind::WebhooksChanged);
    let editing = About::<Option<Webhook>>::new();
    let (rotating, deleting) = (About::new(), About::new());
    let secret = About::<String>::new();
    let create = move || {
        view! {
            <button type="button" class="btn btn-primary" on:click=move |_| editing.ask(None)>
                <Icon icon=icondata::LuPlus />
                "New webhook"
            </button>
        }
    };
    let empty = move || {
        view! {
            <Empty
                icon=icondata::LuWebhook
                title="No webhook yet"
                text="Let your own server know when a training has ended, instead of asking again and again."
            >
                {create()}
            </Empty>
        }
    };
    view! {
        <PageHead
            title="Webhooks"
            level=2
            text="Addresses that get a signed message when a training has ended, in the shape of OpenAI's events and signed as Standard Webhooks has it."
        >
            {create()}
        </PageHead>
        <Loaded remote=webhooks is_empty=Vec::is_empty empty=empty let:all>
            <ul class="space-y-4">
                <For each=move || all.get() key=|webhook| webhook.clone() let:webhook>
                    <Item webhook editing rotating deleting />
                </For>
            </ul>
        </Loaded>
        <WebhookForm editing secret />
        <Rotate rotating secret />
        <Delete deleting />
        <ShownOnce
            open=secret.open
            title="The webhook's secret"
            copy="Copy the secret"
            secret=Signal::derive(move || secret.get().unwrap_or_default())
        >
            "Copy the secret now: your server verifies messages with it. It is not shown again."
        </ShownOnce>
    }
}

#[component]
fn Item(
    webhook: Webhook,
    editing: About<Option<Webhook>>,
    rotating: About<Webhook>,
    deleting: About<Webhook>,
) -> impl IntoView {
    let id = webhook.id;
    let open = RwSignal::new(false);
    let (switching, testing) = (Sending::in_toasts(), Sending::in_toasts());
    let toasts = Toasts::of_app();
    let active = webhook.active;
    let switch = Callback::new(move |()| {
        let patch = WebhookPatch {
            active: Some(!active),
            ..WebhookPatch::default()
        };
        switching.start(update_webhook(id, patch), |_| ());
    });
    let test = Callback::new(move |()| {
        testing.start(test_webhook(id), move |_| {
            open.set(true);
            toasts.good("A test message is on its way.");
        });
    });
    let events: Vec<&str> = webhook.events.iter().map(|event| event_name(*event)).collect();
    let (url, hint, created_at) = (webhook.url.clone(), webhook.hint.clone(), webhook.created_at);
    let label = |what: &str| format!("{what} {url}");
    let (edit, rotate, delete) = (label("Edit"), label("New secret for"), label("Delete"));
    let webhook = StoredValue::new(webhook);
    view! {
        <li class="panel space-y-3 p-4 sm:p-6">
            <div class="flex flex-wrap items-center gap-2">
                <h3 class="min-w-0 grow basis-60 font-mono text-sm break-all">{url}</h3>
                {if active {
                    view! { <Tag colour=Colour::Green text="On" /> }
                } else {
                    view! { <Tag colour=Colour::Grey text="Off" /> }
                }}
            </div>
            <p class="text-sm text-muted">
                {events.join(" · ")} ". The secret ends in " <code class="font-mono">{hint}</code> ", made " <Ago at=created_at /> "."
            </p>
            <div class="flex flex-wrap gap-2">
                <Button busy=testing.busy class="btn btn-sm" on_click=test>
                    "Send a test"
                </Button>
                <Button busy=switching.busy class="btn btn-sm" on_click=switch>
                    {if active { "Switch off" } else { "Switch on" }}
                </Button>
                <button type="button" class="btn btn-sm" aria-label=edit on:click=move |_| editing.ask(Some(webhook.get_value()))>
                    "Edit"
                </button>
                <button type="button" class="btn btn-sm" aria-label=rotate on:click=move |_| rotating.ask(webhook.get_value())>
                    "New secret"
                </button>
                <button type="button" class="btn btn-sm" aria-label=delete on:click=move |_| deleting.ask(webhook.get_value())>
                    "Delete"
                </button>
            </div>
            <details prop:open=move || open.get()>
                <summary class="cursor-pointer text-sm" on:click=move |event| {
                    event.prevent_default();
                    open.update(|open| *open = !*open);
                }>
                    "What was sent"
                </summary>
                <Show when=move || open.get()>
                    <Deliveries id />
                </Show>
            </details>
        </li>
    }
}

#[component]
fn Rotate(rotating: About<Webhook>, secret: About<String>) -> impl IntoView {
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| {
        let Some(webhook) = rotating.now() else { return };
        sending.start(rotate_webhook(webhook.id), move |made| {
            rotating.close();
            secret.ask(made.secret);
        });
    });
    view! {
        <Confirm open=rotating.open title="Make a new secret?" action="Make a new secret" sending confirmed>
            <p>"Messages are signed with it from then on. Your server refuses them until it knows it."</p>
        </Confirm>
    }
}

#[component]
fn Delete(deleting: About<Webhook>) -> impl IntoView {
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let confirmed = Callback::new(move |()| {
        let Some(webhook) = deleting.now() else { return };
        sending.start(delete_webhook(webhook.id), move |()| {
            deleting.close();
            toasts.good("The webhook was deleted.");
        });
    });
    view! {
        <Confirm open=deleting.open title="Delete this webhook?" action="Delete webhook" sending confirmed>
            <p>"Nothing more is sent to it, and what was sent is forgotten."</p>
        </Confirm>
    }
}
