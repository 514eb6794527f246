//! Probes for operators.

use crate::state::App;
use actix_web::{HttpResponse, web};

/// The process answers.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The process can work: its database answers and it is not stopping.
pub async fn readyz(app: web::Data<App>) -> HttpResponse {
    if app.shutdown.is_cancelled() {
        return HttpResponse::ServiceUnavailable()
            .content_type("text/plain")
            .body("stopping\n");
    }
    match app.db.ping().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(error) => {
            tracing::warn!(error = ?error, "the database does not answer");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .body("the database does not answer\n")
        }
    }
}
