//! Extractors: who asks and in which workspace, and input that is checked as it is read.

use crate::{
    address::address_of,
    auth, deadlines,
    error::{AppError, AppResult},
    limits,
    state::App,
    uses::{self, Used},
};
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Method, header},
    web,
};
use cerebros_common::{
    accounts::User,
    api_keys::KeyScope,
    errors::{ErrorCode, FieldError},
    ids::{SessionId, WorkspaceId},
    workspaces::Role,
};
use cerebros_db::{Actor, Scope, api_keys, sessions, workspaces};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use std::ops::Deref;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

const MAX_JSON_BYTES: usize = 1024 * 1024;

/// Who is signed in in this browser.
pub struct SignedIn {
    pub user: User,
    pub session_id: SessionId,
}

/// Whom the request acts for, with which role, and what its key may do; a browser may do all that the role allows.
#[derive(Debug, Clone)]
pub struct Caller {
    pub scope: Scope,
    pub role: Role,
    pub scopes: Vec<KeyScope>,
    /// When the session or key stops being one.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Caller {
    /// # Errors
    /// 403 that names the role or the key's scope that is missing.
    pub fn require(&self, least: Role, scope: KeyScope) -> AppResult<()> {
        if self.role < least {
            let (least, role) = (least.name(), self.role.name());
            let detail = format!("This takes the role {least} or above in the workspace; yours is {role}.");
            return Err(AppError::new(ErrorCode::Forbidden, detail));
        }
        if !self.scopes.contains(&scope) {
            let scope = scope.name();
            let detail = format!("This takes an API key with the scope {scope}. Make one that has it.");
            return Err(AppError::new(ErrorCode::MissingScope, detail));
        }
        Ok(())
    }
}

impl Caller {
    /// The same caller in a workspace that the path or body names. A key stays in its own.
    ///
    /// # Errors
    /// 404 for whoever is no member there.
    pub async fn within(&self, app: &App, workspace_id: WorkspaceId) -> AppResult<Self> {
        if workspace_id == self.scope.workspace_id {
            return Ok(self.clone());
        }
        let role = match self.scope.actor {
            Actor::User(id) => workspaces::find_role_unscoped(&app.db, id, workspace_id).await?,
            Actor::ApiKey(..) | Actor::System => None,
        };
        let actor = self.scope.actor;
        Ok(Self {
            scope: Scope { workspace_id, actor },
            role: role.ok_or_else(|| AppError::not_found("workspace"))?,
            scopes: self.scopes.clone(),
            ends_at: self.ends_at,
        })
    }
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident => ($role:expr, $scope:expr)),+ $(,)?) => {$(
        $(#[$doc])*
        pub struct $name(pub Scope);

        impl FromRequest for $name {
            type Error = AppError;
            type Future = LocalBoxFuture<'static, AppResult<Self>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move {
                    let caller = authenticate(&request).await?;
                    let scope: Option<KeyScope> = $scope;
                    caller.require($role, scope.unwrap_or_else(|| usual_scope(request.method())))?;
                    Ok(Self(caller.scope))
                })
            }
        }
    )+};
}

// The least role, and the scope that a key needs: without one named, `read` or `write` by the method.
roles!(
    /// May read.
    Viewer => (Role::Viewer, None),
    /// May also leave. Who may remove others is decided where the members are locked.
    Leaver => (Role::Viewer, Some(KeyScope::Admin)),
    /// May also ask assistants and models.
    Chatter => (Role::Viewer, Some(KeyScope::Chat)),
    /// May also judge examples.
    Reviewer => (Role::Reviewer, None),
    /// May also create, change and delete.
    Editor => (Role::Editor, None),
    /// May also start and stop training.
    Trainer => (Role::Editor, Some(KeyScope::Train)),
    /// May also manage members and API keys.
    Admin => (Role::Admin, Some(KeyScope::Admin)),
    /// May also give the workspace away or delete it.
    Owner => (Role::Owner, Some(KeyScope::Admin)),
);

fn usual_scope(method: &Method) -> KeyScope {
    if matches!(*method, Method::GET | Method::HEAD) {
        KeyScope::Read
    } else {
        KeyScope::Write
    }
}

/// Finds out who asks, and notes that they did.
pub async fn authenticate(request: &HttpRequest) -> AppResult<Caller> {
    let (caller, used) = identify(request).await?;
    note_use(request, used);
    Ok(caller)
}

