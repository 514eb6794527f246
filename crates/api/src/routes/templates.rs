//! Prompt templates.

use crate::{
    error::{AppError, AppResult},
    extract::{Body, Editor, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{get, patch, post, web};
use cerebros_common::{
    templates::{Template, TemplateKind, TemplatePatch, TemplateRestore, TemplateVersion},
    wire::{Envelope, Page, PageQuery, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_templates)
        .service(find_template)
        .service(update_template)
        .service(list_template_versions)
        .service(restore_template);
}

/// List templates
///
/// One for each type of document.
#[utoipa::path(
    tag = "templates",
    responses((status = 200, description = "All of them", body = Envelope<Page<Template>>)),
)]
#[get("/templates")]
async fn list_templates(app: web::Data<App>, Viewer(scope): Viewer) -> AppResult {
    let templates = db::templates::list(&scope, &app.db).await?;
    let total = templates.len() as u64;
    Ok(respond::ok(Paging::new(None, None).of(templates, total)))
}

/// Find a template
#[utoipa::path(
    tag = "templates",
    params(("kind" = TemplateKind, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The template; `ETag` holds its version", body = Envelope<Template>)),
)]
#[get("/templates/{kind}")]
async fn find_template(app: web::Data<App>, Viewer(scope): Viewer, kind: web::Path<String>) -> AppResult {
    let kind = known(&kind)?;
    let template = db::templates::find(&scope, &app.db, kind).await?;
    let version = template.version;
    Ok(respond::ok_versioned(template, version))
}

/// Change a template
///
/// Saves a new version; batches that are under way keep theirs.
#[utoipa::path(
    tag = "templates",
    params(("kind" = TemplateKind, Path), IfMatchHeader),
    request_body = TemplatePatch,
    responses((status = 200, description = "The template as it is now", body = Envelope<Template>)),
)]
#[patch("/templates/{kind}")]
async fn update_template(
    app: web::Data<App>,
    Editor(scope): Editor,
    kind: web::Path<String>,
    version: IfMatch,
    body: Body<TemplatePatch>,
) -> AppResult {
    let kind = known(&kind)?;
    let mut write = app.db.write(&scope).await?;
    let template = db::templates::update(&mut write, kind, version.0, &body.instructions).await?;
    write.commit().await?;
    let version = template.version;
    Ok(respond::ok_versioned(template, version))
}

/// List a template's versions
#[utoipa::path(
    tag = "templates",
    params(("kind" = TemplateKind, Path), PageQuery),
    responses((status = 200, description = "A page, newest first", body = Envelope<Page<TemplateVersion>>)),
)]
#[get("/templates/{kind}/versions")]
async fn list_template_versions(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    kind: web::Path<String>,
    query: Query<PageQuery>,
) -> AppResult {
    let kind = known(&kind)?;
    let paging = Paging::of_query(&query.0);
    let versions = db::templates::versions(&scope, &app.db, kind, paging).await?;
    Ok(respond::ok(versions))
}

/// Restore a version
///
/// Saves what it says as the newest version.
#[utoipa::path(
    tag = "templates",
    params(("kind" = TemplateKind, Path), IdempotencyKeyHeader),
    request_body = TemplateRestore,
    responses((status = 200, description = "The template as it is now", body = Envelope<Template>)),
)]
#[post("/templates/{kind}/restore")]
async fn restore_template(
    app: web::Data<App>,
    Editor(scope): Editor,
    once: Once,
    kind: web::Path<String>,
    body: Body<TemplateRestore>,
) -> AppResult {
    let kind = known(&kind)?;
    let instructions = db::templates::instructions(&scope, &app.db, kind, body.version).await?;
    let work = async |write: &mut db::Write| {
        let template = db::templates::update(write, kind, None, &instructions).await?;
        let version = template.version;
        Ok(Answer::ok(template)?.version(version))
    };
    once.run(&app, &scope, &body.0, work).await
}

fn known(kind: &str) -> AppResult<TemplateKind> {
    serde_json::from_value(serde_json::Value::String(kind.to_owned())).map_err(|_| AppError::not_found("template"))
}
