//! Pages of other sites: those of listed origins may use the API with an API key, and no others.

use crate::helpers::{Answer, Client, TestServer};
use cerebros_common::{agents::Agent, api_keys::NewApiKeySecret, errors::ErrorCode, wire::Page};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

on_both_databases!(
    a_listed_origin_reads_and_changes_with_a_key,
    a_listed_origin_gets_nothing_for_a_cookie,
    other_origins_get_no_leave,
);

const LISTED: &str = "https://app.example.org";
const OTHER: &str = "https://evil.example";

async fn server(shared: &TestServer) -> TestServer {
    TestServer::start_with(shared.kind, |config| config.cors_origins = vec![LISTED.to_owned()]).await
}

async fn with_key(member: &Client) -> Client {
    let body = json!({"name": "page", "scopes": ["read", "write"]});
    let key: NewApiKeySecret = member.post("/api/v1/api-keys", body).await.data();
    member.with_key(&key.secret)
}

/// As a browser sends it.
fn from(origin: &str, request: RequestBuilder) -> RequestBuilder {
    request.header("origin", origin).header("sec-fetch-site", "cross-site")
}

fn create(client: &Client) -> RequestBuilder {
    client
        .request(Method::POST, "/api/v1/agents")
        .json(&json!({"name": "A"}))
}

fn preflight(server: &TestServer, path: &str) -> RequestBuilder {
    let request = server.anonymous().request(Method::OPTIONS, path);
    request.header("access-control-request-method", "POST").header(
        "access-control-request-headers",
        "authorization,content-type,idempotency-key",
    )
}

fn leave(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

async fn a_listed_origin_reads_and_changes_with_a_key(shared: TestServer) {
    let server = server(&shared).await;
    let client = with_key(&server.member().await).await;
    for path in ["/api/v1/agents", "/v1/chat/completions"] {
        let answer = Answer::of(from(LISTED, preflight(&server, path))).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(
            ["GET", "POST", "PATCH", "DELETE"]
                .iter()
                .all(|method| methods.contains(method))
        );
        let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(
            ["authorization", "content-type", "idempotency-key", "if-match"]
                .iter()
                .all(|name| headers.contains(name))
        );
        assert_eq!(answer.header("vary"), Some("Origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let created = Answer::of(from(LISTED, create(&client))).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let listed = Answer::of(from(LISTED, client.request(Method::GET, "/api/v1/agents"))).await;
    assert_eq!(listed.data::<Page<Agent>>().total, 1);
    let refused = Answer::of(from(LISTED, server.anonymous().request(Method::GET, "/api/v1/agents"))).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    for answer in [created, listed, refused] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["ETag", "Location", "RateLimit-Remaining", "Retry-After", "X-Request-Id"] {
            assert!(exposed.contains(name), "{name}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    server.stop().await;
}

async fn a_listed_origin_gets_nothing_for_a_cookie(shared: TestServer) {
    let server = server(&shared).await;
    let member = server.member().await;
    let changed = Answer::of(from(LISTED, create(&member))).await;
    assert_eq!(changed.problem().error, ErrorCode::CrossSite);
    let read = Answer::of(from(LISTED, member.request(Method::GET, "/api/v1/agents"))).await;
    assert_eq!(read.problem().error, ErrorCode::Unauthenticated);
    // A bearer token that is none does not make the cookie count.
    let both = from(LISTED, member.request(Method::POST, "/api/v1/auth/sign-out")).bearer_auth("nothing");
    assert_eq!(Answer::of(both).await.problem().error, ErrorCode::Unauthenticated);
    assert_eq!(member.get("/api/v1/agents").await.data::<Page<Agent>>().total, 0);
    server.stop().await;
}

async fn other_origins_get_no_leave(shared: TestServer) {
    let server = server(&shared).await;
    let client = with_key(&server.member().await).await;
    let asked = Answer::of(from(OTHER, preflight(&server, "/api/v1/agents"))).await;
    assert_eq!((asked.status, leave(&asked)), (StatusCode::METHOD_NOT_ALLOWED, vec![]));
    let page = Answer::of(from(LISTED, preflight(&server, "/"))).await;
    assert_eq!(leave(&page), Vec::<&str>::new());
    let changed = Answer::of(from(OTHER, create(&client))).await;
    assert_eq!(
        (changed.problem().error, leave(&changed)),
        (ErrorCode::CrossSite, vec![])
    );
    let read = Answer::of(from(OTHER, client.request(Method::GET, "/api/v1/agents"))).await;
    assert_eq!((read.status, leave(&read)), (StatusCode::OK, vec![]));
    // Without the setting nobody is listed.
    let answer = Answer::of(from(LISTED, preflight(&shared, "/api/v1/agents"))).await;
    assert_eq!(
        (answer.status, leave(&answer)),
        (StatusCode::METHOD_NOT_ALLOWED, vec![])
    );
    server.stop().await;
}