/// Finds out whether who asked at first may still do so.
pub async fn look_again(request: &HttpRequest) -> AppResult<Caller> {
    Ok(identify(request).await?.0)
}

/// An API key wins over a cookie.
async fn identify(request: &HttpRequest) -> AppResult<(Caller, Option<Used>)> {
    if let Some(key) = bearer(request) {
        let found = by_api_key(request, key).await?;
        // A key reaches its own workspace alone.
        return match workspace_of_path(request)? {
            Some(id) if id != found.0.scope.workspace_id => Err(AppError::not_found("workspace")),
            _ => Ok(found),
        };
    }
    let session = present_session(request).await?;
    let db = &app(request)?.db;
    let workspace_id = match named_workspace(request)? {
        Some(id) => id,
        None => workspaces::find_personal_unscoped(db, session.user.id)
            .await?
            .ok_or_else(|| AppError::not_found("workspace"))?,
    };
    let role = workspaces::find_role_unscoped(db, session.user.id, workspace_id)
        .await?
        .ok_or_else(|| AppError::not_found("workspace"))?;
    let caller = Caller {
        scope: Scope {
            workspace_id,
            actor: Actor::User(session.user.id),
        },
        role,
        scopes: KeyScope::ALL.to_vec(),
        ends_at: Some(session.ends_at),
    };
    Ok((caller, session.note_use.then_some(Used::Session(session.id))))
}

async fn by_api_key(request: &HttpRequest, key: &str) -> AppResult<(Caller, Option<Used>)> {
    let wrong = || {
        AppError::new(
            ErrorCode::Unauthenticated,
            "The API key is not known here, has expired, or was revoked.",
        )
    };
    if !auth::is_api_key(key) {
        return Err(wrong());
    }
    let found = api_keys::authenticate_unscoped(&app(request)?.db, &auth::digest(key)).await?;
    let key = found.ok_or_else(wrong)?;
    limits::by_caller(request, key.id.0)?;
    let caller = Caller {
        scope: key.scope,
        role: key.role,
        scopes: key.scopes,
        ends_at: key.ends_at,
    };
    Ok((caller, key.note_use.then_some(Used::Key(key.id))))
}

async fn present_session(request: &HttpRequest) -> AppResult<sessions::Presented> {
    let nobody = || {
        AppError::new(
            ErrorCode::Unauthenticated,
            "Sign in, or send an API key as a bearer token.",
        )
    };
    let app = app(request)?;
    let cookie = request.cookie(auth::SESSION_COOKIE).ok_or_else(nobody)?;
    let found = sessions::find_unscoped(&app.db, &auth::digest(cookie.value()), app.config.session_idle()).await?;
    let session = found.ok_or_else(nobody)?;
    limits::by_caller(request, session.user.id.0)?;
    Ok(session)
}

fn note_use(request: &HttpRequest, used: Option<Used>) {
    let app = request.app_data::<web::Data<App>>();
    if let (Some(used), Some(app)) = (used, app) {
        uses::note(app.clone().into_inner(), used, address_of(request).to_string());
    }
}

impl FromRequest for Caller {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await })
    }
}

impl FromRequest for SignedIn {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let session = present_session(&request).await?;
            note_use(&request, session.note_use.then_some(Used::Session(session.id)));
            Ok(Self {
                user: session.user,
                session_id: session.id,
            })
        })
    }
}

pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The workspace of a path below `/workspaces/{id}`.
fn workspace_of_path(request: &HttpRequest) -> AppResult<Option<WorkspaceId>> {
    let below = |pattern: &str| pattern.starts_with("/api/v1/workspaces/{id}");
    if !request.match_pattern().as_deref().is_some_and(below) {
        return Ok(None);
    }
    let id = request.match_info().get("id").and_then(|text| text.parse().ok());
    id.map(Some)
        .ok_or_else(|| AppError::field("id", "type", "must be a UUID"))
}

