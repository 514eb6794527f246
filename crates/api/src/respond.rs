//! Successful answers of the native API, and the envelope of every error by surface.

use crate::{error::AppError, limits};
use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
};
use cerebros_common::{errors::ErrorCode, wire::Envelope};
use serde::Serialize;
use tracing_actix_web::RequestId;

pub fn ok<T: Serialize>(data: T) -> HttpResponse {
    HttpResponse::Ok().json(Envelope::new(data))
}

/// With the version that `If-Match` takes.
pub fn ok_versioned<T: Serialize>(data: T, version: i64) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ETAG, etag(version)))
        .json(Envelope::new(data))
}

pub fn created<T: Serialize>(location: String, data: T) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .json(Envelope::new(data))
}

pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Whether a path belongs to OpenAI's wire.
pub fn is_wire(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Whether a path belongs to the API, native or OpenAI's.
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || is_wire(path)
}

/// Gives every error, the framework's own included, the envelope of its surface, and every answer its request id.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let wire = is_wire(request.path());
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(ToString::to_string)
        .unwrap_or_default();
    // A refused request comes as an answer too: middleware further in answers instead of failing.
    let response = next.call(request).await?.map_into_boxed_body();
    let (http_request, response) = response.into_parts();
    let mut response = if response.status().is_client_error() || response.status().is_server_error() {
        rewritten(response, wire, &request_id)
    } else {
        response
    };
    if let Ok(value) = header::HeaderValue::from_str(&request_id) {
        response
            .headers_mut()
            .insert(header::HeaderName::from_static("x-request-id"), value);
    }
    limits::write_headers(&http_request, response.headers_mut());
    Ok(ServiceResponse::new(http_request, response))
}

fn rewritten(response: HttpResponse, wire: bool, request_id: &str) -> HttpResponse {
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
