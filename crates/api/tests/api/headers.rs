//! What every answer carries, and answers that need not be sent again.

use crate::{
    concepts, contract,
    helpers::{Answer, Client, TestServer},
};
use cerebros_common::{
    accounts::Session, agents::Agent, conversations::Conversation, diagrams::Diagram, examples::Example,
};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

on_both_databases!(
    every_answer_carries_the_headers,
    strict_transport_security_needs_https,
    a_sane_request_id_is_taken_over,
    what_the_caller_has_is_not_sent_again,
);

/// A request per kind of answer, with the status that it gets.
async fn table(member: &Client, anonymous: &Client) -> Vec<(u16, RequestBuilder)> {
    let agent = member.post("/api/v1/agents", json!({"name": "A"})).await;
    let path = agent.header("location").unwrap();
    let known = member.get(path).await.header("etag").unwrap().to_owned();
    let get = |client: &Client, path: &str| client.request(Method::GET, path);
    let post = |path: &str| anonymous.request(Method::POST, path);
    let page = |path: &str| get(anonymous, path).header("accept", "text/html");
    let preflight = anonymous
        .request(Method::OPTIONS, "/api/v1/agents")
        .header("origin", "https://app.example.org");
    let json = |request: RequestBuilder| request.header("content-type", "application/json");
    vec![
        (200, page("/")),
        (200, page("/agents/whatever")),
        (404, get(anonymous, "/robots.txt")),
        (404, get(anonymous, "/assets/none.js")),
        (405, post("/")),
        (200, get(anonymous, "/livez")),
        (200, get(anonymous, "/readyz")),
        (200, get(anonymous, "/docs/")),
        (200, get(anonymous, "/docs/openapi.json")),
        (404, get(anonymous, "/docs/none")),
        (200, get(member, path)),
        (304, get(member, path).header("if-none-match", known)),
        (400, get(member, "/api/v1/agents?limit=0")),
        (401, get(anonymous, "/api/v1/agents")),
        (401, get(anonymous, "/v1/models")),
        (403, post("/api/v1/auth/sign-in").header("sec-fetch-site", "cross-site")),
        (404, get(anonymous, "/api/v1/nothing")),
        (404, get(anonymous, "/v1/nothing")),
        (405, anonymous.request(Method::PUT, "/api/v1/agents")),
        (400, json(post("/api/v1/auth/sign-in")).body("{")),
        (413, json(post("/api/v1/auth/sign-in")).body(" ".repeat(2 << 20))),
        (415, post("/api/v1/auth/sign-in").body("{}")),
        (200, get(member, "/api/v1/events")),
        (
            204,
            preflight
                .try_clone()
                .unwrap()
                .header("access-control-request-method", "POST"),
        ),
        (405, preflight),
        (204, member.request(Method::POST, "/api/v1/auth/sign-out")),
    ]
}

async fn answers(server: &TestServer) -> Vec<(String, header::HeaderMap)> {
    let (member, anonymous) = (server.member().await, server.anonymous());
    let mut answers = Vec::new();
    for (status, request) in table(&member, &anonymous).await {
        let response = request.send().await.unwrap();
        let at = format!("{} of {}", response.status(), response.url().path());
        assert_eq!(response.status().as_u16(), status, "{at}");
        answers.push((at, response.headers().clone()));
    }
    answers
}

fn one<'a>(at: &str, headers: &'a header::HeaderMap, name: &str) -> &'a str {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{at}: {name} {values:?}");
    values[0].to_str().unwrap()
}

async fn every_answer_carries_the_headers(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| {
        config.cors_origins = vec!["https://app.example.org".to_owned()];
    })
    .await;
    for (at, headers) in answers(&server).await {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(one(&at, &headers, name), value, "{at}");
        }
        assert!(one(&at, &headers, "permissions-policy").contains("camera=()"), "{at}");
        let policy = one(&at, &headers, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{at}: {policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"),
            "{at}: {policy}"
        );
        assert_eq!(
            policy.contains("unsafe-inline"),
            at.contains("/docs/"),
            "{at}: {policy}"
        );
        assert!(!one(&at, &headers, "x-request-id").is_empty(), "{at}");
        assert!(!headers.contains_key("strict-transport-security"), "{at}");
        if at.contains("/api/") || at.contains("/v1/") {
            let expected = if at.contains("events") { "no-cache" } else { "no-store" };
            assert_eq!(one(&at, &headers, "cache-control"), expected, "{at}");
            for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
                one(&at, &headers, name).parse::<u32>().unwrap();
            }
        }
    }
    server.stop().await;
}

async fn strict_transport_security_needs_https(shared: TestServer) {
    let server = TestServer::start_with(shared.kind, |config| {
        config.public_url = Some("https://cerebros.example.org".parse().unwrap());
        config.cors_origins = vec!["https://app.example.org".to_owned()];
    })
    .await;
    for (at, headers) in answers(&server).await {
        let value = one(&at, &headers, "strict-transport-security");
        assert_eq!(value, "max-age=31536000; includeSubDomains", "{at}");
    }
    server.stop().await;
}

