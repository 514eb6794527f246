//! Diagrams: list, write, draw, check, share, show.

use crate::{
    auth,
    diagrams::{self, draw},
    download,
    error::{AppError, AppResult},
    extract::{Body, Editor, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{HttpResponse, delete, get, http::header, patch, post, web};
use cerebros_common::{
    diagrams::{
        Diagram, DiagramCheck, DiagramPatch, DiagramQuery, DiagramShare, DiagramSource, DrawRequest, Drawing,
        NewDiagram, PictureQuery, SharedDiagram,
    },
    ids::DiagramId,
    wire::{Envelope, Page},
};
use cerebros_db::{self as db, Scope};
use sha2::{Digest, Sha256};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_diagrams)
        .service(create_diagram)
        .service(draw_diagrams)
        .service(check_diagram)
        .service(find_diagram)
        .service(update_diagram)
        .service(delete_diagram)
        .service(retry_diagram)
        .service(find_diagram_picture)
        .service(share_diagram)
        .service(unshare_diagram)
        .service(find_shared_diagram)
        .service(find_shared_picture);
}

/// List diagrams
#[utoipa::path(
    tag = "diagrams",
    params(DiagramQuery),
    responses((status = 200, description = "A page of diagrams, newest first", body = Envelope<Page<Diagram>>)),
)]
#[get("/diagrams")]
async fn list_diagrams(app: web::Data<App>, Viewer(scope): Viewer, query: Query<DiagramQuery>) -> AppResult {
    Ok(respond::ok(db::diagrams::list(&scope, &app.db, &query.0).await?))
}

/// Write a diagram
///
/// Its source has to be valid Mermaid: `POST /api/v1/diagrams/check` tells.
#[utoipa::path(
    tag = "diagrams",
    params(IdempotencyKeyHeader),
    request_body = NewDiagram,
    responses((status = 201, description = "The diagram", body = Envelope<Diagram>)),
)]
#[post("/diagrams")]
async fn create_diagram(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<NewDiagram>) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    let verdict = diagrams::verified(&app, &body.source).await?;
    turn.run(async |write: &mut db::Write| {
        let diagram = db::diagrams::insert(write, &body, verdict.svg.as_deref()).await?;
        let location = format!("/api/v1/diagrams/{}", diagram.id);
        Ok(Answer::created(location, &diagram)?.version(diagram.version))
    })
    .await
}

/// Draw diagrams
///
/// Of a concept, of a text, of a document's outline, or of each concept of a document; in the background. Each is there
/// at once in status `drawing` and becomes `ready`, or `failed` with its reason.
#[utoipa::path(
    tag = "diagrams",
    params(IdempotencyKeyHeader),
    request_body = DrawRequest,
    responses((status = 201, description = "What is being drawn", body = Envelope<Drawing>)),
)]
#[post("/diagrams/draw")]
async fn draw_diagrams(app: web::Data<App>, Editor(scope): Editor, once: Once, body: Body<DrawRequest>) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    let wanted = draw::wanted(&app, &scope, &body).await?;
    turn.run(async |write: &mut db::Write| {
        let drawing = draw::order(write, &scope, &body, wanted).await?;
        let location = match drawing.ids.first() {
            Some(id) => format!("/api/v1/diagrams/{id}"),
            None => "/api/v1/diagrams".to_owned(),
        };
        Answer::created(location, &drawing)
    })
    .await
}

/// Check a diagram's source
#[utoipa::path(
    tag = "diagrams",
    request_body = DiagramSource,
    responses((status = 200, description = "Whether it is valid, or where it is not and why", body = Envelope<DiagramCheck>)),
)]
#[post("/diagrams/check")]
async fn check_diagram(app: web::Data<App>, _editor: Editor, body: Body<DiagramSource>) -> AppResult {
    Ok(respond::ok(diagrams::inspect(&app, &body.source).await?.check))
}

/// Find a diagram
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "The diagram; `ETag` holds its version", body = Envelope<Diagram>)),
)]
#[get("/diagrams/{id}")]
async fn find_diagram(app: web::Data<App>, Viewer(scope): Viewer, id: Id<DiagramId>) -> AppResult {
    let diagram = db::diagrams::find(&scope, &app.db, id.0).await?;
    let version = diagram.version;
    Ok(respond::ok_versioned(diagram, version))
}

/// Change a diagram
///
/// A new source has to be valid Mermaid, and makes a failed diagram `ready`.
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path), IfMatchHeader),
    request_body = DiagramPatch,
    responses((status = 200, description = "The diagram as it is now", body = Envelope<Diagram>)),
)]
#[patch("/diagrams/{id}")]
async fn update_diagram(
    app: web::Data<App>,
    Editor(scope): Editor,
    id: Id<DiagramId>,
    version: IfMatch,
    body: Body<DiagramPatch>,
) -> AppResult {
    db::diagrams::find(&scope, &app.db, id.0).await?;
    let svg = match &body.source {
        Some(source) => diagrams::verified(&app, source).await?.svg,
        None => None,
    };
    let mut write = app.db.write(&scope).await?;
    let diagram = db::diagrams::update(&mut write, id.0, version.0, &body, svg.as_deref()).await?;
    write.commit().await?;
    let version = diagram.version;
    Ok(respond::ok_versioned(diagram, version))
}

