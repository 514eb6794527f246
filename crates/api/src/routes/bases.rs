//! Models that training starts from.

use crate::{
    bases,
    error::{AppError, AppResult},
    extract::{Body, Id, Query, Trainer, Viewer},
    idempotency::{Answer, Begun, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{delete, get, post, web};
use cerebros_common::{
    bases::{Base, BaseQuery, BaseSource, NewBase},
    ids::BaseId,
    wire::{Envelope, Page, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_bases)
        .service(create_base)
        .service(find_base)
        .service(delete_base);
}

/// List bases
#[utoipa::path(
    tag = "bases",
    params(BaseQuery),
    responses((status = 200, description = "A page of bases, the built-in one first", body = Envelope<Page<Base>>)),
)]
#[get("/bases")]
async fn list_bases(app: web::Data<App>, Viewer(scope): Viewer, query: Query<BaseQuery>) -> AppResult {
    let paging = Paging::new(query.0.page, query.0.limit);
    Ok(respond::ok(db::bases::list(&scope, &app.db, paging).await?))
}

/// Add a base
///
/// A directory on the server is looked into at once; a hub id is fetched in the background.
#[utoipa::path(
    tag = "bases",
    params(IdempotencyKeyHeader),
    request_body = NewBase,
    responses((status = 201, description = "The base, ready or downloading", body = Envelope<Base>)),
)]
#[post("/bases")]
async fn create_base(app: web::Data<App>, Trainer(scope): Trainer, once: Once, body: Body<NewBase>) -> AppResult {
    let turn = match once.begin(&app, &scope, &body.0).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(turn) => turn,
    };
    let created = |base: Base| Answer::created(format!("/api/v1/bases/{}", base.id), base);
    match (&body.directory, &body.hub_id) {
        (Some(directory), None) => {
            let (path, info) = bases::inspect_directory(&app.config, directory).await?;
            let location = path.display().to_string();
            let facts = bases::facts(&info);
            let source = BaseSource::Directory;
            let work = async |write: &mut db::Write| {
                created(db::bases::insert(write, &info.name, source, &location, Some(&facts)).await?)
            };
            turn.run(work).await
        }
        (None, Some(hub_id)) => {
            bases::check_hub_id(hub_id)?;
            let work = async |write: &mut db::Write| {
                let base = db::bases::insert(write, hub_id, BaseSource::Hub, hub_id, None).await?;
                bases::enqueue_fetch(write, base.id).await?;
                created(base)
            };
            turn.run(work).await
        }
        _ => Err(AppError::field(
            "directory",
            "choice",
            "or `hub_id` must be given, one of the two",
        )),
    }
}

/// Find a base
#[utoipa::path(
    tag = "bases",
    params(("id" = BaseId, Path)),
    responses((status = 200, description = "The base", body = Envelope<Base>)),
)]
#[get("/bases/{id}")]
async fn find_base(app: web::Data<App>, Viewer(scope): Viewer, id: Id<BaseId>) -> AppResult {
    Ok(respond::ok(db::bases::find(&scope, &app.db, id.0).await?))
}

/// Remove a base
///
/// Its files stay. Refused for the built-in one and for one that jobs were run on.
#[utoipa::path(
    tag = "bases",
    params(("id" = BaseId, Path)),
    responses((status = 204, description = "It is no longer offered")),
)]
#[delete("/bases/{id}")]
async fn delete_base(app: web::Data<App>, Trainer(scope): Trainer, id: Id<BaseId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::bases::delete(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
