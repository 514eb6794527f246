//! The audit log.

use crate::{
    error::AppResult,
    extract::{Admin, Query},
    paging, respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    audit::{AuditEntry, AuditQuery},
    wire::{CursorPage, Envelope},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_audit);
}

/// List the audit log
///
/// What was done in the workspace, by whom and when. Holds ids and names of fields, never their values.
#[utoipa::path(
    tag = "audit",
    params(AuditQuery),
    responses((status = 200, description = "Entries, newest first", body = Envelope<CursorPage<AuditEntry>>)),
)]
#[get("/audit")]
async fn list_audit(app: web::Data<App>, Admin(scope): Admin, query: Query<AuditQuery>) -> AppResult {
    let before = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::audit::list(&scope, &app.db, &query.0, before, limit).await?,
    ))
}
