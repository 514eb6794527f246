use crate::helpers::{Answer, TestServer};
use cerebros_common::{accounts::Session, errors::ErrorCode};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

on_both_databases!(
    signing_up_gives_a_session_and_a_personal_workspace,
    the_session_cookie_cannot_leave_the_host,
    an_address_has_one_account,
    signing_in_takes_the_right_password,
    signing_out_ends_the_session,
    bad_input_is_refused_by_field,
    another_site_cannot_change_anything,
);

const UP: &str = "/api/v1/auth/sign-up";
const IN: &str = "/api/v1/auth/sign-in";

async fn signing_up_gives_a_session_and_a_personal_workspace(server: TestServer) {
    let member = server.member().await;
    let session: Session = member.get("/api/v1/auth/session").await.data();
    assert_eq!(session.user.email, "member@example.org");
    assert_eq!(session.workspaces.len(), 1);
    assert!(session.workspaces[0].personal);
}

async fn the_session_cookie_cannot_leave_the_host(server: TestServer) {
    let body = json!({"email": "a@example.org", "password": "0123456789", "name": "A"});
    let answer = server.anonymous().post(UP, body).await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
}

async fn an_address_has_one_account(server: TestServer) {
    server.member().await;
    let body = json!({"email": "MEMBER@example.org", "password": "another password", "name": "B"});
    let problem = server.anonymous().post(UP, body).await.problem();
    assert_eq!(problem.error, ErrorCode::EmailTaken);
}

async fn signing_in_takes_the_right_password(server: TestServer) {
    server.member().await;
    let anonymous = server.anonymous();
    let right = json!({"email": "Member@Example.org", "password": "correct horse battery"});
    assert_eq!(anonymous.post(IN, right).await.status, StatusCode::OK);
    let wrong = json!({"email": "member@example.org", "password": "wrong horse battery"});
    let unknown = json!({"email": "nobody@example.org", "password": "correct horse battery"});
    let (wrong, unknown) = (
        anonymous.post(IN, wrong).await.problem(),
        anonymous.post(IN, unknown).await.problem(),
    );
    assert_eq!(wrong.error, ErrorCode::WrongCredentials);
    assert_eq!(wrong.detail, unknown.detail);
}

async fn signing_out_ends_the_session(server: TestServer) {
    let member = server.member().await;
    assert_eq!(
        member.post_nothing("/api/v1/auth/sign-out").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        member.get("/api/v1/auth/session").await.problem().error,
        ErrorCode::Unauthenticated
    );
}

async fn bad_input_is_refused_by_field(server: TestServer) {
    let good = json!({"email": "a@example.org", "password": "0123456789", "name": "A"});
    for (field, value, code) in [
        ("email", json!("a b@example.org"), "email"),
        ("email", json!("nobody"), "email"),
        ("email", json!(7), "type"),
        ("password", json!("short"), "length"),
        ("name", json!("  "), "blank"),
        ("role", json!("owner"), "unknown"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let problem = server.anonymous().post(UP, body).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest);
        assert_eq!(
            (problem.details[0].path.as_str(), problem.details[0].code.as_str()),
            (field, code)
        );
    }
    let broken = server
        .anonymous()
        .request(Method::POST, UP)
        .header(header::CONTENT_TYPE, "application/json");
    assert_eq!(
        Answer::of(broken.body("{\"email\": ")).await.problem().error,
        ErrorCode::MalformedBody
    );
    let form = server
        .anonymous()
        .request(Method::POST, UP)
        .header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(
        Answer::of(form.body("{}")).await.problem().error,
        ErrorCode::UnsupportedMediaType
    );
    let large = server
        .anonymous()
        .request(Method::POST, UP)
        .header(header::CONTENT_TYPE, "application/json");
    let large = large.body(vec![b' '; 2 * 1024 * 1024]);
    assert_eq!(Answer::of(large).await.problem().error, ErrorCode::PayloadTooLarge);
}

async fn another_site_cannot_change_anything(server: TestServer) {
    let member = server.member().await;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let request = member.request(Method::POST, "/api/v1/agents").header(name, value);
        let answer = Answer::of(request.json(&json!({"name": "Mine"}))).await;
        assert_eq!(answer.problem().error, ErrorCode::CrossSite);
    }
    let own = member
        .request(Method::POST, "/api/v1/agents")
        .header("origin", &server.url);
    assert_eq!(
        Answer::of(own.json(&json!({"name": "Mine"}))).await.status,
        StatusCode::CREATED
    );
}