/// Delete a diagram
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path), IfMatchHeader),
    responses((status = 204, description = "It is gone, and so is its link")),
)]
#[delete("/diagrams/{id}")]
async fn delete_diagram(app: web::Data<App>, Editor(scope): Editor, id: Id<DiagramId>, version: IfMatch) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::diagrams::delete(&mut write, id.0, version.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Draw a diagram once more
///
/// Only one in status `failed`.
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path), IdempotencyKeyHeader),
    responses((status = 200, description = "Being drawn again", body = Envelope<Diagram>)),
)]
#[post("/diagrams/{id}/retry")]
async fn retry_diagram(app: web::Data<App>, Editor(scope): Editor, once: Once, id: Id<DiagramId>) -> AppResult {
    let work = async |write: &mut db::Write| {
        let diagram = db::diagrams::retry(write, id.0).await?;
        draw::enqueue_drawing(write, scope.workspace_id, id.0).await?;
        Ok(Answer::ok(&diagram)?.version(diagram.version))
    };
    once.run(&app, &scope, &(), work).await
}

/// Show a diagram's picture
///
/// An SVG without scripts, links and anything that loads; 409 where there is none.
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path), PictureQuery, IfNoneMatchHeader),
    responses((status = 200, description = "The picture", body = String, content_type = "image/svg+xml")),
)]
#[get("/diagrams/{id}/svg")]
async fn find_diagram_picture(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<DiagramId>,
    query: Query<PictureQuery>,
) -> AppResult {
    picture(&app, &scope, id.0, &query.0).await
}

async fn picture(app: &App, scope: &Scope, id: DiagramId, query: &PictureQuery) -> AppResult {
    let (slug, svg) = diagrams::picture(app, scope, id).await?;
    let hash = hex::encode(Sha256::digest(&svg));
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("image/svg+xml; charset=utf-8")
        .insert_header((header::ETAG, format!("\"{}\"", &hash[..32])))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if query.download == Some(true) {
        let name = download::disposition(&format!("{slug}.svg"));
        answer.insert_header((header::CONTENT_DISPOSITION, name));
    }
    Ok(answer.body(svg))
}

/// Share a diagram by a link
///
/// Whoever has the link sees title, summary and picture, without an account. It is told once: asked again, there is a new
/// link, and the one before stops working.
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path)),
    responses((status = 200, description = "The link", body = Envelope<DiagramShare>)),
)]
#[post("/diagrams/{id}/share")]
async fn share_diagram(app: web::Data<App>, Editor(scope): Editor, id: Id<DiagramId>) -> AppResult {
    let token = auth::token();
    let mut write = app.db.write(&scope).await?;
    db::diagrams::share(&mut write, id.0, Some(&auth::digest(&token))).await?;
    write.commit().await?;
    Ok(respond::ok(DiagramShare {
        link: format!("{}/shared/{token}", app.origin),
    }))
}

/// Take a diagram's link away
#[utoipa::path(
    tag = "diagrams",
    params(("id" = DiagramId, Path)),
    responses((status = 204, description = "The link does not work any more")),
)]
#[delete("/diagrams/{id}/share")]
async fn unshare_diagram(app: web::Data<App>, Editor(scope): Editor, id: Id<DiagramId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::diagrams::share(&mut write, id.0, None).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// Look at a shared diagram
#[utoipa::path(
    tag = "diagrams",
    params(("token" = String, Path, description = "The last part of the link")),
    responses((status = 200, description = "What the link shows", body = Envelope<SharedDiagram>)),
)]
#[get("/shared/{token}")]
async fn find_shared_diagram(app: web::Data<App>, token: web::Path<String>) -> AppResult {
    let (_, shared) = find_shared(&app, &token).await?;
    Ok(respond::ok(shared))
}

/// Show a shared diagram's picture
#[utoipa::path(
    tag = "diagrams",
    params(("token" = String, Path, description = "The last part of the link"), PictureQuery, IfNoneMatchHeader),
    responses((status = 200, description = "The picture", body = String, content_type = "image/svg+xml")),
)]
#[get("/shared/{token}/svg")]
async fn find_shared_picture(app: web::Data<App>, token: web::Path<String>, query: Query<PictureQuery>) -> AppResult {
    let ((scope, id), _) = find_shared(&app, &token).await?;
    picture(&app, &scope, id, &query.0).await
}

async fn find_shared(app: &App, token: &str) -> AppResult<((Scope, DiagramId), SharedDiagram)> {
    let found = db::diagrams::find_shared_unscoped(&app.db, &auth::digest(token)).await?;
    let (workspace_id, id, shared) = found.ok_or_else(|| AppError::not_found("shared diagram"))?;
    Ok(((Scope::system(workspace_id), id), shared))
}
