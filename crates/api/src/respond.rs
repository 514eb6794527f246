//! Successful answers of the native API, and the envelope of every error by surface.

use crate::{error::AppError, headers::RequestId, limits, origins};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, ContentType},
    },
    middleware::Next,
};
use cerebros_common::{errors::ErrorCode, wire::Envelope};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub fn ok<T: Serialize>(data: T) -> HttpResponse {
    HttpResponse::Ok().json(Envelope::new(data))
}

/// With the version that `If-Match` takes.
pub fn ok_versioned<T: Serialize>(data: T, version: i64) -> HttpResponse {
    let body = serde_json::to_vec(&Envelope::new(data)).unwrap_or_default();
    HttpResponse::Ok()
        .insert_header((header::ETAG, etag(version, &body)))
        .content_type(ContentType::json())
        .body(body)
}

pub fn created<T: Serialize>(location: String, data: T) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .json(Envelope::new(data))
}

pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// The version, and a hash: some of what a resource shows, such as counts, changes without a new version.
pub fn etag(version: i64, body: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(body));
    format!("\"{version}-{}\"", &hash[..16])
}

/// Whether the caller has this very answer.
fn is_known(request: &HttpRequest, response: &HttpResponse) -> bool {
    let Some(etag) = response
        .headers()
        .get(header::ETAG)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    request.method() == Method::GET
        && response.status() == StatusCode::OK
        && known.any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

fn not_modified(response: HttpResponse) -> HttpResponse {
    let mut short = HttpResponse::NotModified();
    for name in [header::ETAG, header::CACHE_CONTROL, header::VARY] {
        if let Some(value) = response.headers().get(&name) {
            short.insert_header((name, value.clone()));
        }
    }
    short.finish()
}

/// Whether a path belongs to OpenAI's wire.
pub fn is_wire(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Whether a path belongs to the API, native or OpenAI's.
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || is_wire(path)
}

/// Gives every error, the framework's own included, the envelope of its surface, and every answer the headers that depend
/// on who asks.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let wire = is_wire(request.path());
    let request_id = RequestId::text(&request);
    // A refused request comes as an answer too: middleware further in answers instead of failing.
    let response = next.call(request).await?.map_into_boxed_body();
    let (http_request, response) = response.into_parts();
    let mut response = if response.error().is_some() {
        rewritten(response, wire, &request_id)
    } else if is_known(&http_request, &response) {
        not_modified(response)
    } else {
        response
    };
    origins::write_headers(&http_request, response.headers_mut());
    limits::write_headers(&http_request, response.headers_mut());
    Ok(ServiceResponse::new(http_request, response))
}

pub fn rewritten(response: HttpResponse, wire: bool, request_id: &str) -> HttpResponse {
    let respond = |error: &AppError| {
        if wire {
            error.wire_response()
        } else {
            error.problem_response(request_id)
        }
    };
    if let Some(error) = response.error() {
        if let Some(error) = error.as_error::<AppError>() {
            return respond(error);
        }
        let status = response.status().as_u16();
        let code = match status {
            405 => ErrorCode::MethodNotAllowed,
            413 => ErrorCode::PayloadTooLarge,
            415 => ErrorCode::UnsupportedMediaType,
            404 => ErrorCode::NotFound,
            400..500 => ErrorCode::InvalidRequest,
            _ => ErrorCode::Internal,
        };
        if code == ErrorCode::Internal {
            return respond(&AppError::internal(anyhow::anyhow!("{error}")));
        }
        return respond(&AppError::new(code, format!("{error}.")));
    }
    response
}
