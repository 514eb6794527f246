//! What every answer carries, whatever answers: its request id and the headers that bind browsers.

use crate::{config::S3Config, extract, respond};
use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
};
use uuid::Uuid;

const CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'self'; \
base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Swagger UI brings inline style.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A picture that may stand in a page or alone: its own styles, and nothing else.
const PICTURE_CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
frame-ancestors 'none'; sandbox";
/// Mermaid brings inline style; nothing that it draws loads or sends anything.
const FRAME_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
const FRAME: &str = "/diagram.html";

/// On every answer. No page needs to tell another site, or this one, where a person came from: links hold tokens.
const ALWAYS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];
const A_YEAR: &str = "max-age=31536000; includeSubDomains";
const MAX_ID_LENGTH: usize = 64;

/// Stands in the log, in errors and in `X-Request-Id`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The caller's own id if it looks like one, else a new one.
    fn of(request: &ServiceRequest) -> Self {
        let sent = request
            .headers()
            .get("x-request-id")
            .and_then(|value| value.to_str().ok());
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let usable = |id: &&str| (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(plain);
        Self(
            sent.filter(usable)
                .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned),
        )
    }

    pub fn text(request: &impl HttpMessage) -> String {
        request
            .extensions()
            .get::<Self>()
            .map(|id| id.0.clone())
            .unwrap_or_default()
    }
}

/// The outermost layer.
pub async fn on_every_answer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId::of(&request);
    let config = &extract::app(request.request())?.config;
    let (https, store) = (config.is_https(), config.s3.as_ref().map(S3Config::origin));
    let path = request.path().to_owned();
    request.extensions_mut().insert(id.clone());
    match next.call(request).await {
        Ok(mut response) => {
            write(response.headers_mut(), &path, &id, https, store);
            Ok(response)
        }
        // A handler that was given up took its request along: there is nothing left to answer with but the error.
        Err(error) => {
            let response = HttpResponse::from_error(error);
            let mut response = respond::rewritten(response, respond::is_wire(&path), &id.0);
            write(response.headers_mut(), &path, &id, https, store);
            Err(InternalError::from_response("given up", response).into())
        }
    }
}

fn policy(path: &str) -> &'static str {
    let picture = path.starts_with("/api/v1/diagrams/") || path.starts_with("/api/v1/shared/");
    match path {
        "/docs" => DOCS_CSP,
        FRAME => FRAME_CSP,
        _ if path.starts_with("/docs/") => DOCS_CSP,
        _ if picture && path.ends_with("/svg") => PICTURE_CSP,
        _ => CSP,
    }
}

/// `store`: where browsers send files, if not here.
fn write(headers: &mut HeaderMap, path: &str, id: &RequestId, https: bool, store: Option<String>) {
    let mut set = |name, value| headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    for (name, value) in ALWAYS {
        set(name, value);
    }
    let policy = policy(path);
    set("content-security-policy", policy);
    if let Some(store) = store.filter(|_| policy == CSP)
        && let Ok(csp) =
            HeaderValue::from_str(&CSP.replace("connect-src 'self'", &format!("connect-src 'self' {store}")))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    let mut set = |name, value| headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    if https {
        set("strict-transport-security", A_YEAR);
    }
    if respond::is_api(path) && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}
