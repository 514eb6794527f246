//! Keys for other people's services.

use crate::{
    error::{AppError, AppResult},
    extract::{Admin, Body},
    provider_keys, respond,
    state::App,
};
use actix_web::{delete, get, put, web};
use cerebros_common::{
    provider_keys::{NewProviderKey, Provider, ProviderKey},
    wire::Envelope,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_provider_keys)
        .service(put_provider_key)
        .service(delete_provider_key);
}

/// List provider keys
#[utoipa::path(
    tag = "provider_keys",
    responses((status = 200, description = "At most one per provider, without secrets", body = Envelope<Vec<ProviderKey>>)),
)]
#[get("/provider-keys")]
async fn list_provider_keys(app: web::Data<App>, Admin(scope): Admin) -> AppResult {
    Ok(respond::ok(db::provider_keys::list(&scope, &app.db).await?))
}

/// Store a provider key
///
/// In place of an older one. It is stored encrypted, is used for this workspace alone, and never shown again.
#[utoipa::path(
    tag = "provider_keys",
    params(("provider" = Provider, Path)),
    request_body = NewProviderKey,
    responses((status = 200, description = "What lists show of it", body = Envelope<ProviderKey>)),
)]
#[put("/provider-keys/{provider}")]
async fn put_provider_key(
    app: web::Data<App>,
    Admin(scope): Admin,
    provider: web::Path<String>,
    body: Body<NewProviderKey>,
) -> AppResult {
    let provider = named(&provider)?;
    let sealed = provider_keys::close(&app.keys, scope.workspace_id, provider, &body.secret)?;
    let hint = &body.secret[body.secret.len() - 4..];
    let mut write = app.db.write(&scope).await?;
    let key = db::provider_keys::put(&mut write, provider, hint, sealed).await?;
    write.commit().await?;
    Ok(respond::ok(key))
}

/// Forget a provider key
#[utoipa::path(
    tag = "provider_keys",
    params(("provider" = Provider, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/provider-keys/{provider}")]
async fn delete_provider_key(app: web::Data<App>, Admin(scope): Admin, provider: web::Path<String>) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::provider_keys::delete(&mut write, named(&provider)?).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

fn named(provider: &str) -> AppResult<Provider> {
    serde_json::from_value(provider.into()).map_err(|_| AppError::not_found("provider"))
}
