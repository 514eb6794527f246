//! What models cost.

use crate::{
    error::{AppError, AppResult},
    extract::{Admin, Body, Viewer},
    llm, respond,
    state::App,
};
use actix_web::{delete, get, put, web};
use cerebros_common::{
    llm_settings::LlmProvider,
    prices::{NewPrice, Price, Prices},
    wire::Envelope,
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

/// In characters.
const MAX_MODEL_NAME: usize = 200;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_prices).service(put_price).service(delete_price);
}

/// List prices
///
/// The workspace's own, and the shipped list prices that they do not replace. Shipped prices are not used with a base URL
/// of the workspace's own.
#[utoipa::path(
    tag = "llm",
    responses((status = 200, description = "Prices by provider and model", body = Envelope<Prices>)),
)]
#[get("/prices")]
async fn list_prices(app: web::Data<App>, Viewer(scope): Viewer) -> AppResult {
    Ok(respond::ok(llm::list_prices(&app, &scope).await?))
}

/// Set a model's price
///
/// In place of an older one, or of the shipped one. Calls that were made keep what they cost.
#[utoipa::path(
    tag = "llm",
    params(("provider" = LlmProvider, Path), ("model" = String, Path, min_length = 1, max_length = 200)),
    request_body = NewPrice,
    responses((status = 200, description = "The price", body = Envelope<Price>)),
)]
#[put("/prices/{provider}/{model}")]
async fn put_price(
    app: web::Data<App>,
    Admin(scope): Admin,
    path: web::Path<(String, String)>,
    body: Body<NewPrice>,
) -> AppResult {
    let (provider, model) = named(path.into_inner())?;
    let mut write = app.db.write(&scope).await?;
    let price = db::prices::put(&mut write, provider, &model, &body).await?;
    write.commit().await?;
    Ok(respond::ok(price))
}

/// Take back a model's price
///
/// The shipped one counts again, if there is one.
#[utoipa::path(
    tag = "llm",
    params(("provider" = LlmProvider, Path), ("model" = String, Path, min_length = 1, max_length = 200)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/prices/{provider}/{model}")]
async fn delete_price(app: web::Data<App>, Admin(scope): Admin, path: web::Path<(String, String)>) -> AppResult {
    let (provider, model) = named(path.into_inner())?;
    let mut write = app.db.write(&scope).await?;
    db::prices::delete(&mut write, provider, &model).await?;
    write.commit().await?;
    Ok(respond::no_content())
}

/// The extractive provider costs nothing, so there is no such price.
fn named((provider, model): (String, String)) -> AppResult<(LlmProvider, String)> {
    let provider: Option<LlmProvider> = serde_json::from_value(provider.into()).ok();
    let provider = provider.filter(|provider| *provider != LlmProvider::Extractive);
    let provider = provider.ok_or_else(|| AppError::not_found("provider with prices"))?;
    let usable = !model.trim().is_empty() && model.chars().count() <= MAX_MODEL_NAME && !model.contains('\0');
    if !usable {
        return Err(AppError::field("model", "length", "must have 1 to 200 characters"));
    }
    Ok((provider, model))
}
