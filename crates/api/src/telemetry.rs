//! Logs. A request's span carries method, route pattern and request id: never path, query, body or address.

use crate::headers::RequestId;
use actix_web::{Error, body::MessageBody, dev::ServiceRequest, dev::ServiceResponse};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;
use tracing_subscriber::EnvFilter;

/// Writes logs to stderr: `LOG` filters (default `info`), `LOG_FORMAT=json` makes them JSON lines.
///
/// # Errors
/// Names the variable that cannot be used.
pub fn init() -> anyhow::Result<()> {
    let filter = std::env::var("LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| anyhow::anyhow!("LOG is `{filter}`: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match std::env::var("LOG_FORMAT").as_deref() {
        Err(_) | Ok("" | "text") => builder.init(),
        Ok("json") => builder.json().init(),
        Ok(other) => anyhow::bail!("LOG_FORMAT is `{other}`, but must be text or json"),
    }
    Ok(())
}

pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let request_id = RequestId::text(request);
        let route = request.match_pattern().unwrap_or_default();
        tracing::info_span!(
            "request",
            http.method = %request.method(),
            http.route = route,
            http.status = tracing::field::Empty,
            request.id = request_id,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status", status.as_u16());
        let _entered = span.enter();
        tracing::debug!("answered");
    }
}
