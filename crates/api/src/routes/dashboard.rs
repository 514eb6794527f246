//! Figures over a stretch of time.

use crate::{
    error::{AppError, AppResult},
    extract::{Query, Viewer},
    respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    dashboard::{Dashboard, DashboardQuery},
    wire::Envelope,
};
use cerebros_db::calls;
use chrono::{Duration, Utc};
use utoipa_actix_web::service_config::ServiceConfig;

const DEFAULT_DAYS: i64 = 30;

pub fn configure(config: &mut ServiceConfig) {
    config.service(find_dashboard);
}

/// Show the dashboard's figures
///
/// Each beside the same figure of the equally long stretch before.
#[utoipa::path(
    tag = "dashboard",
    params(DashboardQuery),
    responses((status = 200, description = "Figures from recorded calls", body = Envelope<Dashboard>)),
)]
#[get("/dashboard")]
async fn find_dashboard(app: web::Data<App>, Viewer(scope): Viewer, query: Query<DashboardQuery>) -> AppResult {
    let to = query.0.to.unwrap_or_else(Utc::now);
    let from = match query.0.from {
        Some(from) => from,
        None => to.checked_sub_signed(Duration::days(DEFAULT_DAYS)).unwrap_or(to),
    };
    let before = from.checked_sub_signed(to - from);
    let Some(before) = before.filter(|_| from < to) else {
        return Err(AppError::field("from", "range", "must be earlier than `to`"));
    };
    let now = calls::summary(&scope, &app.db, from, to).await?;
    let previous = calls::summary(&scope, &app.db, before, from).await?;
    let [agents, calls, average_response_ms, success_rate] = now.beside(&previous);
    Ok(respond::ok(Dashboard {
        from,
        to,
        agents,
        calls,
        average_response_ms,
        success_rate,
    }))
}
