//! Webhooks.

use crate::{
    error::AppResult,
    extract::{Admin, Body, Id, Query},
    respond,
    state::App,
    webhooks,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    ids::{WebhookDeliveryId, WebhookId},
    webhooks::{NewWebhook, NewWebhookSecret, Webhook, WebhookDelivery, WebhookPatch},
    wire::{Envelope, Page, PageQuery, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_webhooks)
        .service(create_webhook)
        .service(update_webhook)
        .service(rotate_webhook)
        .service(test_webhook)
        .service(delete_webhook)
        .service(list_webhook_deliveries)
        .service(retry_webhook_delivery);
}

/// List webhooks
#[utoipa::path(
    tag = "webhooks",
    responses((status = 200, description = "All of them, at most 20, newest first", body = Envelope<Vec<Webhook>>)),
)]
#[get("/webhooks")]
async fn list_webhooks(app: web::Data<App>, Admin(scope): Admin) -> AppResult {
    Ok(respond::ok(db::webhooks::list(&scope, &app.db).await?))
}

/// Create a webhook
///
/// From then on the address is told of the events with a signed POST, as Standard Webhooks has it. The secret is in this
/// answer only. What is not answered with a status of 200 to 299 within 15 seconds is sent up to eight times within 28
/// hours, so a message can come twice: `webhook-id` tells.
#[utoipa::path(
    tag = "webhooks",
    request_body = NewWebhook,
    responses((status = 201, description = "The webhook and its secret", body = Envelope<NewWebhookSecret>)),
)]
#[post("/webhooks")]
async fn create_webhook(app: web::Data<App>, Admin(scope): Admin, body: Body<NewWebhook>) -> AppResult {
    webhooks::check_url(&app, &body.url)?;
    let id = WebhookId(Uuid::now_v7());
    let (secret, hint, sealed) = webhooks::secret(&app, scope.workspace_id, id)?;
    let mut write = app.db.write(&scope).await?;
    let webhook = db::webhooks::insert(&mut write, id, &body.url, &body.events, &hint, sealed).await?;
    write.commit().await?;
    let location = format!("/api/v1/webhooks/{id}");
    Ok(respond::created(location, NewWebhookSecret { webhook, secret }))
}

/// Change a webhook, or switch it off and on
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path)),
    request_body = WebhookPatch,
    responses((status = 200, description = "As it is now", body = Envelope<Webhook>)),
)]
#[patch("/webhooks/{id}")]
async fn update_webhook(
    app: web::Data<App>,
    Admin(scope): Admin,
    id: Id<WebhookId>,
    body: Body<WebhookPatch>,
) -> AppResult {
    if let Some(url) = &body.url {
        webhooks::check_url(&app, url)?;
    }
    let mut write = app.db.write(&scope).await?;
    let webhook = db::webhooks::update(&mut write, id.0, &body).await?;
    write.commit().await?;
    Ok(respond::ok(webhook))
}

/// Give a webhook a new secret
///
/// Whatever is sent from now on, older messages too, is signed with it.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The webhook and its new secret", body = Envelope<NewWebhookSecret>)),
)]
#[post("/webhooks/{id}/rotate")]
async fn rotate_webhook(app: web::Data<App>, Admin(scope): Admin, id: Id<WebhookId>) -> AppResult {
    let (secret, hint, sealed) = webhooks::secret(&app, scope.workspace_id, id.0)?;
    let mut write = app.db.write(&scope).await?;
    let webhook = db::webhooks::rotate(&mut write, id.0, &hint, sealed).await?;
    write.commit().await?;
    Ok(respond::ok(NewWebhookSecret { webhook, secret }))
}

/// Send a webhook a test message
///
/// Of the type `webhook.test`, with the webhook's own id.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "What is being sent", body = Envelope<WebhookDelivery>)),
)]
#[post("/webhooks/{id}/test")]
async fn test_webhook(app: web::Data<App>, Admin(scope): Admin, id: Id<WebhookId>) -> AppResult {
    db::webhooks::find(&scope, &app.db, id.0).await?;
    let mut write = app.db.write(&scope).await?;
    let delivery = db::webhooks::insert_delivery(&mut write, id.0, webhooks::TEST, id.0.0).await?;
    webhooks::enqueue_all(&write, scope.workspace_id, std::slice::from_ref(&delivery)).await?;
    write.commit().await?;
    Ok(respond::ok(delivery))
}

/// Delete a webhook with all its messages
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/webhooks/{id}")]
async fn delete_webhook(app: web::Data<App>, Admin(scope): Admin, id: Id<WebhookId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::webhooks::delete(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// List what was sent to a webhook
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path), PageQuery),
    responses((status = 200, description = "A page of the last 30 days, newest first", body = Envelope<Page<WebhookDelivery>>)),
)]
#[get("/webhooks/{id}/deliveries")]
async fn list_webhook_deliveries(
    app: web::Data<App>,
    Admin(scope): Admin,
    id: Id<WebhookId>,
    query: Query<PageQuery>,
) -> AppResult {
    let paging = Paging::of_query(&query.0);
    let page = db::webhooks::list_deliveries(&scope, &app.db, id.0, paging).await?;
    Ok(respond::ok(page))
}

/// Send a message again
#[utoipa::path(
    tag = "webhooks",
    params(("id" = WebhookId, Path), ("delivery_id" = WebhookDeliveryId, Path)),
    responses((status = 200, description = "What is being sent", body = Envelope<WebhookDelivery>)),
)]
#[post("/webhooks/{id}/deliveries/{delivery_id}/retry")]
async fn retry_webhook_delivery(
    app: web::Data<App>,
    Admin(scope): Admin,
    path: web::Path<(WebhookId, WebhookDeliveryId)>,
) -> AppResult {
    let (id, delivery_id) = path.into_inner();
    let mut write = app.db.write(&scope).await?;
    let delivery = db::webhooks::again(&mut write, id, delivery_id).await?;
    webhooks::enqueue_all(&write, scope.workspace_id, std::slice::from_ref(&delivery)).await?;
    write.commit().await?;
    Ok(respond::ok(delivery))
}
