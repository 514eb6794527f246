//! One function per operation of the server, over the types of `cerebros_common`. No state, no signals.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod bases;
pub mod chat;
pub mod dashboard;
pub mod datasets;
pub mod documents;
mod error;
pub mod examples;
pub mod jobs;
pub mod models;
pub mod search;

pub use error::{Answer, ApiError};

use crate::browser;
use cerebros_common::{
    errors::{ErrorCode, Problem},
    wire::Envelope,
};
use gloo_net::http::{Method, RequestBuilder};
use serde::{Serialize, de::DeserializeOwned};

/// Sent on `window` when the server says that the session is over.
pub const SIGNED_OUT: &str = "cerebros-signed-out";

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

async fn patch<T: DeserializeOwned>(path: &str, version: i64, body: &impl Serialize) -> Answer<T> {
    decode(&exchange(Method::PATCH, path, Some(version), Some(encode(body)?)).await?)
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
    let mut builder = RequestBuilder::new(&format!("/api/v1{path}")).method(method);
    if let Some(version) = version {
        builder = builder.header("If-Match", &format!("\"{version}\""));
    }
    let request = match body {
        Some(body) => builder.header("Content-Type", "application/json").body(body),
        None => builder.build(),
    };
    let request = request.map_err(|error| ApiError::Network(error.to_string()))?;
    let response = request
        .send()
        .await
        .map_err(|error| ApiError::Network(error.to_string()))?;
    let text = response
        .text()
        .await
        .map_err(|error| ApiError::Network(error.to_string()))?;
    if response.ok() {
        Ok(text)
    } else {
        Err(refusal(response.status(), &text))
    }
}

/// What a failed answer says. Tells the session when it is over.
pub fn refusal(status: u16, body: &str) -> ApiError {
    let Ok(problem) = serde_json::from_str::<Problem>(body) else {
        return ApiError::Unreadable(format!("The server answered with status {status}."));
    };
    if problem.error == ErrorCode::Unauthenticated {
        browser::announce(SIGNED_OUT);
    }
    ApiError::Problem(Box::new(problem))
}
