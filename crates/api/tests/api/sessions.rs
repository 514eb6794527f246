use crate::helpers::{Answer, Client, DEADLINE, Kind, TestServer};
use cerebros_common::{
    accounts::DeviceSession, agents::Agent, api_keys::NewApiKeySecret, errors::ErrorCode, wire::Page,
};
use chrono::{Duration, Utc};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::json;
use std::time::Instant;

on_both_databases!(
    sessions_are_listed_with_device_and_address,
    a_session_is_ended_from_another,
    all_other_sessions_are_ended_at_once,
    signing_in_anew_ends_the_session_that_the_browser_held,
    a_session_ends_by_age_and_by_disuse,
    the_last_use_of_a_session_is_noted,
    a_stream_ends_with_the_session,
    a_stream_ends_with_the_key,
    a_stream_ends_with_the_membership,
);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

async fn sign_in_again(member: &Client) -> Client {
    let body = json!({"email": "member@example.org", "password": "correct horse battery"});
    let request = member.request(Method::POST, "/api/v1/auth/sign-in").json(&body);
    let answer = Answer::of(request.header(header::USER_AGENT, FIREFOX)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    member.with_cookie(answer.session_cookie())
}

async fn list(client: &Client) -> Vec<DeviceSession> {
    client.get("/api/v1/sessions").await.data::<Page<DeviceSession>>().items
}

async fn is_signed_out(client: &Client) -> bool {
    client.get("/api/v1/auth/session").await.status == StatusCode::UNAUTHORIZED
}

async fn sessions_are_listed_with_device_and_address(server: TestServer) {
    let member = server.member().await;
    server.stranger().await;
    let other = sign_in_again(&server.anonymous()).await;
    let sessions = list(&other).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        (sessions[0].device.as_str(), sessions[0].current),
        ("Firefox on Linux", true)
    );
    assert_eq!(sessions[0].address, "127.0.0.1");
    assert_eq!(sessions[0].expires_at - sessions[0].created_at, Duration::days(30));
    assert!(!sessions[1].current);
    assert!(list(&member).await[1].current);
}

