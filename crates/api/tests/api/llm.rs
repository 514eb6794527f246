//! Settings of language models, prices, calls and what they cost.

use crate::helpers::{Answer, Client, TestServer};
use cerebros_api::Config;
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentStatus},
    errors::ErrorCode,
    llm_calls::{CallOutcome, Category, LlmCall, LlmUsage, Purpose, Severity, Usage},
    llm_settings::{LlmModels, LlmProvider, LlmSettings, LlmTest, RateLevel},
    prices::{Price, Prices},
    wire::CursorPage,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

on_both_databases!(
    super::loopback;
    settings_are_chosen_and_checked,
    a_test_tells_what_is_wrong,
    rate_limits_are_shown,
    prices_are_set_and_taken_back,
    calls_are_summed_up,
    what_was_said_of_a_document_goes_with_it,
);

/// Lets workspaces use peers on this machine.
fn loopback(config: &mut Config) {
    config.networks = vec!["127.0.0.0/8".parse().unwrap()];
    config.llm.retry_waits = vec![Duration::ZERO; 4];
    config.llm.deadlines.stall = Duration::from_secs(2);
}

const SETTINGS: &str = "/api/v1/llm-settings";
const TEST: &str = "/api/v1/llm-settings/test";
const KEY: &str = "sk-canary-0123456789";

pub async fn put_settings(client: &Client, version: &str, body: Value) -> Answer {
    let request = client.request(Method::PUT, SETTINGS).header(header::IF_MATCH, version);
    Answer::of(request.json(&body)).await
}

async fn put_key(client: &Client, provider: &str) {
    let request = client.request(Method::PUT, &format!("/api/v1/provider-keys/{provider}"));
    let answer = Answer::of(request.json(&json!({"secret": KEY}))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn peer(answer: ResponseTemplate) -> MockServer {
    let peer = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&peer).await;
    peer
}

fn completion(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "model": "small-1-2026", "usage": {"prompt_tokens": 1200, "completion_tokens": 300},
        "choices": [{"finish_reason": "stop", "message": {"content": content}}],
    }))
}

/// The member's workspace uses the peer.
async fn using(client: &Client, peer: &MockServer) -> LlmSettings {
    let body = json!({"provider": "openai", "base_url": format!("{}/v1", peer.uri()), "model": "small-1"});
    put_settings(client, "*", body).await.data()
}

async fn calls(client: &Client, query: &str) -> Vec<LlmCall> {
    let page: CursorPage<LlmCall> = client.get(&format!("/api/v1/llm-calls{query}")).await.data();
    page.items
}

async fn settings_are_chosen_and_checked(server: TestServer) {
    let member = server.member().await;
    let answer = member.get(SETTINGS).await;
    let before: LlmSettings = answer.data();
    assert_eq!(
        (before.provider, before.version, before.has_key),
        (LlmProvider::Extractive, 0, false)
    );
    assert_eq!(member.post_nothing(TEST).await.problem().error, ErrorCode::Conflict);
    for (body, field) in [
        (json!({"provider": "openai"}), "model"),
        (json!({"provider": "openai", "model": "  "}), "model"),
        (json!({"provider": "azure_openai", "model": "mine"}), "base_url"),
        (
            json!({"provider": "openai", "model": "m", "base_url": "nowhere"}),
            "base_url",
        ),
        (
            json!({"provider": "openai", "model": "m", "base_url": "http://10.0.0.1/v1"}),
            "base_url",
        ),
        (
            json!({"provider": "openai", "model": "m", "base_url": "https://169.254.169.254/"}),
            "base_url",
        ),
        (
            json!({"provider": "openai", "model": "m", "base_url": "https://a:b@example.org/"}),
            "base_url",
        ),
        (
            json!({"provider": "openai", "model": "m", "parallel_calls": 33}),
            "parallel_calls",
        ),
        (
            json!({"provider": "openai", "model": "m", "temperature": 1}),
            "temperature",
        ),
    ] {
        let problem = put_settings(&member, "*", body.clone()).await.problem();
        assert_eq!(problem.details[0].path, field, "{body}");
    }
    let body = json!({"provider": "openai", "model": " small-1 ", "parallel_calls": 2});
    let known = answer.header("etag").unwrap();
    put_key(&member, "openai").await;
    let set: LlmSettings = put_settings(&member, known, body.clone()).await.data();
    assert_eq!(
        (set.model.as_deref(), set.parallel_calls, set.version),
        (Some("small-1"), 2, 1)
    );
    assert!(set.has_key);
    assert_eq!(
        put_settings(&member, known, body.clone()).await.problem().error,
        ErrorCode::StaleVersion
    );
    let without = Answer::of(member.request(Method::PUT, SETTINGS).json(&body)).await;
    assert_eq!(without.problem().error, ErrorCode::PreconditionRequired);
    let back: LlmSettings = put_settings(&member, "*", json!({"provider": "extractive", "model": "x"}))
        .await
        .data();
    assert_eq!((back.model, back.version), (None, 2));
    let entries: Value = member.get("/api/v1/audit?noun=llm_settings").await.data();
    assert_eq!(entries["items"].as_array().unwrap().len(), 2);
    assert!(!entries.to_string().contains("small-1"));
    let stranger: LlmSettings = server.stranger().await.get(SETTINGS).await.data();
    assert_eq!(stranger.version, 0);
}

