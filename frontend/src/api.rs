//! One function per operation of the server, over the types of `cerebros_common`. No signals, and no state but the
//! workspace that requests are about.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod bases;
pub mod batches;
pub mod chat;
pub mod comparisons;
pub mod concepts;
pub mod conversations;
pub mod dashboard;
pub mod datasets;
pub mod deletions;
pub mod diagrams;
pub mod documents;
mod error;
pub mod events;
pub mod examples;
pub mod exports;
pub mod jobs;
pub mod legal;
pub mod llm_calls;
pub mod llm_settings;
pub mod members;
pub mod model_exports;
pub mod models;
pub mod notifications;
pub mod prices;
pub mod provider_keys;
pub mod studies;
pub mod templates;
pub mod trainings;
pub mod uploads;
pub mod webhooks;
pub mod workspaces;

pub use error::{Answer, ApiError};

use crate::browser;
use cerebros_common::{
    errors::{ErrorCode, Problem},
    ids::WorkspaceId,
    wire::Envelope,
};
use gloo_net::http::{Method, Request, RequestBuilder};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::Cell;
use web_sys::File;

/// Sent on `window` when the server says that the session is over.
pub const SIGNED_OUT: &str = "cerebros-signed-out";

/// Sent on `window` when the server did not find something: the workspace may be out of reach.
pub const NOT_FOUND: &str = "cerebros-not-found";

pub const WORKSPACE_HEADER: &str = "X-Workspace-Id";

thread_local! {
    static WORKSPACE: Cell<Option<WorkspaceId>> = const { Cell::new(None) };
}

/// Requests are about this workspace from now on; about the personal one if `None`.
pub fn set_workspace(id: Option<WorkspaceId>) {
    WORKSPACE.set(id);
}

pub fn workspace() -> Option<WorkspaceId> {
    WORKSPACE.get()
}

/// For what the browser fetches by itself, without headers: downloads, pictures, streams.
fn address(path: &str) -> String {
    let link = if path.contains('?') { '&' } else { '?' };
    workspace().map_or_else(
        || format!("/api/v1{path}"),
        |id| format!("/api/v1{path}{link}workspace_id={id}"),
    )
}

async fn get<T: DeserializeOwned>(path: &str) -> Answer<T> {
    decode(&exchange(Method::GET, path, None, None).await?)
}

async fn list<T: DeserializeOwned>(path: &str, query: &impl Serialize) -> Answer<T> {
    get(&with_query(path, query)).await
}

async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Answer<T> {
    decode(&exchange(Method::POST, path, None, Some(encode(body)?)).await?)
}

/// Asks for something to happen, without a body.
async fn order<T: DeserializeOwned>(path: &str) -> Answer<T> {
    decode(&exchange(Method::POST, path, None, None).await?)
}

/// As [`order`], for a certain version.
async fn order_at<T: DeserializeOwned>(path: &str, version: i64) -> Answer<T> {
    decode(&exchange(Method::POST, path, Some(version), None).await?)
}

/// As [`post`], for a certain version.
async fn send_post<T: DeserializeOwned>(path: &str, version: i64, body: &impl Serialize) -> Answer<T> {
    send(Method::POST, path, Some(version), body).await
}

/// A request whose answer has no body.
async fn tell(path: &str, body: &impl Serialize) -> Answer<()> {
    exchange(Method::POST, path, None, Some(encode(body)?))
        .await
        .map(|_| ())
}

async fn patch<T: DeserializeOwned>(path: &str, version: i64, body: &impl Serialize) -> Answer<T> {
    send(Method::PATCH, path, Some(version), body).await
}

async fn send<T: DeserializeOwned>(
    method: Method,
    path: &str,
    version: Option<i64>,
    body: &impl Serialize,
) -> Answer<T> {
    decode(&exchange(method, path, version, Some(encode(body)?)).await?)
}

/// A file as it is, with its own content type.
async fn send_blob<T: DeserializeOwned>(method: Method, path: &str, file: &File) -> Answer<T> {
    let request = request(method, path, None).header("Content-Type", &file.type_());
    decode(&answer(request.body(file.clone())).await?)
}

async fn delete(path: &str, version: Option<i64>) -> Answer<()> {
    exchange(Method::DELETE, path, version, None).await.map(|_| ())
}

fn with_query(path: &str, query: &impl Serialize) -> String {
    match serde_urlencoded::to_string(query) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

fn encode(body: &impl Serialize) -> Answer<String> {
    serde_json::to_string(body).map_err(|error| ApiError::Unreadable(error.to_string()))
}

fn decode<T: DeserializeOwned>(body: &str) -> Answer<T> {
    serde_json::from_str::<Envelope<T>>(body)
        .map(|envelope| envelope.data)
        .map_err(|error| ApiError::Unreadable(error.to_string()))
}

/// The body of a successful answer.
async fn exchange(method: Method, path: &str, version: Option<i64>, body: Option<String>) -> Answer<String> {
    let request = request(method, path, version);
    answer(match body {
        Some(body) => request.header("Content-Type", "application/json").body(body),
        None => request.build(),
    })
    .await
}

fn request(method: Method, path: &str, version: Option<i64>) -> RequestBuilder {
    let mut request = RequestBuilder::new(&format!("/api/v1{path}")).method(method);
    if let Some(id) = workspace() {
        request = request.header(WORKSPACE_HEADER, &id.to_string());
    }
    if let Some(version) = version {
        request = request.header("If-Match", &format!("\"{version}\""));
    }
    request
}

async fn answer(request: Result<Request, gloo_net::Error>) -> Answer<String> {
    let network = |error: gloo_net::Error| ApiError::Network(error.to_string());
    let response = request.map_err(network)?.send().await.map_err(network)?;
    let text = response.text().await.map_err(network)?;
    if response.ok() {
        Ok(text)
    } else {
        Err(refusal(response.status(), &text))
    }
}

/// What a failed answer says. Tells the session when it may have changed.
pub fn refusal(status: u16, body: &str) -> ApiError {
    let Ok(problem) = serde_json::from_str::<Problem>(body) else {
        return ApiError::Unreadable(format!("The server answered with status {status}."));
    };
    match problem.error {
        ErrorCode::Unauthenticated => browser::announce(SIGNED_OUT),
        ErrorCode::NotFound => browser::announce(NOT_FOUND),
        _ => {}
    }
    ApiError::Problem(Box::new(problem))
}
