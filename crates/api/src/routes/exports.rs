//! Archives to take away.

use crate::{
    error::AppResult,
    exports::{self, Subject},
    extract::{Caller, Id, SignedIn},
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    api_keys::KeyScope,
    audit::{Action, Noun},
    ids::WorkspaceId,
    workspaces::Role,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(export_workspace).service(export_account);
}

/// Export a workspace
///
/// Everything in it as one ZIP archive: tables as JSON Lines, files, and `manifest.json` with the counts. Secrets stay out.
/// `cerebros admin import` makes a workspace of it on any server. Answers 503 while two others are being made.
#[utoipa::path(
    tag = "exports",
    params(("id" = WorkspaceId, Path)),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip")),
)]
#[get("/workspaces/{id}/export")]
async fn export_workspace(app: web::Data<App>, caller: Caller, id: Id<WorkspaceId>) -> AppResult {
    let caller = caller.within(&app, id.0).await?;
    caller.require(Role::Owner, KeyScope::Admin)?;
    let mut write = app.db.write(&caller.scope).await?;
    write.audit(Action::Exported, Noun::Workspace, id.0, &[]);
    write.commit().await?;
    exports::start(app.into_inner(), Subject::Workspace(id.0)).await
}

/// Export your account
///
/// Profile, memberships, sessions, keys without their secrets, notifications, and every workspace that you own, as one ZIP
/// archive. Answers 503 while two others are being made.
#[utoipa::path(
    tag = "exports",
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip")),
)]
#[get("/account/export")]
async fn export_account(app: web::Data<App>, signed_in: SignedIn) -> AppResult {
    let scope = db::workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    let mut write = app.db.write(&scope).await?;
    write.audit(Action::Exported, Noun::Account, signed_in.user.id, &[]);
    write.commit().await?;
    exports::start(app.into_inner(), Subject::Account(signed_in.user.id)).await
}