async fn a_test_tells_what_is_wrong(server: TestServer) {
    let member = server.member().await;
    let body = json!({"provider": "openai", "model": "small-1"});
    put_settings(&member, "*", body).await.data::<LlmSettings>();
    let test: LlmTest = member.post_nothing(TEST).await.data();
    let error = test.error.unwrap();
    assert_eq!(
        (error.category, error.severity),
        (Category::Authentication, Severity::Critical)
    );
    assert!(calls(&member, "").await.is_empty(), "nothing was asked");
    put_key(&member, "openai").await;
    let good = peer(completion("{\"word\": \"ready\"}")).await;
    using(&member, &good).await;
    let test: LlmTest = member.post_nothing(TEST).await.data();
    assert!(
        test.ok && test.error.is_none() && test.model.as_deref() == Some("small-1-2026"),
        "{test:?}"
    );
    let asked = good.received_requests().await.unwrap();
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {KEY}"));
    let refused = ResponseTemplate::new(401).set_body_json(json!({"error": {"message": format!("Bad key {KEY}")}}));
    let refusing = peer(refused).await;
    using(&member, &refusing).await;
    let answer = member.post_nothing(TEST).await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    let error = answer.data::<LlmTest>().error.unwrap();
    assert_eq!(
        (error.category, error.severity),
        (Category::Authentication, Severity::Critical)
    );
    let models: LlmModels = member.get("/api/v1/llm-settings/models").await.data();
    assert_eq!(models.error.unwrap().category, Category::Authentication);
    let listing = peer(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "b"}, {"id": "a"}]}))).await;
    using(&member, &listing).await;
    let models: LlmModels = member.get("/api/v1/llm-settings/models").await.data();
    assert_eq!(
        (models.models, models.error),
        (vec!["a".to_owned(), "b".to_owned()], None)
    );
    let found = calls(&member, "").await;
    let outcomes: Vec<_> = found
        .iter()
        .map(|call| (call.outcome, call.purpose, call.attempts.len()))
        .collect();
    let test = Purpose::Test;
    assert_eq!(
        outcomes,
        [(CallOutcome::Failed, test, 1), (CallOutcome::Answered, test, 1)]
    );
    assert_eq!(found[0].attempts[0].status, Some(401));
    assert_eq!(calls(&member, "?outcome=failed").await.len(), 1);
    assert_eq!(calls(&member, "?purpose=judge").await.len(), 0);
    let page: CursorPage<LlmCall> = member.get("/api/v1/llm-calls?limit=1").await.data();
    let rest = format!("?cursor={}", page.next_cursor.unwrap());
    assert_eq!(calls(&member, &rest).await, found[1..]);
    assert!(calls(&server.stranger().await, "").await.is_empty());
}

async fn rate_limits_are_shown(server: TestServer) {
    let member = server.member().await;
    let answer = completion("{\"word\": \"ready\"}")
        .insert_header("x-ratelimit-limit-requests", "100")
        .insert_header("x-ratelimit-remaining-requests", "20")
        .insert_header("x-ratelimit-reset-requests", "10m");
    let peer = peer(answer).await;
    assert_eq!(using(&member, &peer).await.rate_limits, None);
    assert!(member.post_nothing(TEST).await.data::<LlmTest>().ok);
    let limits = member.get(SETTINGS).await.data::<LlmSettings>().rate_limits.unwrap();
    assert_eq!((limits.level, limits.tokens), (RateLevel::Warning, None));
    assert_eq!(limits.requests.unwrap().remaining, 20);
    let elsewhere = json!({"provider": "openai", "base_url": "https://example.org/v1", "model": "small-1"});
    let moved: LlmSettings = put_settings(&member, "*", elsewhere).await.data();
    assert_eq!(moved.rate_limits, None, "of another address");
}

