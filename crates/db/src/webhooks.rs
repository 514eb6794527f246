//! Webhooks, and what is sent to them.

mod deliveries;
mod row;

pub use deliveries::{Attempt, Outgoing, again, expire_unscoped, insert_delivery, list_deliveries, note, outgoing};

use crate::{Db, DbError, Scope, Write, convert, seal::Sealed};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{WebhookId, WorkspaceId},
    webhooks::{Webhook, WebhookEvent, WebhookPatch},
};
use row::webhook;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use std::collections::BTreeSet;

/// Of a workspace.
pub const MAX: u64 = 20;

/// All of a workspace, newest first.
pub async fn list(scope: &Scope, db: &Db) -> Result<Vec<Webhook>, DbError> {
    let rows = of(scope).order_by_desc(webhook::Column::Id).all(db.read()).await?;
    rows.into_iter().map(wire).collect()
}

pub async fn find(scope: &Scope, db: &Db, id: WebhookId) -> Result<Webhook, DbError> {
    let row = of(scope).filter(webhook::Column::Id.eq(id.0)).one(db.read()).await?;
    wire(row.ok_or(DbError::NotFound("webhook"))?)
}

/// # Errors
/// `DbError::Conflict` where the workspace has [`MAX`] already.
pub async fn insert(
    write: &mut Write,
    id: WebhookId,
    url: &str,
    events: &BTreeSet<WebhookEvent>,
    hint: &str,
    sealed: Sealed,
) -> Result<Webhook, DbError> {
    if of(&write.scope()?).count(write.connection()).await? >= MAX {
        let full = format!("A workspace has at most {MAX} webhooks. Delete one first.");
        return Err(DbError::Conflict(full));
    }
    let row = webhook::Model {
        id: id.0,
        workspace_id: write.workspace_id()?.0,
        url: url.to_owned(),
        events: convert::json("webhook events", events)?,
        active: true,
        hint: hint.to_owned(),
        key_id: sealed.key_id,
        nonce: sealed.nonce,
        ciphertext: sealed.ciphertext,
        created_at: convert::now(),
    };
    webhook::Entity::insert(webhook::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Created, Noun::Webhook, id, &["url", "events"]);
    write.event(EventKind::WebhooksChanged, id, None);
    wire(row)
}

pub async fn update(write: &mut Write, id: WebhookId, patch: &WebhookPatch) -> Result<Webhook, DbError> {
    let mut row = lock(write, id).await?.into_active_model();
    if let Some(url) = &patch.url {
        row.url = Set(url.clone());
    }
    if let Some(events) = &patch.events {
        row.events = Set(convert::json("webhook events", events)?);
    }
    if let Some(active) = patch.active {
        row.active = Set(active);
    }
    let fields = convert::present([
        patch.url.as_ref().map(|_| "url"),
        patch.events.as_ref().map(|_| "events"),
        patch.active.map(|_| "active"),
    ]);
    let row = row.update(write.connection()).await?;
    write.audit(Action::Updated, Noun::Webhook, id, &fields);
    write.event(EventKind::WebhooksChanged, id, None);
    wire(row)
}

/// Gives a webhook another secret; what is sent from then on is signed with it.
pub async fn rotate(write: &mut Write, id: WebhookId, hint: &str, sealed: Sealed) -> Result<Webhook, DbError> {
    let mut row = lock(write, id).await?.into_active_model();
    row.hint = Set(hint.to_owned());
    put(&mut row, sealed);
    let row = row.update(write.connection()).await?;
    write.audit(Action::Rotated, Noun::Webhook, id, &[]);
    write.event(EventKind::WebhooksChanged, id, None);
    wire(row)
}

fn put(row: &mut webhook::ActiveModel, sealed: Sealed) {
    row.key_id = Set(sealed.key_id);
    row.nonce = Set(sealed.nonce);
    row.ciphertext = Set(sealed.ciphertext);
}

pub async fn delete(write: &mut Write, id: WebhookId) -> Result<(), DbError> {
    lock(write, id).await?;
    webhook::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.audit(Action::Deleted, Noun::Webhook, id, &[]);
    write.event(EventKind::WebhooksChanged, id, None);
    Ok(())
}

/// Those of the transaction's workspace that want to hear of an event.
pub async fn wanting(write: &Write, event: WebhookEvent) -> Result<Vec<WebhookId>, DbError> {
    let rows = of(&write.scope()?)
        .filter(webhook::Column::Active.eq(true))
        .all(write.connection())
        .await?;
    let mut wanting = Vec::new();
    for row in rows {
        if events(&row)?.contains(&event) {
            wanting.push(WebhookId(row.id));
        }
    }
    Ok(wanting)
}

/// What is encrypted with another secret than the one in use.
pub async fn outdated_unscoped(db: &Db, key_id: &str) -> Result<Vec<(WorkspaceId, WebhookId, Sealed)>, DbError> {
    let rows = webhook::Entity::find()
        .filter(webhook::Column::KeyId.ne(key_id))
        .all(db.read())
        .await?;
    let outdated = rows
        .into_iter()
        .map(|row| (WorkspaceId(row.workspace_id), WebhookId(row.id), sealed(row)));
    Ok(outdated.collect())
}

/// Puts the same secret, encrypted anew, in the place of what it was, unless that has changed meanwhile.
pub async fn reseal(write: &mut Write, id: WebhookId, old: &Sealed, new: Sealed) -> Result<(), DbError> {
    let mut row = webhook::ActiveModel { ..Default::default() };
    put(&mut row, new);
    webhook::Entity::update_many()
        .set(row)
        .filter(webhook::Column::Id.eq(id.0))
        .filter(webhook::Column::Ciphertext.eq(&old.ciphertext))
        .exec(write.connection())
        .await?;
    write.audit(Action::Rotated, Noun::Webhook, id, &[]);
    Ok(())
}

fn of(scope: &Scope) -> Select<webhook::Entity> {
    webhook::Entity::find().filter(webhook::Column::WorkspaceId.eq(scope.workspace_id.0))
}

async fn lock(write: &Write, id: WebhookId) -> Result<webhook::Model, DbError> {
    let row = of(&write.scope()?)
        .filter(webhook::Column::Id.eq(id.0))
        .lock_exclusive();
    row.one(write.connection()).await?.ok_or(DbError::NotFound("webhook"))
}

fn sealed(row: webhook::Model) -> Sealed {
    Sealed {
        key_id: row.key_id,
        nonce: row.nonce,
        ciphertext: row.ciphertext,
    }
}

fn events(row: &webhook::Model) -> Result<BTreeSet<WebhookEvent>, DbError> {
    convert::parse_json("webhook events", &row.events)
}

fn wire(row: webhook::Model) -> Result<Webhook, DbError> {
    Ok(Webhook {
        id: WebhookId(row.id),
        events: events(&row)?,
        url: row.url,
        active: row.active,
        hint: row.hint,
        created_at: row.created_at,
    })
}