async fn a_session_is_ended_from_another(server: TestServer) {
    let member = server.member().await;
    let other = sign_in_again(&server.anonymous()).await;
    let path = format!("/api/v1/sessions/{}", list(&member).await[0].id);
    let stranger = server.stranger().await;
    assert_eq!(stranger.delete(&path).await.problem().error, ErrorCode::NotFound);
    assert!(!is_signed_out(&other).await);
    assert_eq!(member.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert!(is_signed_out(&other).await);
    assert!(!is_signed_out(&member).await);
    assert_eq!(member.delete(&path).await.problem().error, ErrorCode::NotFound);
}

async fn all_other_sessions_are_ended_at_once(server: TestServer) {
    let member = server.member().await;
    let stranger = server.stranger().await;
    let others = [
        sign_in_again(&server.anonymous()).await,
        sign_in_again(&server.anonymous()).await,
    ];
    assert_eq!(member.delete("/api/v1/sessions").await.status, StatusCode::NO_CONTENT);
    for other in &others {
        assert!(is_signed_out(other).await);
    }
    assert!(!is_signed_out(&stranger).await);
    assert_eq!(list(&member).await.len(), 1);
    // Nothing is left to end.
    assert_eq!(member.delete("/api/v1/sessions").await.status, StatusCode::NO_CONTENT);
}

async fn signing_in_anew_ends_the_session_that_the_browser_held(server: TestServer) {
    let before = server.member().await;
    let after = sign_in_again(&before).await;
    assert!(is_signed_out(&before).await);
    assert_eq!(list(&after).await.len(), 1);
}

async fn a_session_ends_by_age_and_by_disuse(server: TestServer) {
    let member = server.member().await;
    let (old, unused) = (
        sign_in_again(&server.anonymous()).await,
        sign_in_again(&server.anonymous()).await,
    );
    let sessions = list(&member).await;
    let (expired, idle) = (Utc::now(), Utc::now() - Duration::days(14));
    let (unused_id, old_id) = (sessions[0].id, sessions[1].id);
    server.edit_session("expires_at", expired, old_id).await;
    server.edit_session("last_used_at", idle, unused_id).await;
    assert!(is_signed_out(&old).await);
    assert!(is_signed_out(&unused).await);
    assert_eq!(list(&member).await.len(), 1);
}

async fn the_last_use_of_a_session_is_noted(server: TestServer) {
    let member = server.member().await;
    let session = list(&member).await.remove(0);
    let earlier = session.last_used_at - Duration::minutes(2);
    server.edit_session("last_used_at", earlier, session.id).await;
    // Noted beside the request: a later one sees it.
    let noted = async { while list(&member).await[0].last_used_at == earlier {} };
    tokio::time::timeout(DEADLINE, noted).await.unwrap();
    let used = list(&member).await[0].last_used_at;
    assert!(used >= session.last_used_at);
    assert_eq!(list(&member).await[0].last_used_at, used);
}

async fn open_stream(client: &Client) -> Response {
    let path = "/api/v1/events";
    let mut response = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.chunk().await.unwrap().unwrap();
    response
}

/// How the stream ended: what it still said.
async fn ends_soon(mut stream: Response) -> String {
    let since = Instant::now();
    let mut said = Vec::new();
    let ended = async {
        while let Ok(Some(part)) = stream.chunk().await {
            said.extend_from_slice(&part);
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
    // Half a second on a quiet machine; the next ping, which would notice too, is 15 s away.
    assert!(since.elapsed().as_secs() < 5, "{:?}", since.elapsed());
    String::from_utf8(said).unwrap()
}

async fn a_stream_ends_with_the_session(server: TestServer) {
    let member = server.member().await;
    let other = sign_in_again(&server.anonymous()).await;
    let stream = open_stream(&other).await;
    member.delete("/api/v1/sessions").await;
    member
        .post("/api/v1/agents", json!({"name": "Not for you"}))
        .await
        .data::<Agent>();
    assert!(!ends_soon(stream).await.contains("agent_changed"));
    let stream = open_stream(&member).await;
    member.post_nothing("/api/v1/auth/sign-out").await;
    assert!(!ends_soon(stream).await.contains("agent_changed"));
}

async fn a_stream_ends_with_the_key(server: TestServer) {
    let member = server.member().await;
    let make = async |body| member.post("/api/v1/api-keys", body).await.data::<NewApiKeySecret>();
    let revoked = make(json!({"name": "revoked"})).await;
    let stream = open_stream(&server.anonymous().with_key(&revoked.secret)).await;
    member.delete(&format!("/api/v1/api-keys/{}", revoked.api_key.id)).await;
    assert_eq!(ends_soon(stream).await, "");
    let expires_at = Utc::now() + Duration::seconds(2);
    let expiring = make(json!({"name": "expiring", "expires_at": expires_at})).await;
    let stream = open_stream(&server.anonymous().with_key(&expiring.secret)).await;
    assert!(!ends_soon(stream).await.contains("data:"));
    assert!(Utc::now() >= expires_at);
}

async fn a_stream_ends_with_the_membership(server: TestServer) {
    let member = server.member().await;
    let stream = open_stream(&member).await;
    server.execute("delete from members").await;
    // Any commit wakes the stream.
    server.stranger().await;
    assert_eq!(ends_soon(stream).await, "");
}

#[test]
fn a_session_that_is_ended_is_refused_by_every_replica() {
    crate::helpers::run(Kind::Postgres, |first| async move {
        let database_url = first.config.database_url.clone();
        let second = TestServer::start_with(Kind::Postgres, |config| config.database_url = database_url).await;
        let member = first.member().await;
        let other = sign_in_again(&first.anonymous()).await.at(&second);
        let stream = open_stream(&other).await;
        member.delete("/api/v1/sessions").await;
        assert!(is_signed_out(&other).await);
        assert_eq!(ends_soon(stream).await, "");
        second.stop().await;
    });
}
