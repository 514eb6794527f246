//! The built browser app, and what answers where no operation does.

use crate::{error::AppError, openapi::Routes, respond};
use actix_web::{HttpRequest, HttpResponse, http::Method, http::header, web};
use cerebros_common::errors::ErrorCode;
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "../../frontend/dist"]
#[allow_missing = true]
struct Dist;

const NO_APP: &str = "<!doctype html><html lang=\"en\"><title>Cerebros</title><h1>Cerebros</h1>\
<p>The server runs, but this build holds no browser app. <code>npx --yes rust-just run</code> builds both. \
The API is at <a href=\"/docs/\">/docs</a>.</p></html>";

/// Assets by name; the app's page for navigations; otherwise 404, or 405 where another method would be answered.
pub async fn fallback(request: HttpRequest, routes: web::Data<Routes>) -> Result<HttpResponse, AppError> {
    let path = request.path();
    if respond::is_api(path) {
        let allowed = routes.methods_of(path);
        if allowed.is_empty() {
            return Err(AppError::new(
                ErrorCode::NotFound,
                "There is no such operation. `/docs` lists all of them.",
            ));
        }
        return Err(AppError::method_not_allowed(
            request.method().as_str(),
            &allowed.join(", "),
        ));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(AppError::method_not_allowed(request.method().as_str(), "GET, HEAD"));
    }
    let name = path.trim_start_matches('/');
    if !name.is_empty()
        && let Some(file) = Dist::get(name)
    {
        let caching = if name.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        return Ok(HttpResponse::Ok()
            .content_type(mime_guess::from_path(name).first_or_octet_stream().as_ref())
            .insert_header((header::CACHE_CONTROL, caching))
            .insert_header((
                header::ETAG,
                format!("\"{}\"", hex::encode(file.metadata.sha256_hash())),
            ))
            .body(file.data.into_owned()));
    }
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !wants_page && !name.is_empty() {
        return Ok(HttpResponse::NotFound().content_type("text/plain").body("not found\n"));
    }
    let page = match Dist::get("index.html") {
        Some(file) => file.data.into_owned(),
        None => NO_APP.as_bytes().to_vec(),
    };
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(page))
}
