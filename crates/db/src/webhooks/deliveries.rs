//! What was sent, is to be sent, or could not be.

use super::{
    of,
    row::{delivery, webhook},
    sealed,
};
use crate::{Db, DbError, Scope, Write, convert, paging::page, seal::Sealed};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{WebhookDeliveryId, WebhookId},
    webhooks::{WebhookDelivery, WebhookDeliveryStatus},
    wire::{Page, Paging},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use uuid::Uuid;

/// The deliveries of a webhook, newest first.
pub async fn list_deliveries(
    scope: &Scope,
    db: &Db,
    id: WebhookId,
    paging: Paging,
) -> Result<Page<WebhookDelivery>, DbError> {
    super::find(scope, db, id).await?;
    let all = delivery::Entity::find().filter(delivery::Column::WebhookId.eq(id.0));
    let (rows, total) = page(db, all.order_by_desc(delivery::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

/// Notes what is to be sent. The caller enqueues the task that sends it.
pub async fn insert_delivery(
    write: &mut Write,
    webhook_id: WebhookId,
    event: &str,
    subject_id: Uuid,
) -> Result<WebhookDelivery, DbError> {
    let row = delivery::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        webhook_id: webhook_id.0,
        event: event.to_owned(),
        subject_id,
        status: convert::name(&WebhookDeliveryStatus::Pending)?,
        attempts: 0,
        response_status: None,
        error: None,
        created_at: convert::now(),
        finished_at: None,
    };
    delivery::Entity::insert(delivery::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::WebhooksChanged, webhook_id, None);
    write.audit(Action::Created, Noun::WebhookDelivery, row.id, &[]);
    wire(row)
}

/// What the task needs to send a delivery.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub delivery: WebhookDelivery,
    pub webhook_id: WebhookId,
    pub url: String,
    pub active: bool,
    pub secret: Sealed,
}

/// `None` when the webhook is gone.
pub async fn outgoing(scope: &Scope, db: &Db, id: WebhookDeliveryId) -> Result<Option<Outgoing>, DbError> {
    let Some(row) = scoped(scope, id).one(db.read()).await? else {
        return Ok(None);
    };
    let webhook = of(scope)
        .filter(webhook::Column::Id.eq(row.webhook_id))
        .one(db.read())
        .await?;
    let Some(webhook) = webhook else { return Ok(None) };
    Ok(Some(Outgoing {
        delivery: wire(row)?,
        webhook_id: WebhookId(webhook.id),
        url: webhook.url.clone(),
        active: webhook.active,
        secret: sealed(webhook),
    }))
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub status: WebhookDeliveryStatus,
    pub response_status: Option<u16>,
    pub error: Option<String>,
}

/// Notes an attempt, unless the delivery is gone.
pub async fn note(write: &mut Write, id: WebhookDeliveryId, attempt: Attempt) -> Result<(), DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let Some(row) = found else { return Ok(()) };
    let (webhook_id, attempts) = (row.webhook_id, row.attempts);
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&attempt.status)?);
    row.attempts = Set(attempts + 1);
    row.response_status = Set(attempt.response_status.map(i32::from));
    row.error = Set(attempt.error);
    row.finished_at = Set((attempt.status != WebhookDeliveryStatus::Pending).then(convert::now));
    row.update(write.connection()).await?;
    write.event(EventKind::WebhooksChanged, webhook_id, None);
    Ok(())
}

/// Makes a delivery that was given up, or made, one that is to be sent again.
///
/// # Errors
/// `DbError::Conflict` when it still is.
pub async fn again(write: &mut Write, webhook: WebhookId, id: WebhookDeliveryId) -> Result<WebhookDelivery, DbError> {
    let found = scoped(&write.scope()?, id)
        .filter(delivery::Column::WebhookId.eq(webhook.0))
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let row = found.ok_or(DbError::NotFound("delivery"))?;
    let pending = convert::name(&WebhookDeliveryStatus::Pending)?;
    if row.status == pending {
        return Err(DbError::Conflict("This message is still being sent.".to_owned()));
    }
    let mut row = row.into_active_model();
    row.status = Set(pending);
    row.finished_at = Set(None);
    let row = row.update(write.connection()).await?;
    write.audit(Action::Retried, Noun::WebhookDelivery, id, &[]);
    write.event(EventKind::WebhooksChanged, webhook, None);
    wire(row)
}

/// Deletes what was made before.
pub async fn expire_unscoped(db: &Db, before: DateTime<Utc>) -> Result<(), DbError> {
    delivery::Entity::delete_many()
        .filter(delivery::Column::CreatedAt.lt(before))
        .exec(db.write_connection())
        .await?;
    Ok(())
}

fn scoped(scope: &Scope, id: WebhookDeliveryId) -> Select<delivery::Entity> {
    delivery::Entity::find_by_id(id.0).filter(delivery::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: delivery::Model) -> Result<WebhookDelivery, DbError> {
    Ok(WebhookDelivery {
        id: WebhookDeliveryId(row.id),
        event: row.event,
        subject_id: row.subject_id,
        status: convert::parse_name("delivery status", &row.status)?,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        response_status: row.response_status.and_then(|status| u16::try_from(status).ok()),
        error: row.error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    })
}
