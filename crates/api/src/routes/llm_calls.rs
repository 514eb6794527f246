//! Questions that were put to language models, and what they cost.

use crate::{
    error::{AppError, AppResult},
    extract::{Query, Viewer},
    paging, respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    llm_calls::{LlmCall, LlmCallQuery, LlmUsage, LlmUsageQuery},
    wire::{CursorPage, Envelope},
};
use cerebros_db as db;
use chrono::{Days, Utc};
use utoipa_actix_web::service_config::ServiceConfig;

const USUAL_DAYS: u64 = 30;
const MAX_DAYS: i64 = 366;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_llm_calls).service(list_llm_usage);
}

/// List calls of language models
///
/// Each with all its attempts, and without the text of questions and answers.
#[utoipa::path(
    tag = "llm",
    params(LlmCallQuery),
    responses((status = 200, description = "Calls, newest first", body = Envelope<CursorPage<LlmCall>>)),
)]
#[get("/llm-calls")]
async fn list_llm_calls(app: web::Data<App>, Viewer(scope): Viewer, query: Query<LlmCallQuery>) -> AppResult {
    let before = paging::cursor(query.0.cursor.as_deref())?;
    let limit = paging::limit(query.0.limit);
    Ok(respond::ok(
        db::llm_calls::list(&scope, &app.db, &query.0, before, limit).await?,
    ))
}

/// Sum up calls of language models
///
/// By day and model, the newest day first.
#[utoipa::path(
    tag = "llm",
    params(LlmUsageQuery),
    responses((status = 200, description = "What each model did on each day", body = Envelope<Vec<LlmUsage>>)),
)]
#[get("/llm-usage")]
async fn list_llm_usage(app: web::Data<App>, Viewer(scope): Viewer, query: Query<LlmUsageQuery>) -> AppResult {
    let to = query.0.to.unwrap_or_else(|| Utc::now().date_naive());
    let usual = to.checked_sub_days(Days::new(USUAL_DAYS - 1)).unwrap_or(to);
    let from = query.0.from.unwrap_or(usual);
    if from > to || (to - from).num_days() >= MAX_DAYS {
        let message = "must not be after `to`, and at most 365 days before it";
        return Err(AppError::field("from", "range", message));
    }
    Ok(respond::ok(db::llm_calls::usage(&scope, &app.db, from, to).await?))
}
