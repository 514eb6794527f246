//! Deleting for good.

use crate::{
    accounts, deletions,
    error::{AppError, AppResult},
    extract::{Body, Caller, Id, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use cerebros_common::{
    api_keys::KeyScope,
    deletions::{Deletion, DeletionPreview, DeletionSubject, DeletionTarget, NewDeletion, Receipt},
    errors::ErrorCode,
    ids::{DeletionId, ReceiptId, UserId, WorkspaceId},
    wire::Envelope,
    workspaces::Role,
};
use cerebros_db::{self as db, Actor, Scope};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(preview_deletion)
        .service(create_deletion)
        .service(find_deletion)
        .service(find_receipt);
}

/// See what a deletion would do
///
/// What goes, which datasets lose their content, which models answer no more, and the text to type as confirmation.
/// Takes the role that the deletion takes.
#[utoipa::path(
    tag = "deletions",
    request_body = DeletionTarget,
    responses((status = 200, description = "What would go", body = Envelope<DeletionPreview>)),
)]
#[post("/deletions/preview")]
async fn preview_deletion(app: web::Data<App>, caller: Caller, body: Body<DeletionTarget>) -> AppResult {
    let scope = permit(&app, &caller, body.0).await?;
    Ok(respond::ok(db::deletions::preview(&scope, &app.db, body.0).await?))
}

/// Delete for good
///
/// Out of reach with this answer; files and rows are gone once the status is `done`. A document or agent takes the role
/// editor, a workspace the role owner. An account is deleted in its own browser session, with its password, and with it
/// the workspaces that it is the only member of; it must not be the only owner of any other.
#[utoipa::path(
    tag = "deletions",
    params(IdempotencyKeyHeader),
    request_body = NewDeletion,
    responses((status = 201, description = "Under way", body = Envelope<Deletion>)),
)]
#[post("/deletions")]
async fn create_deletion(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
    once: Once,
    body: Body<NewDeletion>,
) -> AppResult {
    let target = DeletionTarget {
        subject: body.subject,
        id: body.id,
    };
    let scope = permit(&app, &caller, target).await?;
    let account = target.subject == DeletionSubject::Account;
    if account {
        let missing = || AppError::field("password", "missing", "is missing: an account takes its password");
        let password = body.password.clone().ok_or_else(missing)?;
        accounts::check_password(&app, &request, UserId(target.id), "password", password).await?;
    }
    let app = app.into_inner();
    let work = async |write: &mut db::Write| {
        let wanted = db::deletions::confirmation(write, target).await?;
        if body.confirmation.trim() != wanted.trim() {
            let message = "must be the name of what is deleted, or the e-mail address of the account";
            return Err(AppError::field("confirmation", "mismatch", message));
        }
        let deletion = deletions::begin(write, target, None).await?;
        Answer::created(format!("/api/v1/deletions/{}", deletion.id), deletion)
    };
    if account {
        // The account that would keep the answer is gone.
        return Once::default().run(&app, &scope, &(), work).await;
    }
    once.run(&app, &scope, &(target, &body.confirmation), work).await
}

/// Find a deletion
///
/// One of the workspace's, or one that you asked for.
#[utoipa::path(
    tag = "deletions",
    params(("id" = DeletionId, Path)),
    responses((status = 200, description = "How far it is", body = Envelope<Deletion>)),
)]
#[get("/deletions/{id}")]
async fn find_deletion(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DeletionId>) -> AppResult {
    Ok(respond::ok(db::deletions::find(&scope, &app.db, id.0).await?))
}

/// Find a receipt
///
/// For whoever knows its id: what was deleted may have been the account itself. It names nobody and nothing.
#[utoipa::path(
    tag = "deletions",
    params(("id" = ReceiptId, Path)),
    responses((status = 200, description = "The signed receipt", body = Envelope<Receipt>)),
)]
#[get("/receipts/{id}")]
async fn find_receipt(app: web::Data<App>, id: Id<ReceiptId>) -> AppResult {
    Ok(respond::ok(db::deletions::find_receipt_unscoped(&app.db, id.0).await?))
}

/// `/.well-known/cerebros-receipts.json`: the keys that sign receipts, the one in use first.
pub async fn receipt_keys(app: web::Data<App>) -> HttpResponse {
    let keys = deletions::public_keys(&app.keys).into_iter();
    let keys: Vec<_> = keys
        .map(|key| serde_json::json!({"algorithm": "ed25519", "public_key": key}))
        .collect();
    HttpResponse::Ok().json(serde_json::json!({"keys": keys}))
}

/// The scope in which the caller may delete the subject.
async fn permit(app: &App, caller: &Caller, target: DeletionTarget) -> AppResult<Scope> {
    let person = match caller.scope.actor {
        Actor::User(id) => Some(id),
        _ => None,
    };
    match (target.subject, person) {
        (DeletionSubject::Document | DeletionSubject::Agent, _) => {
            caller.require(Role::Editor, KeyScope::Write)?;
            Ok(caller.scope)
        }
        (DeletionSubject::Workspace, _) => {
            let caller = caller.within(app, WorkspaceId(target.id)).await?;
            caller.require(Role::Owner, KeyScope::Admin)?;
            Ok(caller.scope)
        }
        (DeletionSubject::Account, Some(person)) if person.0 == target.id => {
            Ok(db::workspaces::personal_scope_unscoped(&app.db, person).await?)
        }
        (DeletionSubject::Account, None) => {
            let detail = "An account is deleted in its own browser session, not with an API key.";
            Err(AppError::new(ErrorCode::Forbidden, detail))
        }
        (DeletionSubject::Account, _) => Err(AppError::not_found("account")),
    }
}
