//! Workspaces of whoever is signed in.

use crate::{
    error::AppResult,
    extract::{Query, SignedIn},
    respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    wire::{Envelope, Page, PageQuery, Paging},
    workspaces::Workspace,
};
use cerebros_db::workspaces;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_workspaces);
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