async fn prices_are_set_and_taken_back(server: TestServer) {
    let member = server.member().await;
    let before: Prices = member.get("/api/v1/prices").await.data();
    let shipped = before.items.iter().find(|price| price.model == "gpt-5").unwrap();
    assert_eq!(
        (shipped.prompt_micros, shipped.completion_micros, shipped.own),
        (1_250_000, 10_000_000, false)
    );
    assert!(before.source.contains("openai.com") && before.currency == "USD");
    let path = "/api/v1/prices/openai/meta-llama%2FLlama-3";
    let body = json!({"prompt_micros": 1_000_000, "completion_micros": 2_000_000});
    let put = |path: &str, body: &Value| Answer::of(member.request(Method::PUT, path).json(body));
    let price: Price = put(path, &body).await.data();
    assert_eq!((price.model.as_str(), price.own), ("meta-llama/Llama-3", true));
    let replaced = put("/api/v1/prices/openai/gpt-5", &body).await;
    assert!(replaced.data::<Price>().own);
    let after: Prices = member.get("/api/v1/prices").await.data();
    assert_eq!(after.items.len(), before.items.len() + 1);
    assert_eq!(after.items.iter().filter(|price| price.own).count(), 2);
    let wrong = put(path, &json!({"prompt_micros": -1, "completion_micros": 0})).await;
    assert_eq!(wrong.problem().details[0].path, "prompt_micros");
    let extractive = put("/api/v1/prices/extractive/x", &body).await;
    assert_eq!(extractive.problem().error, ErrorCode::NotFound);
    assert_eq!(member.delete(path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.delete(path).await.problem().error, ErrorCode::NotFound);
    let stranger: Prices = server.stranger().await.get("/api/v1/prices").await.data();
    assert_eq!(stranger, before);
}

async fn calls_are_summed_up(server: TestServer) {
    let member = server.member().await;
    let good = peer(completion("{\"word\": \"ready\"}")).await;
    using(&member, &good).await;
    assert!(member.post_nothing(TEST).await.data::<LlmTest>().ok);
    let body = json!({"prompt_micros": 1_000_000, "completion_micros": 10_000_000});
    let price = member.request(Method::PUT, "/api/v1/prices/openai/small-1");
    Answer::of(price.json(&body)).await.data::<Price>();
    for _ in 0..2 {
        assert!(member.post_nothing(TEST).await.data::<LlmTest>().ok);
    }
    // An unusable answer costs too.
    let bad = peer(completion("{\"wo")).await;
    using(&member, &bad).await;
    assert!(!member.post_nothing(TEST).await.data::<LlmTest>().ok);
    let found = calls(&member, "").await;
    let costs: Vec<_> = found.iter().map(|call| call.cost_micros).collect();
    assert_eq!(costs, [Some(4200), Some(4200), Some(4200), None]);
    let usage: Vec<LlmUsage> = member.get("/api/v1/llm-usage").await.data();
    let [day] = &usage[..] else { panic!("{usage:?}") };
    assert_eq!(
        (day.calls, day.failed, day.unpriced, day.cost_micros),
        (4, 1, 1, 12_600)
    );
    assert_eq!(
        day.usage,
        Usage {
            prompt_tokens: 4800,
            completion_tokens: 1200
        }
    );
    assert!(day.p50_latency_ms.is_some() && day.maybe_paid_twice == 0);
    let none: Vec<LlmUsage> = member
        .get("/api/v1/llm-usage?from=2020-01-01&to=2020-12-31")
        .await
        .data();
    assert_eq!(none, []);
    for bad in ["from=2020-01-01", "from=2021-01-02&to=2021-01-01"] {
        let problem = member.get(&format!("/api/v1/llm-usage?{bad}")).await.problem();
        assert_eq!(problem.details[0].path, "from");
    }
}

async fn what_was_said_of_a_document_goes_with_it(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=reference", agent.id);
    let document: Document = member.upload(&upload, "a.txt", "Some words to read.").await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    let ready = |document: &Document| document.status == DocumentStatus::Ready;
    member.wait(&path, ready).await;
    server
        .execute(
            "insert into llm_calls (id, workspace_id, key, purpose, subject_id, document_id, provider, model, outcome, \
             prompt_tokens, completion_tokens, maybe_paid_twice, interruptions, question, error_message, answer, \
             answer_value, created_at) select id, workspace_id, 'k', 'example', workspace_id, id, 'openai', 'm', \
             'answered', 1, 2, false, 0, 1, 'of words', 'words', '\"words\"', created_at from documents",
        )
        .await;
    server
        .execute(
            "insert into llm_attempts (call_id, number, outcome, error_message, prompt_tokens, completion_tokens, at) \
             select id, 1, 'failed', 'of words', 1, 2, created_at from documents",
        )
        .await;
    let body = json!({"subject": "document", "id": document.id, "confirmation": document.name});
    let answer = member.post("/api/v1/deletions", body).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    let left = "select count(*) from llm_calls where answer is not null or answer_value is not null \
                or error_message is not null";
    assert_eq!(server.number(left).await, 0);
    let left = "select count(*) from llm_attempts where error_message is not null";
    assert_eq!(server.number(left).await, 0);
    let kept = &calls(&member, "").await[0];
    assert_eq!((kept.usage.prompt_tokens, kept.document_id), (1, Some(document.id)));
}