/// The path, else `X-Workspace-Id`, else `workspace_id` in the query for what cannot send headers.
fn named_workspace(request: &HttpRequest) -> AppResult<Option<WorkspaceId>> {
    if let Some(id) = workspace_of_path(request)? {
        return Ok(Some(id));
    }
    let invalid = |path: &str| AppError::field(path, "type", "must be the id of a workspace");
    if let Some(value) = request.headers().get("x-workspace-id") {
        let id = value.to_str().ok().and_then(|text| text.parse().ok());
        return id.map(Some).ok_or_else(|| invalid("X-Workspace-Id"));
    }
    let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    match pairs.find(|(name, _)| name == "workspace_id") {
        Some((_, value)) => value.parse().map(Some).map_err(|_| invalid("workspace_id")),
        None => Ok(None),
    }
}

pub fn app(request: &HttpRequest) -> AppResult<&App> {
    match request.app_data::<web::Data<App>>() {
        Some(app) => Ok(app.get_ref()),
        None => Err(AppError::internal(anyhow::anyhow!("the application state is missing"))),
    }
}

/// A JSON body: known fields only, right types, within bounds.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Validate + 'static> FromRequest for Body<T> {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, AppResult<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let bytes = read_json_body(&request, payload).await?;
            let value: T = parse_json(&bytes)?;
            validate(&value)?;
            Ok(Self(value))
        })
    }
}

/// Reads a body that says it is JSON, up to 1 MiB.
pub async fn read_json_body(request: &HttpRequest, payload: Payload) -> AppResult<Vec<u8>> {
    read_json_up_to(MAX_JSON_BYTES, request, payload).await
}

/// Reads a body that says it is JSON.
pub async fn read_json_up_to(max_bytes: usize, request: &HttpRequest, payload: Payload) -> AppResult<Vec<u8>> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "Send the body as JSON, with `Content-Type: application/json`.";
        return Err(AppError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let limit = app(request)?.config.deadlines.body;
    deadlines::arrival(limit, read_bounded(payload, max_bytes)).await?
}

async fn read_bounded(mut payload: Payload, max_bytes: usize) -> AppResult<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| AppError::new(ErrorCode::MalformedBody, "The body broke off. Send it again."))?;
        if bytes.len() + part.len() > max_bytes {
            let detail = format!("A JSON body may have at most {} MiB here.", max_bytes / (1024 * 1024));
            return Err(AppError::new(ErrorCode::PayloadTooLarge, detail));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Reads a body that says it is an image.
pub async fn read_image(request: &HttpRequest, mut payload: Payload, max_bytes: usize) -> AppResult<Vec<u8>> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("image/") {
        let detail = "Send the image's bytes as the body, with its `Content-Type`, such as `image/png`.";
        return Err(AppError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let (mut bytes, mut received) = (Vec::new(), 0);
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| AppError::new(ErrorCode::MalformedBody, "The body broke off. Send it again."))?;
        received += part.len();
        // Read on for a while: a client that still sends does not listen to the answer.
        if received <= max_bytes {
            bytes.extend_from_slice(&part);
        } else if received > 16 * max_bytes {
            break;
        }
    }
    if received > max_bytes {
        let detail = format!("An image may have at most {} MiB here.", max_bytes / (1024 * 1024));
        return Err(AppError::new(ErrorCode::PayloadTooLarge, detail));
    }
    Ok(bytes)
}

/// Parses JSON; what does not fit the type is told by its path.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> AppResult<T> {
    if holds_nul(bytes) {
        return Err(AppError::field("body", "nul", NO_NUL));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            let path = error.path().to_string();
            let message = without_position(&inner.to_string());
            return field_of(&path, &message);
        }
        let at = format!("line {}, column {}", inner.line(), inner.column());
        AppError::new(ErrorCode::MalformedBody, format!("The body is not valid JSON ({at})."))
    })?;
    deserializer.end().map_err(|_| {
        AppError::new(
            ErrorCode::MalformedBody,
            "Something follows the JSON value in the body.",
        )
    })?;
    Ok(value)
}

/// PostgreSQL's text cannot hold it, and no text of a person does.
const NO_NUL: &str = "must not hold the character U+0000";

