//! What a server tells everybody about itself.

use crate::{
    error::{AppError, AppResult},
    mail::Mailer,
    respond,
    state::App,
};
use actix_web::{get, web};
use cerebros_common::{
    accounts::{OutboxMails, ServerFacts},
    errors::ErrorCode,
    wire::Envelope,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(find_server).service(list_outbox);
}

/// What to expect of this server
#[utoipa::path(
    tag = "server",
    responses((status = 200, description = "Whether it sends mail, has a vLLM server, and how large files may be", body = Envelope<ServerFacts>)),
)]
#[get("/server")]
async fn find_server(app: web::Data<App>) -> AppResult {
    Ok(respond::ok(ServerFacts {
        mail: matches!(app.mailer, Some(Mailer::Smtp(_))),
        outbox: matches!(app.mailer, Some(Mailer::Outbox(_))),
        vllm: app.vllm.is_some(),
        max_document_bytes: app.config.max_document_bytes,
        max_dataset_bytes: app.config.max_dataset_bytes,
    }))
}

/// Mail that a server on trial keeps in memory
///
/// Only with `OUTBOX=1`, on one's own machine.
#[utoipa::path(
    tag = "server",
    responses((status = 200, description = "The newest 100, newest first", body = Envelope<OutboxMails>)),
)]
#[get("/outbox")]
async fn list_outbox(app: web::Data<App>) -> AppResult {
    match &app.mailer {
        Some(Mailer::Outbox(outbox)) => Ok(respond::ok(OutboxMails { items: outbox.list() })),
        _ => Err(AppError::new(
            ErrorCode::NotFound,
            "This server keeps no mail to read here.",
        )),
    }
}
