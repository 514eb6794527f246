//! Which language model a workspace uses.

use crate::{
    error::AppResult,
    extract::{Admin, Body, IfMatch, IfMatchHeader, IfNoneMatchHeader, Viewer},
    llm, respond,
    state::App,
};
use actix_web::{get, post, put, web};
use cerebros_common::{
    llm_settings::{LlmModels, LlmSettings, LlmSettingsUpdate, LlmTest},
    wire::Envelope,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(find_llm_settings)
        .service(put_llm_settings)
        .service(test_llm_settings)
        .service(list_llm_models);
}

/// Look at the language model's settings
///
/// With what its provider last told of rate limits. Before anything is set, the provider is `extractive`, at version 0.
#[utoipa::path(
    tag = "llm",
    params(IfNoneMatchHeader),
    responses((status = 200, description = "The settings, without any key", body = Envelope<LlmSettings>)),
)]
#[get("/llm-settings")]
async fn find_llm_settings(app: web::Data<App>, Viewer(scope): Viewer) -> AppResult {
    let settings = llm::settings(&app, &scope).await?;
    let version = settings.version;
    Ok(respond::ok_versioned(settings, version))
}

/// Choose the language model
///
/// The key is stored apart, as a provider key. Base URLs lead to public https addresses, or into networks that the operator
/// allows.
#[utoipa::path(
    tag = "llm",
    params(IfMatchHeader),
    request_body = LlmSettingsUpdate,
    responses((status = 200, description = "The settings as they are now", body = Envelope<LlmSettings>)),
)]
#[put("/llm-settings")]
async fn put_llm_settings(
    app: web::Data<App>,
    Admin(scope): Admin,
    if_match: IfMatch,
    body: Body<LlmSettingsUpdate>,
) -> AppResult {
    let new = llm::checked(&app, body.0)?;
    let mut write = app.db.write(&scope).await?;
    db::llm_settings::put(&mut write, if_match.0, &new).await?;
    write.commit().await?;
    let settings = llm::settings(&app, &scope).await?;
    let version = settings.version;
    Ok(respond::ok_versioned(settings, version))
}

/// Test the language model
///
/// Puts a small question to it, once, which costs a few tokens. What goes wrong is told in a successful answer.
#[utoipa::path(
    tag = "llm",
    responses((status = 200, description = "How it went", body = Envelope<LlmTest>)),
)]
#[post("/llm-settings/test")]
async fn test_llm_settings(app: web::Data<App>, Admin(scope): Admin) -> AppResult {
    Ok(respond::ok(llm::test(&app, &scope).await?))
}

/// List the provider's models
///
/// As the provider lists them for the stored key. Azure lists no deployments, and `extractive` has none.
#[utoipa::path(
    tag = "llm",
    responses((status = 200, description = "Names of models, or why there are none", body = Envelope<LlmModels>)),
)]
#[get("/llm-settings/models")]
async fn list_llm_models(app: web::Data<App>, Admin(scope): Admin) -> AppResult {
    let (models, error) = match llm::models(&app, &scope).await? {
        Ok(models) => (models, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Ok(respond::ok(LlmModels { models, error }))
}
