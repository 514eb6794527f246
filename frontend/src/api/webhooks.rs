//! Webhooks.

use super::{Answer, delete, get, list, order, post, send};
use cerebros_common::{
    ids::{WebhookDeliveryId, WebhookId},
    webhooks::{NewWebhook, NewWebhookSecret, Webhook, WebhookDelivery, WebhookPatch},
    wire::{Page, PageQuery},
};
use gloo_net::http::Method;

pub async fn list_webhooks() -> Answer<Vec<Webhook>> {
    get("/webhooks").await
}

pub async fn create_webhook(body: NewWebhook) -> Answer<NewWebhookSecret> {
    post("/webhooks", &body).await
}

pub async fn update_webhook(id: WebhookId, body: WebhookPatch) -> Answer<Webhook> {
    send(Method::PATCH, &format!("/webhooks/{id}"), None, &body).await
}

pub async fn rotate_webhook(id: WebhookId) -> Answer<NewWebhookSecret> {
    order(&format!("/webhooks/{id}/rotate")).await
}

pub async fn test_webhook(id: WebhookId) -> Answer<WebhookDelivery> {
    order(&format!("/webhooks/{id}/test")).await
}

pub async fn delete_webhook(id: WebhookId) -> Answer<()> {
    delete(&format!("/webhooks/{id}"), None).await
}

pub async fn list_webhook_deliveries(id: WebhookId, query: PageQuery) -> Answer<Page<WebhookDelivery>> {
    list(&format!("/webhooks/{id}/deliveries"), &query).await
}

pub async fn retry_webhook_delivery(id: WebhookId, delivery: WebhookDeliveryId) -> Answer<WebhookDelivery> {
    order(&format!("/webhooks/{id}/deliveries/{delivery}/retry")).await
}
