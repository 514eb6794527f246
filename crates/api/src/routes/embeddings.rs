//! Texts as vectors, on OpenAI's wire.

use crate::{
    chat::{self, asked::Asked},
    embeddings,
    error::AppResult,
    extract::{self, Chatter},
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, post, web};
use cerebros_common::embeddings::{EmbeddingList, EmbeddingRequest};
use utoipa_actix_web::service_config::ServiceConfig;

/// 300,000 token ids and the commas between them.
const MAX_BYTES: usize = 3 * 1024 * 1024;

pub fn configure(config: &mut ServiceConfig) {
    config.service(create_embedding);
}

/// Make vectors of texts
///
/// A vector is the mean over the tokens of the model's last hidden states, after the final norm, scaled to length 1: the
/// dot product of two is their cosine.
#[utoipa::path(
    tag = "openai",
    request_body = EmbeddingRequest,
    responses((status = 200, description = "A vector for each input", body = EmbeddingList)),
)]
#[post("/embeddings")]
async fn create_embedding(
    app: web::Data<App>,
    http: HttpRequest,
    Chatter(scope): Chatter,
    payload: web::Payload,
) -> AppResult {
    let bytes = extract::read_json_up_to(MAX_BYTES, &http, payload.into_inner()).await?;
    let request: EmbeddingRequest = extract::parse_json(&bytes)?;
    let target = chat::resolve(&app, &scope, &request.model).await?;
    let question = embeddings::question(&request, &target, &scope)?;
    let asked = Asked::now(app.into_inner(), scope, &target);
    let list = embeddings::embed(&asked, &http, question, request).await?;
    Ok(HttpResponse::Ok().json(list))
}
