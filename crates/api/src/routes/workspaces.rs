//! Workspaces of whoever asks. What is inside one is reached by naming it in `X-Workspace-Id`.

use crate::{
    bases,
    error::AppResult,
    extract::{Admin, Body, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, SignedIn, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{get, patch, post, web};
use cerebros_common::{
    ids::WorkspaceId,
    wire::{Envelope, Page, PageQuery, Paging},
    workspaces::{NewWorkspace, Workspace, WorkspacePatch},
};
use cerebros_db::{Write, workspaces};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_workspaces)
        .service(create_workspace)
        .service(find_workspace)
        .service(update_workspace);
}

/// List your workspaces
///
/// The personal one comes first.
#[utoipa::path(
    tag = "workspaces",
    params(PageQuery),
    responses((status = 200, description = "A page of workspaces", body = Envelope<Page<Workspace>>)),
)]
#[get("/workspaces")]
async fn list_workspaces(app: web::Data<App>, signed_in: SignedIn, query: Query<PageQuery>) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(
        workspaces::list_of_user_unscoped(&app.db, signed_in.user.id, paging).await?,
    ))
}

/// Create a workspace
///
/// You own it, and can invite others. A person may own at most 50.
#[utoipa::path(
    tag = "workspaces",
    params(IdempotencyKeyHeader),
    request_body = NewWorkspace,
    responses((status = 201, description = "A workspace with you as its owner", body = Envelope<Workspace>)),
)]
#[post("/workspaces")]
async fn create_workspace(app: web::Data<App>, signed_in: SignedIn, once: Once, body: Body<NewWorkspace>) -> AppResult {
    let scope = workspaces::personal_scope_unscoped(&app.db, signed_in.user.id).await?;
    let work = async |write: &mut Write| {
        let workspace = workspaces::insert(write, &body).await?;
        bases::insert_built_in(&app, write, workspace.id).await?;
        let location = format!("/api/v1/workspaces/{}", workspace.id);
        Ok(Answer::created(location, &workspace)?.version(workspace.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Find a workspace
#[utoipa::path(
    tag = "workspaces",
    params(("id" = WorkspaceId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The workspace; `ETag` holds its version", body = Envelope<Workspace>)),
)]
#[get("/workspaces/{id}")]
async fn find_workspace(app: web::Data<App>, Viewer(scope): Viewer, _: Id<WorkspaceId>) -> AppResult {
    let workspace = workspaces::find(&scope, &app.db).await?;
    let version = workspace.version;
    Ok(respond::ok_versioned(workspace, version))
}

/// Rename a workspace
#[utoipa::path(
    tag = "workspaces",
    params(("id" = WorkspaceId, Path), IfMatchHeader),
    request_body = WorkspacePatch,
    responses((status = 200, description = "The workspace as it is now", body = Envelope<Workspace>)),
)]
#[patch("/workspaces/{id}")]
async fn update_workspace(
    app: web::Data<App>,
    Admin(scope): Admin,
    _: Id<WorkspaceId>,
    version: IfMatch,
    body: Body<WorkspacePatch>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let workspace = workspaces::update(&mut write, version.0, &body).await?;
    write.commit().await?;
    let version = workspace.version;
    Ok(respond::ok_versioned(workspace, version))
}
