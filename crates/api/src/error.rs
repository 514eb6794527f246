//! The one error of handlers: what the caller is told, and apart from it the cause, which only the log sees.

use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header};
use cerebros_common::{
    chat::{WireError, WireErrorBody},
    errors::{ErrorCode, FieldError, Problem},
};
use cerebros_db::DbError;
use cerebros_queue::{QueueError, TaskError};
use std::fmt;

/// Printed, it shows what the caller is told; never the cause.
#[derive(Debug)]
pub struct AppError {
    pub code: ErrorCode,
    pub detail: String,
    pub details: Vec<FieldError>,
    cause: Option<anyhow::Error>,
    header: Option<(header::HeaderName, String)>,
}

pub type AppResult<T = HttpResponse> = Result<T, AppError>;

impl AppError {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            details: Vec::new(),
            cause: None,
            header: None,
        }
    }

    /// One field is at fault.
    pub fn field(path: &str, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::fields(vec![FieldError {
            path: path.to_owned(),
            code: code.to_owned(),
            message,
        }])
    }

    pub fn fields(details: Vec<FieldError>) -> Self {
        let detail = details
            .iter()
            .map(|field| format!("`{}` {}.", field.path, field.message.trim_end_matches('.')))
            .collect::<Vec<_>>();
        Self {
            details,
            ..Self::new(ErrorCode::InvalidRequest, detail.join(" "))
        }
    }

    /// Names the field that the whole error is about.
    pub fn about(mut self, path: &str, code: &str) -> Self {
        let field = FieldError {
            path: path.to_owned(),
            code: code.to_owned(),
            message: self.detail.clone(),
        };
        self.details.push(field);
        self
    }

    pub fn not_found(noun: &str) -> Self {
        let detail = match noun {
            "workspace" => "There is no such workspace, or you are not a member of it.".to_owned(),
            _ => format!("There is no such {noun} in this workspace."),
        };
        Self::new(ErrorCode::NotFound, detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, detail)
    }

    pub fn unavailable(detail: impl Into<String>, retry_after_s: u32) -> Self {
        Self::new(ErrorCode::Unavailable, detail).retry_after(retry_after_s)
    }

    /// Says when to try again.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.header = Some((header::RETRY_AFTER, seconds.to_string()));
        self
    }

    /// Another method would have been answered.
    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let detail = format!("{method} is not allowed here. Allowed: {allowed}.");
        Self {
            header: Some((header::ALLOW, allowed.to_owned())),
            ..Self::new(ErrorCode::MethodNotAllowed, detail)
        }
    }

    /// A fault of the server. The caller gets a constant sentence.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let detail = "Try again. If it stays, tell the operator the request id.";
        Self {
            cause: Some(cause.into()),
            ..Self::new(ErrorCode::Internal, detail)
        }
    }

    /// The database failed: a deadlock and a full disk are told apart.
    fn of_database(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let told = if says(&error, DEADLOCK) {
            let detail = "Two changes got into each other's way, and this one was not made. Send it again.";
            Self::unavailable(detail, 1)
        } else if says(&error, DISK_FULL) {
            let detail = "Nothing was stored. Free some space on the server and try again.";
            Self::new(ErrorCode::StorageFull, detail)
        } else {
            return Self::internal(error);
        };
        Self {
            cause: Some(error.into()),
            ..told
        }
    }

    /// A failed read or write of a file: a full disk is told apart.
    pub fn io(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            let detail = "Nothing was stored. Free some space on the server and send it again.";
            return Self {
                cause: Some(error.into()),
                ..Self::new(ErrorCode::StorageFull, detail)
            };
        }
        Self::internal(error)
    }

    fn log(&self) {
        match (&self.cause, self.code.status() >= 500) {
            (Some(cause), true) => tracing::error!(error.code = ?self.code, error.cause = ?cause, "request failed"),
            (Some(cause), false) => tracing::info!(error.code = ?self.code, error.cause = ?cause, "request refused"),
            (None, _) => tracing::debug!(error.code = ?self.code, "request refused"),
        }
    }

    /// As a problem document, for the native API.
    pub fn problem_response(&self, request_id: &str) -> HttpResponse {
        self.log();
        let problem = Problem {
            kind: format!("urn:cerebros:error:{}", self.code_name()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            detail: self.detail.clone(),
            error: self.code,
            details: self.details.clone(),
            request_id: request_id.to_owned(),
        };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        self.builder().content_type("application/problem+json").body(body)
    }

    /// As OpenAI words errors.
    pub fn wire_response(&self) -> HttpResponse {
        self.log();
        let kind = match self.code.status() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let body = WireError {
            error: WireErrorBody {
                message: self.detail.clone(),
                kind: kind.to_owned(),
                param: self.details.first().map(|field| field.path.clone()),
                code: Some(match self.code {
                    ErrorCode::Unauthenticated => "invalid_api_key".to_owned(),
                    _ => self
                        .details
                        .first()
                        .map_or_else(|| self.code_name(), |field| field.code.clone()),
                }),
            },
        };
        self.builder().json(body)
    }

    fn builder(&self) -> actix_web::HttpResponseBuilder {
        let mut builder = HttpResponse::build(self.status_code());
        if let Some((name, value)) = &self.header {
            builder.insert_header((name.clone(), value.as_str()));
        }
        if self.code.status() == 401 {
            builder.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        builder
    }

    pub fn code_name(&self) -> String {
        match serde_json::to_value(self.code) {
            Ok(serde_json::Value::String(name)) => name,
            _ => "internal".to_owned(),
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.detail)
    }
}

impl std::error::Error for AppError {}

/// The surface decides the envelope: `crate::respond::envelope` turns this into its final form.
impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.problem_response("")
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound(noun) => Self::not_found(noun),
            DbError::SourceDeleted => Self::new(
                ErrorCode::SourceDeleted,
                "This model learned from something that was deleted, so it answers no more. Train a new one, or choose \
                 another.",
            ),
            DbError::Conflict(detail) => Self::conflict(detail),
            DbError::Forbidden(detail) => Self::new(ErrorCode::Forbidden, detail),
            DbError::Stale { noun, current } => Self::new(
                ErrorCode::StaleVersion,
                format!(
                    "The {noun} is at version {current} by now. Read it again, then send your change with its ETag."
                ),
            ),
            DbError::Corrupt(..) | DbError::Fault(_) | DbError::Sql(_) => Self::of_database(error),
        }
    }
}

impl From<QueueError> for AppError {
    fn from(error: QueueError) -> Self {
        Self::of_database(error)
    }
}

/// What fails for a request is worth another attempt for a task.
impl From<AppError> for TaskError {
    fn from(error: AppError) -> Self {
        if let Some(cause) = &error.cause {
            tracing::warn!(error.cause = ?cause, "a task failed");
        }
        Self::retry(error.detail)
    }
}

/// PostgreSQL's words for two transactions that wait for each other.
const DEADLOCK: &[&str] = &["deadlock detected"];

/// SQLite's result code 13 and PostgreSQL's class 53100.
const DISK_FULL: &[&str] = &["(code: 13)", "No space left on device"];

/// Whether the error, or what caused it, holds one of the texts.
fn says(error: &(dyn std::error::Error + 'static), texts: &[&str]) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        let said = error.to_string();
        if texts.iter().any(|text| said.contains(text)) {
            return true;
        }
        source = error.source();
    }
    false
}
