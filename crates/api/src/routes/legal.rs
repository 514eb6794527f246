//! Privacy and terms, readable by anybody.

use crate::{
    error::{AppError, AppResult},
    respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    errors::ErrorCode,
    legal::{LegalPage, LegalText},
    wire::Envelope,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(find_legal_page);
}

/// Read privacy or terms
#[utoipa::path(
    tag = "legal",
    params(("page" = LegalPage, Path)),
    responses((status = 200, description = "The text", body = Envelope<LegalText>)),
)]
#[get("/legal/{page}")]
async fn find_legal_page(app: web::Data<App>, page: web::Path<String>) -> AppResult {
    let page = match page.as_str() {
        "privacy" => LegalPage::Privacy,
        "terms" => LegalPage::Terms,
        _ => {
            let detail = "There are two such pages: privacy and terms.";
            return Err(AppError::new(ErrorCode::NotFound, detail));
        }
    };
    Ok(respond::ok(app.legal.text(page)))
}
