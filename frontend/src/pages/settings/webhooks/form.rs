//! Making and changing a webhook.

use super::event_name;
use crate::{
    api::webhooks::{create_webhook, update_webhook},
    components::{
        button::Button,
        dialog::{About, Dialog},
        error_view::Alert,
        field::Field,
    },
    forms::Sending,
};
use cerebros_common::webhooks::{NewWebhook, Webhook, WebhookEvent, WebhookPatch};
use leptos::prelude::*;
use std::collections::BTreeSet;

/// About no webhook it makes one.
#[component]
pub fn WebhookForm(editing: About<Option<Webhook>>, secret: About<String>) -> impl IntoView {
    let title = editing.title(|webhook| match webhook {
        Some(_) => "Edit the webhook".to_owned(),
        None => "New webhook".to_owned(),
    });
    view! {
        <Dialog open=editing.open title>
            {move || editing.get().map(|webhook| view! { <Fields webhook editing secret /> })}
        </Dialog>
    }
}

#[component]
fn Fields(webhook: Option<Webhook>, editing: About<Option<Webhook>>, secret: About<String>) -> impl IntoView {
    let url = RwSignal::new(webhook.as_ref().map(|webhook| webhook.url.clone()).unwrap_or_default());
    let chosen: BTreeSet<WebhookEvent> = match &webhook {
        Some(webhook) => webhook.events.clone(),
        None => WebhookEvent::ALL.into_iter().collect(),
    };
    let events = RwSignal::new(chosen);
    let sending = Sending::new();
    let id = webhook.map(|webhook| webhook.id);
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (url, events) = (url.get_untracked().trim().to_owned(), events.get_untracked());
        match id {
            Some(id) => {
                let patch = WebhookPatch {
                    url: Some(url),
                    events: Some(events),
                    active: None,
                };
                sending.submit(patch, |patch| update_webhook(id, patch), move |_| editing.close());
            }
            None => sending.submit(NewWebhook { url, events }, create_webhook, move |made| {
                editing.close();
                secret.ask(made.secret);
            }),
        }
    };
    let wrong = sending.field("events");
    let choice = move |event: WebhookEvent| {
        view! {
            <label class="flex cursor-pointer items-center gap-2">
                <input
                    type="checkbox"
                    class="checkbox checkbox-primary checkbox-sm"
                    prop:checked=move || events.with(|events| events.contains(&event))
                    on:change:target=move |changed| {
                        let checked = changed.target().checked();
                        events
                            .update(|events| {
                                if checked {
                                    events.insert(event);
                                } else {
                                    events.remove(&event);
                                }
                            });
                    }
                />
                <span class="text-sm">{event_name(event)} " " <code class="font-mono break-all text-muted">{event.name()}</code></span>
            </label>
        }
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Field
                label="Address"
                name="webhook-url"
                kind="url"
                value=url
                error=sending.field("url")
                placeholder="https://"
                hint="Public and https. It has 15 seconds to answer with a status of 200 to 299."
                autofocus=true
            />
            <fieldset class="space-y-2" aria-describedby="events-note">
                <legend class="mb-1 text-sm font-medium">"What it is told"</legend>
                {WebhookEvent::ALL.map(choice).collect_view()}
                <p id="events-note" class="text-sm text-error">
                    {move || wrong.get().map(|_| "Choose at least one.")}
                </p>
            </fieldset>
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    {if id.is_some() { "Save" } else { "Create webhook" }}
                </Button>
            </div>
        </form>
    }
}
