use crate::helpers::{DEADLINE, TestServer};
use cerebros_common::{
    agents::Agent,
    api_keys::{ApiKey, NewApiKeySecret},
    errors::ErrorCode,
    wire::Page,
};
use reqwest::StatusCode;
use serde_json::json;

on_both_databases!(a_key_works_until_it_is_revoked, a_secret_is_shown_once);

async fn a_key_works_until_it_is_revoked(server: TestServer) {
    let member = server.member().await;
    let new: NewApiKeySecret = member.post("/api/v1/api-keys", json!({"name": "script"})).await.data();
    let script = server.anonymous().with_key(&new.secret);
    script
        .post("/api/v1/agents", json!({"name": "A"}))
        .await
        .data::<Agent>();
    // Noted beside the request: a later look sees it.
    let keys = async || member.get("/api/v1/api-keys").await.data::<Page<ApiKey>>().items;
    let noted = async { while keys().await[0].last_used_at.is_none() {} };
    tokio::time::timeout(DEADLINE, noted).await.unwrap();
    let path = format!("/api/v1/api-keys/{}", new.api_key.id);
    assert_eq!(member.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        script.get("/api/v1/agents").await.problem().error,
        ErrorCode::Unauthenticated
    );
    assert_eq!(member.delete(&path).await.problem().error, ErrorCode::NotFound);
}

async fn a_secret_is_shown_once(server: TestServer) {
    let member = server.member().await;
    let new: NewApiKeySecret = member.post("/api/v1/api-keys", json!({"name": "script"})).await.data();
    let list = member.get("/api/v1/api-keys").await.text;
    assert!(list.contains(&new.api_key.prefix));
    assert!(!list.contains(&new.secret));
}
