//! Answers in OpenAI's wire format, held against its published schemas (`fixtures/openai.json`).

use crate::helpers::{Answer, Client};
use cerebros_common::chat::{ChatCompletion, ChatCompletionChunk};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Value> = LazyLock::new(|| fixture()["$defs"].take());

/// The same, where nothing may be sent that they do not name.
static NARROW: LazyLock<Value> = LazyLock::new(|| {
    let mut schemas = fixture()["$defs"].take();
    narrow(&mut schemas);
    schemas
});

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/openai.json")).unwrap()
}

fn narrow(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(narrow);
            if members.get("properties").is_some_and(Value::is_object) && !members.contains_key("allOf") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(narrow),
        _ => {}
    }
}

fn hold(schemas: &Value, what: &str, body: &Value) {
    let schema = json!({"$ref": format!("#/$defs/{what}"), "$defs": schemas});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "no {what}: {faults:?} in {body}");
}

/// The body, which is a `what` and nothing more.
pub fn shaped(what: &str, body: Value) -> Value {
    hold(&NARROW, what, &body);
    body
}

pub fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// The items of a list, each of which is a `what`; also whether there are more.
pub fn items(what: &str, answer: &Answer) -> (Vec<Value>, bool) {
    let list = match what {
        "OpenAIFile" => "ListFilesResponse",
        "FineTuningJob" => "ListPaginatedFineTuningJobsResponse",
        "FineTuningJobEvent" => "ListFineTuningJobEventsResponse",
        "FineTuningJobCheckpoint" => "ListFineTuningJobCheckpointsResponse",
        what => panic!("no list of {what}"),
    };
    let mut body = body(answer);
    hold(&SCHEMAS, list, &body);
    let items: Vec<Value> = serde_json::from_value(body["data"].take()).unwrap();
    let id = |item: Option<&Value>| item.map_or(json!(""), |item| item["id"].clone());
    assert_eq!(
        (body["first_id"].clone(), body["last_id"].clone()),
        (id(items.first()), id(items.last()))
    );
    let items = items.into_iter().map(|item| shaped(what, item)).collect();
    (items, body["has_more"].as_bool().unwrap())
}

/// Status and param of a refusal.
pub fn refusal(answer: &Answer) -> (u16, Option<String>) {
    let error = shaped("ErrorResponse", serde_json::from_str(&answer.text).unwrap());
    (
        answer.status.as_u16(),
        error["error"]["param"].as_str().map(str::to_owned),
    )
}

/// A chat's answer, which may carry citations beside what OpenAI knows.
pub async fn completion(client: &Client, request: Value) -> ChatCompletion {
    let answer = body(&client.post("/v1/chat/completions", request).await);
    hold(&SCHEMAS, "CreateChatCompletionResponse", &answer);
    serde_json::from_value(answer).unwrap()
}

/// A chat's answer in pieces.
pub async fn chunks(client: &Client, mut request: Value) -> Vec<ChatCompletionChunk> {
    request["stream"] = json!(true);
    let stream = client.post("/v1/chat/completions", request).await.text;
    let mut data: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.pop(), Some("[DONE]"), "{stream}");
    let chunk = |data: &str| {
        let chunk = serde_json::from_str(data).unwrap();
        hold(&SCHEMAS, "CreateChatCompletionStreamResponse", &chunk);
        serde_json::from_value(chunk).unwrap()
    };
    data.into_iter().map(chunk).collect()
}