async fn a_sane_request_id_is_taken_over(server: TestServer) {
    let ask = async |id: &str| {
        let request = server.anonymous().request(Method::GET, "/api/v1/agents");
        Answer::of(request.header("x-request-id", id))
            .await
            .problem()
            .request_id
    };
    let long = "a".repeat(64);
    for id in ["7", "trace-1.2_Z", &long] {
        assert_eq!(ask(id).await, id);
    }
    for id in ["", "two words", "a\tb", "<b>", &format!("{long}a")] {
        let own = ask(id).await;
        assert!(own != id && !own.is_empty(), "{id:?} gave {own:?}");
    }
}

async fn what_the_caller_has_is_not_sent_again(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let body = json!({"agent_id": agent.id, "prompt": "p", "response": "r"});
    let example: Example = member.post("/api/v1/examples", body).await.data();
    let session: Session = member.get("/api/v1/auth/session").await.data();
    let workspace = session.workspaces[0].id;
    let document = concepts::document(&member, "tea.txt", "Tea is a drink of leaves. Tea is hot.").await;
    let concept = concepts::found(&member, &document).await.remove(0);
    let diagram = json!({"title": "A", "source": "pie\n  \"a\": 1\n", "level": "beginner"});
    let diagram: Diagram = member.post("/api/v1/diagrams", diagram).await.data();
    let diagram_path = format!("/api/v1/diagrams/{}", diagram.id);
    let conversation = json!({"agent_id": agent.id});
    let conversation: Conversation = member.post("/api/v1/conversations", conversation).await.data();
    let share: Value = member.post_nothing(&format!("{diagram_path}/share")).await.data();
    let token = share["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (_, path, operation) in contract::operations(&contract::document()) {
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        if !parameters.any(|parameter| parameter["name"] == "If-None-Match") {
            continue;
        }
        assert!(
            operation["responses"]["304"].is_object(),
            "{path} does not document 304"
        );
        let (path, change) = match operation["operationId"].as_str().unwrap() {
            "find_agent" => (format!("/api/v1/agents/{}", agent.id), json!({"name": "B"})),
            "find_example" => (format!("/api/v1/examples/{}", example.id), json!({"response": "s"})),
            "find_workspace" => (format!("/api/v1/workspaces/{workspace}"), json!({"name": "B"})),
            "find_concept" => (format!("/api/v1/concepts/{}", concept.id), json!({"category": "B"})),
            "find_diagram" => (format!("/api/v1/diagrams/{}", diagram.id), json!({"title": "B"})),
            "find_conversation" => (
                format!("/api/v1/conversations/{}", conversation.id),
                json!({"title": "B"}),
            ),
            "find_diagram_picture" => (format!("{diagram_path}/svg"), json!({"source": "pie\n  \"b\": 1\n"})),
            "find_shared_picture" => (
                format!("/api/v1/shared/{token}/svg"),
                json!({"source": "pie\n  \"c\": 1\n"}),
            ),
            "find_llm_settings" => (
                "/api/v1/llm-settings".to_owned(),
                json!({"provider": "openai", "base_url": "https://example.org/v1", "model": "small-1"}),
            ),
            "find_template" => ("/api/v1/templates/prose".to_owned(), json!({"instructions": "B"})),
            "find_account" => ("/api/v1/account".to_owned(), json!({"name": "B"})),
            other => panic!("{other} has no entry in the test of If-None-Match"),
        };
        let ask = async |known: &str| {
            let request = member.request(Method::GET, &path).header("if-none-match", known);
            Answer::of(request).await
        };
        let whole = member.get(&path).await;
        let etag = whole.header("etag").unwrap();
        for known in [etag, &format!("W/{etag}"), &format!("\"other\", W/{etag}"), "*"] {
            let answer = ask(known).await;
            assert_eq!(
                (answer.status, answer.bytes.len()),
                (StatusCode::NOT_MODIFIED, 0),
                "{known}"
            );
            assert_eq!(answer.header("etag"), Some(etag));
        }
        assert_eq!(ask("\"other\"").await.bytes, whole.bytes);
        // A picture has a tag of its own.
        let (method, changed_at, known) = match path.as_str() {
            path if path.ends_with("/svg") => (Method::PATCH, diagram_path.as_str(), "*"),
            path if path.ends_with("/llm-settings") => (Method::PUT, path, etag),
            path => (Method::PATCH, path, etag),
        };
        let changed = member
            .request(method, changed_at)
            .header("if-match", known)
            .json(&change);
        assert_eq!(Answer::of(changed).await.status, StatusCode::OK, "{path}");
        assert_eq!(ask(etag).await.status, StatusCode::OK, "{path}");
    }
    // Counts change without a new version of the agent.
    let path = format!("/api/v1/agents/{}", agent.id);
    let known = member.get(&path).await.header("etag").unwrap().to_owned();
    let body = json!({"agent_id": agent.id, "prompt": "q", "response": "r"});
    member.post("/api/v1/examples", body).await.data::<Example>();
    let request = member.request(Method::GET, &path).header("if-none-match", known);
    assert_eq!(Answer::of(request).await.data::<Agent>().examples.approved, 2);
}
