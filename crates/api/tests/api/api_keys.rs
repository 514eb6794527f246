use crate::helpers::{Client, DEADLINE, TestServer};
use cerebros_common::{
    agents::Agent,
    api_keys::{ApiKey, KeyScope, NewApiKeySecret},
    errors::ErrorCode,
    wire::Page,
};
use chrono::{Duration, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};

on_both_databases!(
    a_key_works_until_it_is_revoked,
    a_secret_is_shown_once,
    a_key_has_the_scopes_that_it_was_given,
    a_key_gives_no_scope_that_it_lacks,
    a_key_ends_in_the_future,
    a_rotated_key_has_another_secret,
);

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

async fn make(client: &Client, body: Value) -> NewApiKeySecret {
    client.post("/api/v1/api-keys", body).await.data()
}

async fn a_key_has_the_scopes_that_it_was_given(server: TestServer) {
    let member = server.member().await;
    let usual = make(&member, json!({"name": "usual"})).await.api_key;
    assert_eq!(usual.scopes, KeyScope::USUAL);
    let body = json!({"name": "reads", "scopes": ["chat", "read", "read"]});
    let reads = make(&member, body).await;
    assert_eq!(reads.api_key.scopes, [KeyScope::Read, KeyScope::Chat]);
    let script = server.anonymous().with_key(&reads.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::OK);
    let problem = script.post("/api/v1/agents", json!({"name": "A"})).await.problem();
    assert_eq!(problem.error, ErrorCode::MissingScope);
    assert!(problem.detail.contains("scope write"), "{}", problem.detail);
    for (field, scopes) in [("scopes", json!([])), ("scopes[0]", json!(["everything"]))] {
        let body = json!({"name": "none", "scopes": scopes});
        let problem = member.post("/api/v1/api-keys", body).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, field)
        );
    }
}

async fn a_key_gives_no_scope_that_it_lacks(server: TestServer) {
    let member = server.member().await;
    let rich = make(&member, json!({"name": "rich", "scopes": ["read", "train"]})).await;
    let admin = make(&member, json!({"name": "admin", "scopes": ["admin", "read"]})).await;
    let script = server.anonymous().with_key(&admin.secret);
    let usual = script.post("/api/v1/api-keys", json!({"name": "usual"})).await;
    assert_eq!(usual.problem().error, ErrorCode::MissingScope);
    let less = make(&script, json!({"name": "less", "scopes": ["read"]})).await;
    // Nor by taking over one that has it.
    let rotate = |key: &NewApiKeySecret| format!("/api/v1/api-keys/{}/rotate", key.api_key.id);
    let taken = script.post_nothing(&rotate(&rich)).await;
    assert_eq!(taken.problem().error, ErrorCode::MissingScope);
    assert_eq!(
        server
            .anonymous()
            .with_key(&rich.secret)
            .get("/api/v1/agents")
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(script.post_nothing(&rotate(&less)).await.status, StatusCode::OK);
}

async fn a_key_ends_in_the_future(server: TestServer) {
    let member = server.member().await;
    let body = json!({"name": "late", "expires_at": Utc::now()});
    let problem = member.post("/api/v1/api-keys", body).await.problem();
    assert_eq!(problem.details[0].path, "expires_at");
    let ends = Utc::now() + Duration::days(1);
    let key = make(&member, json!({"name": "ends", "expires_at": ends})).await;
    let script = server.anonymous().with_key(&key.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::OK);
    server.execute("update api_keys set expires_at = created_at").await;
    let problem = script.get("/api/v1/agents").await.problem();
    assert_eq!(problem.error, ErrorCode::Unauthenticated);
    let keys: Page<ApiKey> = member.get("/api/v1/api-keys").await.data();
    assert!(keys.items[0].expires_at.is_some());
}

async fn a_rotated_key_has_another_secret(server: TestServer) {
    let member = server.member().await;
    let old = make(&member, json!({"name": "script", "scopes": ["read"]})).await;
    let path = format!("/api/v1/api-keys/{}/rotate", old.api_key.id);
    let new: NewApiKeySecret = member.post_nothing(&path).await.data();
    assert_eq!(
        (new.api_key.id, &new.api_key.scopes),
        (old.api_key.id, &old.api_key.scopes)
    );
    assert_ne!(new.api_key.prefix, old.api_key.prefix);
    let script = server.anonymous().with_key(&old.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::UNAUTHORIZED);
    let script = server.anonymous().with_key(&new.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::OK);
    let stranger = server.stranger().await;
    assert_eq!(stranger.post_nothing(&path).await.problem().error, ErrorCode::NotFound);
}
