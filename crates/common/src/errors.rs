//! What a refused request says.

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = ($status:literal, $title:literal)),+ $(,)?) => {
        /// The closed set of error codes. Each has one status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $($(#[$doc])* $name),+ }

        impl ErrorCode {
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),+];

            pub fn status(self) -> u16 {
                match self { $(ErrorCode::$name => $status),+ }
            }

            pub fn title(self) -> &'static str {
                match self { $(ErrorCode::$name => $title),+ }
            }
        }
    };
}

error_codes!(
    /// The body, a path parameter or a query parameter is not as documented; `details` names each field.
    InvalidRequest = (400, "The request is not valid"),
    /// The body is not JSON or breaks off.
    MalformedBody = (400, "The body cannot be read"),
    /// No session and no API key, or one that no longer counts.
    Unauthenticated = (401, "Sign in or send an API key"),
    /// The link was used, has expired, or is not from here.
    InvalidLink = (400, "This link does not work any more"),
    /// The e-mail address and password do not belong together.
    WrongCredentials = (401, "E-mail address or password is wrong"),
    /// The role in this workspace does not allow it.
    Forbidden = (403, "Your role does not allow this"),
    /// The API key has not the scope for it.
    MissingScope = (403, "This key may not do that"),
    /// A browser on another site sent the request.
    CrossSite = (403, "The request came from another site"),
    /// It does not exist, or belongs to another workspace.
    NotFound = (404, "Not found"),
    MethodNotAllowed = (405, "This method is not allowed here"),
    /// The body arrived too slowly.
    RequestTimeout = (408, "The request took too long to arrive"),
    /// The state of a resource does not allow this now.
    Conflict = (409, "That is not possible now"),
    /// The same `Idempotency-Key` is being worked on; ask again for its answer.
    InFlight = (409, "This request is being worked on"),
    /// The model learned from something that was deleted.
    SourceDeleted = (409, "What this learned from was deleted"),
    /// An account with this address exists.
    EmailTaken = (409, "This e-mail address has an account"),
    /// `If-Match` names an older version.
    StaleVersion = (412, "Somebody changed it first"),
    PayloadTooLarge = (413, "Too large"),
    UnsupportedMediaType = (415, "This kind of content is not taken here"),
    /// The `Idempotency-Key` belongs to another request.
    IdempotencyKeyReused = (422, "This key was used for another request"),
    /// `If-Match` is missing.
    PreconditionRequired = (428, "Say which version you change"),
    TooManyRequests = (429, "Too many requests"),
    /// A fault of the server; the cause is in its log under the request id.
    Internal = (500, "Something went wrong on the server"),
    /// This server sends no mail: its operator has not set it up.
    MailUnavailable = (409, "This server sends no mail"),
    /// Try again after `Retry-After`.
    Unavailable = (503, "Not available right now"),
    /// The server's disk is full; nothing was stored.
    StorageFull = (507, "The server's disk is full"),
);

/// RFC 9457 problem document (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI that identifies the kind of problem: `urn:cerebros:error:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// One or two sentences: what was wrong and what to do.
    pub detail: String,
    pub error: ErrorCode,
    /// Empty unless single fields are at fault.
    #[serde(default)]
    pub details: Vec<FieldError>,
    /// Stands in the server's log and in the `X-Request-Id` header.
    pub request_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Dotted path in the body (`parameters.rank`), or the name of the parameter.
    pub path: String,
    /// `unknown`, `type`, `length`, `range`, `blank`, ...
    pub code: String,
    pub message: String,
}