/// Whether JSON holds the escape `\u0000`: one whose backslash is not itself escaped.
fn holds_nul(json: &[u8]) -> bool {
    const ESCAPE: &[u8] = b"\\u0000";
    let backslashes_before = |at: usize| json[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
    json.windows(ESCAPE.len())
        .enumerate()
        .any(|(at, window)| window == ESCAPE && backslashes_before(at) % 2 == 0)
}

fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// Names the field of serde's message: an unknown or missing one stands in the message, not in the path.
fn field_of(path: &str, message: &str) -> AppError {
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let inside = |name: &str| {
        // serde_path_to_error already points at an unknown field, but at the parent of a missing one.
        if path == "." || path.is_empty() || path == name || path.ends_with(&format!(".{name}")) {
            if path.ends_with(name) && path != "." {
                path.to_owned()
            } else {
                name.to_owned()
            }
        } else {
            format!("{path}.{name}")
        }
    };
    if message.starts_with("unknown field") {
        return AppError::field(&inside(quoted), "unknown", "is not a known field");
    }
    if message.starts_with("missing field") {
        return AppError::field(&inside(quoted), "missing", "is missing");
    }
    let path = if path == "." { "body" } else { path };
    // Not what it was: that may be a password in the wrong place.
    let message = match message.split_once(", expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        // Of what may be this or that, the type itself says what it has to be.
        None if message.starts_with("must be ") => message.to_owned(),
        None => "does not fit".to_owned(),
    };
    AppError::field(path, "type", message)
}

/// A query string: known parameters only, right types, within bounds.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Validate> FromRequest for Query<T> {
    type Error = AppError;
    type Future = std::future::Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(parse_query(request.query_string()).map(Self))
    }
}

fn parse_query<T: DeserializeOwned + Validate>(query: &str) -> AppResult<T> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    if let Some((name, _)) = pairs.clone().find(|(_, value)| value.contains('\0')) {
        return Err(AppError::field(&name, "nul", NO_NUL));
    }
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    let value: T = serde_path_to_error::deserialize(deserializer)
        .map_err(|error| field_of(&error.path().to_string(), &error.inner().to_string()))?;
    validate(&value)?;
    Ok(value)
}

/// One id in the path.
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Id<T> {
    type Error = AppError;
    type Future = std::future::Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let id = web::Path::<T>::from_request(request, payload).into_inner();
        std::future::ready(match id {
            Ok(id) => Ok(Self(id.into_inner())),
            Err(_) => Err(AppError::field("id", "type", "must be a UUID")),
        })
    }
}

/// [`IfMatch`] in the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// The resource's `ETag`, or `*` for whatever version there is.
    #[expect(dead_code, reason = "only its description is used")]
    #[param(rename = "If-Match", pattern = r#"^((W/)?"\d+(-[0-9a-f]{16})?"|\*)$"#, example = "*")]
    if_match: String,
}

/// What `respond::envelope` honours, in the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfNoneMatchHeader {
    /// An `ETag` that you have. If nothing changed since, the answer is 304 without a body.
    #[expect(dead_code, reason = "only its description is used")]
    #[param(rename = "If-None-Match", required = false, max_length = 1000)]
    if_none_match: Option<String>,
}

/// The version that a change builds on; `*` takes any.
pub struct IfMatch(pub Option<i64>);

impl FromRequest for IfMatch {
    type Error = AppError;
    type Future = std::future::Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get(header::IF_MATCH) else {
            let detail = "Send the resource's ETag in `If-Match`, so that nobody's change is lost.";
            return std::future::ready(Err(AppError::new(ErrorCode::PreconditionRequired, detail)));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return std::future::ready(Ok(Self(None)));
        }
        // What follows the version tells equal contents, not whose change it is.
        let version = text.strip_prefix("W/").unwrap_or(text);
        let version = version
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .and_then(|text| text.split('-').next()?.parse().ok());
        std::future::ready(match version {
            Some(version) => Ok(Self(Some(version))),
            None => Err(AppError::field(
                "If-Match",
                "type",
                "must be an ETag of this resource, such as \"3\"",
            )),
        })
    }
}

fn validate(value: &impl Validate) -> AppResult<()> {
    let Err(errors) = value.validate() else { return Ok(()) };
    let mut fields = Vec::new();
    collect("", &errors, &mut fields);
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    Err(AppError::fields(fields))
}

fn collect(prefix: &str, errors: &ValidationErrors, fields: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let path = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}.{name}")
        };
        match kind {
            ValidationErrorsKind::Field(found) => fields.extend(found.iter().map(|error| FieldError {
                path: path.clone(),
                code: error.code.to_string(),
                message: error.message.as_deref().unwrap_or("is not valid").to_owned(),
            })),
            ValidationErrorsKind::Struct(inner) => collect(&path, inner, fields),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    collect(&format!("{path}.{index}"), inner, fields);
                }
            }
        }
    }
}

impl<T> Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
