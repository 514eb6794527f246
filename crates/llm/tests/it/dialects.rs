use super::{KEY, client, question, structured};
use cerebros_llm::{Category, Chat, Dialect, Error, Severity, Usage};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

async fn peer(answer: ResponseTemplate) -> MockServer {
    let peer = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&peer).await;
    peer
}

fn completion(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "model": "small-1-2026", "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
    }))
}

async fn only_request(peer: &MockServer) -> (Request, Value) {
    let mut requests = peer.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let request = requests.remove(0);
    let body = serde_json::from_slice(&request.body).unwrap_or_default();
    (request, body)
}

#[tokio::test]
async fn an_openai_server_is_asked_and_its_answer_checked() {
    let peer =
        peer(completion("```json\n{\"name\": \"Ada\"}\n```").insert_header("x-ratelimit-remaining-requests", "7"))
            .await;
    let client = client(Dialect::Openai, &format!("{}/v1/", peer.uri()));
    let answer = client.chat(&structured()).await.unwrap();
    assert_eq!(answer.value, Some(json!({"name": "Ada"})));
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (12, 3));
    assert_eq!(answer.model, "small-1-2026");
    assert_eq!(answer.limits.requests.unwrap().remaining, 7);
    let (request, body) = only_request(&peer).await;
    assert_eq!(request.url.path(), "/v1/chat/completions");
    assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(request.headers["idempotency-key"], "question-1");
    assert_eq!(body["messages"][1], json!({"role": "user", "content": "Who?"}));
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("small-1"), &json!(50)));
    let format = &body["response_format"];
    assert_eq!(
        (&format["type"], &format["json_schema"]["strict"]),
        (&json!("json_schema"), &json!(true))
    );
}

#[tokio::test]
async fn azure_has_its_own_addresses() {
    let peer = peer(completion("Ada")).await;
    let client = client(Dialect::AzureOpenai, &peer.uri());
    let chat = Chat {
        model: "my deployment/../x".to_owned(),
        ..question()
    };
    assert_eq!(client.chat(&chat).await.unwrap().text, "Ada");
    assert_eq!(client.models().await.unwrap(), []);
    let (request, body) = only_request(&peer).await;
    assert_eq!(
        request.url.path(),
        "/openai/deployments/my%20deployment%2F..%2Fx/chat/completions"
    );
    assert_eq!(request.url.query(), Some("api-version=2024-10-21"));
    assert_eq!(request.headers["api-key"], KEY);
    assert!(!request.headers.contains_key("authorization"));
    assert_eq!(body["max_completion_tokens"], 50);
}

#[tokio::test]
async fn anthropic_answers_by_its_tool() {
    let peer = peer(ResponseTemplate::new(200).set_body_json(json!({
        "model": "claude", "stop_reason": "tool_use", "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 4},
        "content": [{"type": "text", "text": "Here."}, {"type": "tool_use", "id": "1", "name": "answer", "input": {"name": "Ada"}}],
    })))
    .await;
    let client = client(Dialect::Anthropic, &format!("{}/v1", peer.uri()));
    let answer = client.chat(&structured()).await.unwrap();
    assert_eq!(answer.value, Some(json!({"name": "Ada"})));
    assert_eq!(
        answer.usage,
        Usage {
            prompt_tokens: 15,
            completion_tokens: 4
        }
    );
    let (request, body) = only_request(&peer).await;
    assert_eq!(request.url.path(), "/v1/messages");
    assert_eq!(
        (&request.headers["x-api-key"], &request.headers["anthropic-version"]),
        (&KEY.parse().unwrap(), &"2023-06-01".parse().unwrap())
    );
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "answer"}));
    assert_eq!(body["system"], "Answer.");
}

#[tokio::test]
async fn models_are_listed() {
    let peer =
        peer(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "b"}, {"id": "a"}, {"no": 1}]}))).await;
    for dialect in [Dialect::Openai, Dialect::Anthropic] {
        let models = client(dialect, &peer.uri()).models().await.unwrap();
        assert_eq!(
            models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}

#[tokio::test]
async fn unusable_answers_cost_and_may_be_asked_for_again() {
    for text in ["{\"name\": \"Ad", "{\"name\": 1}", "Ada"] {
        let peer = peer(completion(text)).await;
        let error = client(Dialect::Openai, &peer.uri())
            .chat(&structured())
            .await
            .unwrap_err();
        assert!(
            error.is_retryable() && error.was_answered() && !error.maybe_paid,
            "{error:?}"
        );
        assert_eq!(
            error.usage,
            Some(Usage {
                prompt_tokens: 12,
                completion_tokens: 3
            })
        );
    }
    for body in ["", "<html>", "{}", "{\"choices\": []}"] {
        let peer = peer(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = client(Dialect::Openai, &peer.uri())
            .chat(&question())
            .await
            .unwrap_err();
        assert!(
            error.is_retryable() && error.maybe_paid && error.usage.is_none(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn cut_off_and_declined_answers_are_not_asked_for_again() {
    let with = |reason: &str, message: Value| {
        ResponseTemplate::new(200).set_body_json(json!({"choices": [{"finish_reason": reason, "message": message}]}))
    };
    for (answer, words) in [
        (with("length", json!({"content": "{\"name\": \"A"})), "cut off"),
        (
            with("stop", json!({"content": null, "refusal": "I cannot"})),
            "I cannot",
        ),
        (with("content_filter", json!({"content": ""})), "content filter"),
    ] {
        let peer = peer(answer).await;
        let error = client(Dialect::Openai, &peer.uri())
            .chat(&structured())
            .await
            .unwrap_err();
        assert_eq!((error.category, error.severity), (Category::Permanent, Severity::Error));
        assert!(error.message.contains(words), "{error:?}");
    }
}

async fn error(status: u16, code: &str) -> Error {
    let message = format!("Incorrect\nAPI key provided: {KEY}.");
    let body = json!({"error": {"message": message, "code": code}});
    let answer = ResponseTemplate::new(status)
        .set_body_json(body)
        .insert_header("retry-after", "7");
    let peer = peer(answer).await;
    client(Dialect::Openai, &peer.uri())
        .chat(&question())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn errors_fall_in_a_closed_set() {
    use {Category::*, Severity::Critical, Severity::Error as Failed, Severity::Warning};
    for (status, code, category, severity) in [
        (400, "bad", Permanent, Failed),
        (401, "invalid_api_key", Authentication, Critical),
        (402, "", Permanent, Critical),
        (403, "", Authentication, Critical),
        (404, "model_not_found", Permanent, Critical),
        (408, "", Transient, Warning),
        (413, "", Permanent, Failed),
        (422, "", Permanent, Failed),
        (429, "rate_limit_exceeded", RateLimit, Warning),
        (429, "insufficient_quota", Permanent, Critical),
        (500, "", Transient, Warning),
        (503, "", Transient, Warning),
        (529, "overloaded_error", Transient, Warning),
        (302, "", Permanent, Critical),
    ] {
        let error = error(status, code).await;
        assert_eq!(
            (error.category, error.severity),
            (category, severity),
            "{status} {code}"
        );
        assert_eq!(
            (error.status, error.retry_after),
            (Some(status), Some(Duration::from_secs(7)))
        );
        assert!(
            !error.message.contains("canary") && error.message.contains("Incorrect API key provided: ..."),
            "{error}"
        );
        assert!(!error.maybe_paid);
    }
}
