//! What was sent to a webhook, and how that went.

use crate::{
    api::webhooks::{list_webhook_deliveries, retry_webhook_delivery},
    components::{
        button::Button,
        loaded::{Loaded, no_items},
        tag::{Colour, Tag},
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::WebhookId,
    webhooks::{WebhookDelivery, WebhookDeliveryStatus},
    wire::PageQuery,
};
use leptos::prelude::*;

#[component]
pub fn Deliveries(id: WebhookId) -> impl IntoView {
    let page = RwSignal::new(1_u32);
    let deliveries = Remote::new(move || {
        list_webhook_deliveries(
            id,
            PageQuery {
                page: Some(page.get()),
                limit: Some(10),
            },
        )
    })
    .live(move |event| event.kind == EventKind::WebhooksChanged && event.id == id.0);
    let empty = || view! { <p class="mt-2 text-sm text-muted">"Nothing yet. A test shows whether it works."</p> };
    view! {
        <Loaded remote=deliveries is_empty=no_items empty=empty let:all>
            <div class="mt-2 overflow-x-auto" tabindex="0" role="region" aria-label="What was sent">
                <table class="grid-table">
                    <thead>
                        <tr>
                            <th scope="col">"Message"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"Attempts"</th>
                            <th scope="col">"Made"</th>
                            <th scope="col">
                                <span class="sr-only">"Actions"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || all.get().items key=|delivery| delivery.clone() let:delivery>
                            <Row id delivery />
                        </For>
                    </tbody>
                </table>
            </div>
            <Show when=move || { all.with(|all| all.total_pages) > 1 }>
                <div class="mt-2 flex items-center justify-end gap-2 text-sm">
                    <button type="button" class="btn btn-sm" disabled=move || page.get() <= 1 on:click=move |_| page.update(|page| *page -= 1)>
                        "Newer"
                    </button>
                    <button
                        type="button"
                        class="btn btn-sm"
                        disabled=move || page.get() >= all.with(|all| all.total_pages)
                        on:click=move |_| page.update(|page| *page += 1)
                    >
                        "Older"
                    </button>
                </div>
            </Show>
        </Loaded>
    }
}

#[component]
fn Row(id: WebhookId, delivery: WebhookDelivery) -> impl IntoView {
    let sending = Sending::in_toasts();
    let delivery_id = delivery.id;
    let again = Callback::new(move |()| sending.start(retry_webhook_delivery(id, delivery_id), |_| ()));
    let tag = match (delivery.status, delivery.attempts) {
        (WebhookDeliveryStatus::Delivered, _) => view! { <Tag colour=Colour::Green text="Delivered" /> },
        (WebhookDeliveryStatus::Failed, _) => view! { <Tag colour=Colour::Red text="Given up" /> },
        (WebhookDeliveryStatus::Pending, 0) => view! { <Tag colour=Colour::Blue text="Being sent" /> },
        (WebhookDeliveryStatus::Pending, _) => view! { <Tag colour=Colour::Amber text="To be tried again" /> },
    };
    let over = delivery.status != WebhookDeliveryStatus::Pending;
    view! {
        <tr>
            <td class="min-w-40">
                <span class="block font-mono text-sm">{delivery.event}</span>
                {delivery.error.map(|error| view! { <span class="block text-sm text-muted">{error}</span> })}
            </td>
            <td class="whitespace-nowrap">{tag}</td>
            <td>{delivery.attempts}</td>
            <td class="whitespace-nowrap">
                <Ago at=delivery.created_at />
            </td>
            <td>
                {over
                    .then(|| {
                        view! {
                            <Button busy=sending.busy class="btn btn-sm" on_click=again>
                                "Send again"
                            </Button>
                        }
                    })}
            </td>
        </tr>
    }
}
