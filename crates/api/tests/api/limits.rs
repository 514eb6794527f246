//! Rate limits over HTTP. Each test starts a server with small limits of its own.

use crate::helpers::{Answer, Client, Kind, TestServer};
use cerebros_common::{accounts::Session, agents::Agent, api_keys::NewApiKeySecret, errors::ErrorCode};
use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_both_databases!(
    ten_thousand_racing_requests_are_counted_exactly,
    an_address_has_a_limit_of_its_own,
    proxies_are_believed_when_they_are_trusted,
    uploads_have_a_limit_of_their_own,
    failed_sign_ins_shut_the_account_and_all_attempts_the_address,
    replicas_count_sign_ins_together,
);

const IN: &str = "/api/v1/auth/sign-in";

async fn sign_in(client: &Client, email: &str, password: &str) -> Answer {
    client.post(IN, json!({"email": email, "password": password})).await
}

fn number(answer: &Answer, header: &str) -> u32 {
    answer.header(header).unwrap().parse().unwrap()
}

async fn ten_thousand_racing_requests_are_counted_exactly(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| config.rate_limits.requests = 1_000).await;
    let member = server.member().await;
    let key: NewApiKeySecret = member
        .post("/api/v1/api-keys", json!({"name": "k", "scopes": ["read"]}))
        .await
        .data();
    let client = member.with_key(&key.secret);
    let answers: Vec<Answer> = stream::iter(0..10_000)
        .map(|_| client.get("/api/v1/agents"))
        .buffer_unordered(64)
        .collect()
        .await;
    let let_in = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(let_in, 1_000);
    let refused = answers.iter().find(|answer| answer.status != StatusCode::OK).unwrap();
    assert_eq!(refused.problem().error, ErrorCode::TooManyRequests);
    assert_eq!(
        (
            number(refused, "ratelimit-limit"),
            number(refused, "ratelimit-remaining")
        ),
        (1_000, 0)
    );
    assert!((1..=60).contains(&number(refused, "ratelimit-reset")));
    assert_eq!(refused.header("retry-after"), refused.header("ratelimit-reset"));
    // The person behind the key has a window of their own, and OpenAI's wire words it as OpenAI does.
    let own = member.get("/api/v1/workspaces").await;
    assert_eq!((own.status, number(&own, "ratelimit-limit")), (StatusCode::OK, 1_000));
    let wire: Value = serde_json::from_str(&client.get("/v1/models").await.text).unwrap();
    assert_eq!(wire["error"]["type"], "rate_limit_error");
    server.stop().await;
}

async fn an_address_has_a_limit_of_its_own(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| config.rate_limits.address = 3).await;
    let anonymous = server.anonymous();
    for remaining in [2, 1, 0] {
        let answer = anonymous.get("/api/v1/agents").await;
        assert_eq!(
            (answer.status.as_u16(), number(&answer, "ratelimit-remaining")),
            (401, remaining)
        );
    }
    assert_eq!(
        anonymous.get("/api/v1/nothing").await.problem().error,
        ErrorCode::TooManyRequests
    );
    assert_eq!(anonymous.get("/v1/models").await.status, StatusCode::TOO_MANY_REQUESTS);
    for page in ["/", "/livez", "/docs/"] {
        assert_eq!(anonymous.get(page).await.status, StatusCode::OK, "{page}");
    }
    server.stop().await;
}

async fn proxies_are_believed_when_they_are_trusted(shared: TestServer) {
    for (trusted, second) in [
        ("127.0.0.0/8", StatusCode::UNAUTHORIZED),
        ("10.0.0.1/32", StatusCode::TOO_MANY_REQUESTS),
    ] {
        let server = TestServer::start_with(shared.kind, |config| {
            config.rate_limits.address = 1;
            config.trusted_proxies = vec![trusted.parse().unwrap()];
        })
        .await;
        let anonymous = server.anonymous();
        let from = async |address: &str| {
            let request = anonymous.request(Method::GET, "/api/v1/agents");
            Answer::of(request.header("x-forwarded-for", format!("203.0.113.7, {address}")))
                .await
                .status
        };
        assert_eq!(from("198.51.100.1").await, StatusCode::UNAUTHORIZED);
        assert_eq!(from("198.51.100.2").await, second, "{trusted}");
        assert_eq!(from("198.51.100.1").await, StatusCode::TOO_MANY_REQUESTS);
        server.stop().await;
    }
}

async fn uploads_have_a_limit_of_their_own(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| config.rate_limits.uploads = 2).await;
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=reference", agent.id);
    assert_eq!(
        member.upload(&upload, "a.txt", "Some text.").await.status,
        StatusCode::CREATED
    );
    let rows = member.upload("/api/v1/datasets/upload", "rows.jsonl", "{}").await;
    assert_eq!(
        (rows.status, number(&rows, "ratelimit-limit")),
        (StatusCode::CREATED, 2)
    );
    let third = member.upload(&upload, "b.txt", "Another text.").await;
    assert_eq!(third.problem().error, ErrorCode::TooManyRequests);
    let third = member.upload("/api/v1/datasets/upload", "rows.jsonl", "{}").await;
    assert_eq!(third.problem().error, ErrorCode::TooManyRequests);
    member.get("/api/v1/auth/session").await.data::<Session>();
    server.stop().await;
}

async fn failed_sign_ins_shut_the_account_and_all_attempts_the_address(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| config.rate_limits.sign_in = 12).await;
    server.member().await;
    let anonymous = server.anonymous();
    for email in ["member@example.org", "nobody@example.org"] {
        for _ in 0..3 {
            let wrong = sign_in(&anonymous, email, "wrong horse battery").await.problem();
            assert_eq!(wrong.error, ErrorCode::WrongCredentials);
        }
        let shut = sign_in(&anonymous, &email.to_uppercase(), "correct horse battery").await;
        assert_eq!(shut.problem().error, ErrorCode::TooManyRequests, "{email}");
        assert_eq!(
            (number(&shut, "ratelimit-limit"), number(&shut, "ratelimit-remaining")),
            (3, 0)
        );
    }
    // One sign-up and eight attempts so far: three are left, and success does not count against an account.
    server.sign_up("stranger@example.org").await;
    for _ in 0..2 {
        let right = sign_in(&anonymous, "stranger@example.org", "correct horse battery").await;
        assert_eq!(right.status, StatusCode::OK);
    }
    let shut = sign_in(&anonymous, "stranger@example.org", "correct horse battery").await;
    assert_eq!(shut.problem().error, ErrorCode::TooManyRequests);
    assert_eq!(number(&shut, "ratelimit-limit"), 12);
    server.stop().await;
}

async fn replicas_count_sign_ins_together(shared: TestServer) {
    // The embedded database belongs to one process.
    if shared.kind == Kind::Sqlite {
        return;
    }
    let server = TestServer::start_with(shared.kind, |config| config.rate_limits.sign_in = 16).await;
    server.member().await;
    let replica = server.replica().await;
    let here = server.anonymous();
    let there = server.anonymous_at(&replica.url);
    let mut wrong = 0;
    for client in [&here, &there, &here, &there, &here, &there] {
        let problem = sign_in(client, "member@example.org", "wrong horse battery")
            .await
            .problem();
        wrong += u32::from(problem.error == ErrorCode::WrongCredentials);
    }
    assert_eq!(wrong, 4);
    let counters = "select count(*) from rate_counters where key like '%example%' or key like '%127%'";
    assert_eq!(server.number(counters).await, 0);
    replica.stop().await;
    server.stop().await;
}
