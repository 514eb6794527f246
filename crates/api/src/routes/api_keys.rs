//! Keys for scripts.

use crate::{
    auth,
    error::{AppError, AppResult},
    extract::{Admin, Body, Caller, Id, Query},
    respond,
    state::App,
};
use actix_web::{delete, get, post, web};
use cerebros_common::{
    api_keys::{ApiKey, KeyScope, NewApiKey, NewApiKeySecret},
    errors::ErrorCode,
    ids::{ApiKeyId, UserId},
    wire::{Envelope, Page, PageQuery, Paging},
    workspaces::Role,
};
use cerebros_db::{Actor, api_keys};
use chrono::Utc;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_api_keys)
        .service(create_api_key)
        .service(rotate_api_key)
        .service(delete_api_key);
}

/// List API keys
#[utoipa::path(
    tag = "api_keys",
    params(PageQuery),
    responses((status = 200, description = "A page of keys, newest first", body = Envelope<Page<ApiKey>>)),
)]
#[get("/api-keys")]
async fn list_api_keys(app: web::Data<App>, Admin(scope): Admin, query: Query<PageQuery>) -> AppResult {
    let paging = Paging::of_query(&query.0);
    Ok(respond::ok(api_keys::list(&scope, &app.db, paging).await?))
}

/// Create an API key
///
/// The secret is in this answer only. The key acts in this workspace with your role. A key can give no scope that it has
/// not itself.
#[utoipa::path(
    tag = "api_keys",
    request_body = NewApiKey,
    responses((status = 201, description = "The key and its secret", body = Envelope<NewApiKeySecret>)),
)]
#[post("/api-keys")]
async fn create_api_key(app: web::Data<App>, caller: Caller, body: Body<NewApiKey>) -> AppResult {
    caller.require(Role::Admin, KeyScope::Admin)?;
    let user_id = maker(&caller)?;
    let scopes = given_scopes(&caller, body.scopes.as_deref())?;
    if body.expires_at.is_some_and(|at| at <= Utc::now()) {
        return Err(AppError::field("expires_at", "past", "must be in the future"));
    }
    let secret = auth::api_key();
    let mut write = app.db.write(&caller.scope).await?;
    let prefix = auth::api_key_prefix(&secret);
    let digest = auth::digest(&secret);
    let api_key = api_keys::insert(
        &mut write,
        user_id,
        body.name.trim(),
        &scopes,
        body.expires_at,
        &prefix,
        &digest,
    )
    .await?;
    write.commit().await?;
    Ok(respond::created(
        format!("/api/v1/api-keys/{}", api_key.id),
        NewApiKeySecret { api_key, secret },
    ))
}

/// Whose role the key acts with.
fn maker(caller: &Caller) -> AppResult<UserId> {
    match caller.scope.actor {
        Actor::User(user_id) | Actor::ApiKey(_, user_id) => Ok(user_id),
        Actor::System => Err(AppError::internal(anyhow::anyhow!("a task asked for an API key"))),
    }
}

/// In a fixed order, each once.
fn given_scopes(caller: &Caller, asked: Option<&[KeyScope]>) -> AppResult<Vec<KeyScope>> {
    let mut scopes = asked.unwrap_or(&KeyScope::USUAL).to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    match scopes.iter().find(|scope| !caller.scopes.contains(scope)) {
        None => Ok(scopes),
        Some(scope) => {
            let scope = scope.name();
            let detail = format!("A key can give only scopes that it has itself, and this one lacks {scope}.");
            Err(AppError::new(ErrorCode::MissingScope, detail))
        }
    }
}

/// Give an API key a new secret
///
/// Name, scopes and expiry stay; the old secret is refused at once. From then on the key acts with your role. A key can
/// rotate only keys whose scopes it has itself.
#[utoipa::path(
    tag = "api_keys",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, description = "The key and its new secret", body = Envelope<NewApiKeySecret>)),
)]
#[post("/api-keys/{id}/rotate")]
async fn rotate_api_key(app: web::Data<App>, caller: Caller, id: Id<ApiKeyId>) -> AppResult {
    caller.require(Role::Admin, KeyScope::Admin)?;
    let secret = auth::api_key();
    let mut write = app.db.write(&caller.scope).await?;
    let (prefix, digest) = (auth::api_key_prefix(&secret), auth::digest(&secret));
    let api_key = api_keys::rotate(&mut write, maker(&caller)?, id.0, &prefix, &digest).await?;
    given_scopes(&caller, Some(&api_key.scopes))?;
    write.commit().await?;
    Ok(respond::ok(NewApiKeySecret { api_key, secret }))
}

/// Revoke an API key
#[utoipa::path(
    tag = "api_keys",
    params(("id" = ApiKeyId, Path)),
    responses((status = 204, description = "It is refused from now on")),
)]
#[delete("/api-keys/{id}")]
async fn delete_api_key(app: web::Data<App>, Admin(scope): Admin, id: Id<ApiKeyId>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    api_keys::delete(&mut write, id.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
