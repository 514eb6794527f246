//! Which pages may talk to the API: this site's own with its cookie, those of `CORS_ORIGINS` with an API key.

use crate::{
    error::{AppError, AppResult},
    extract, respond,
};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use cerebros_common::errors::ErrorCode;

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id";
const EXPOSED: &str = "ETag, Idempotency-Replayed, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, \
Retry-After, X-Request-Id";
const PREFLIGHT_KEPT_S: &str = "600";

/// Answers preflights of listed origins, and refuses changes that a browser sends on behalf of any other site. Scripts
/// send no `Origin`.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let listed = listed_origin(request.request()).is_some();
    if listed {
        // Only an API key speaks for a person on another site.
        request.headers_mut().remove(header::COOKIE);
    }
    if listed && request.method() == Method::OPTIONS && has(&request, header::ACCESS_CONTROL_REQUEST_METHOD) {
        return Ok(request.into_response(preflight()));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let trusted = safe || listed && extract::bearer(request.request()).is_some();
    if !trusted && is_cross_site(request.request())? {
        let detail = "Browsers may change things only from this site's own pages.";
        let error = AppError::new(ErrorCode::CrossSite, detail);
        // The error must stay in the answer: its envelope is made further out.
        let (request, _) = request.into_parts();
        return Ok(ServiceResponse::new(request, HttpResponse::from_error(error)));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// What lets a listed origin's page read the answer.
pub fn write_headers(request: &HttpRequest, headers: &mut HeaderMap) {
    let lists_some = extract::app(request).is_ok_and(|app| !app.config.cors_origins.is_empty());
    if !lists_some || !respond::is_api(request.path()) {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = listed_origin(request) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_KEPT_S))
        .finish()
}

/// The origin of a page that may call the API from elsewhere.
fn listed_origin(request: &HttpRequest) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    let listed = &extract::app(request).ok()?.config.cors_origins;
    let known = respond::is_api(request.path()) && listed.iter().any(|listed| listed.as_bytes() == origin.as_bytes());
    known.then(|| origin.clone())
}

fn has(request: &ServiceRequest, name: HeaderName) -> bool {
    request.headers().contains_key(name)
}

fn is_cross_site(request: &HttpRequest) -> AppResult<bool> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    Ok(match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            let own = match &extract::app(request)?.config.public_url {
                Some(url) => url.origin().ascii_serialization(),
                None => format!("http://{host}"),
            };
            origin != own
        }
        (None, None) => false,
    })
}
