//! OpenAI's files, as its SDKs ask for them. Every answer is held against its published schemas.

use crate::{
    helpers::{Answer, Client, TestServer},
    training::rows,
    wire::{body, items, refusal, shaped},
};
use cerebros_common::datasets::{Dataset, DatasetStatus};
use reqwest::{Method, StatusCode};
use serde_json::json;

on_both_databases!(
    a_file_is_uploaded_read_and_deleted,
    files_are_listed_as_the_sdks_page,
    bad_files_are_refused_as_openai_words_it,
);

pub async fn send(client: &Client, name: &str, purpose: &str, rows: &str) -> Answer {
    Answer::of(client.form_request("/v1/files", name, rows, &[("purpose", purpose)])).await
}

pub async fn create(client: &Client, rows: &str) -> String {
    let file = shaped(
        "OpenAIFile",
        body(&send(client, "shelves.jsonl", "fine-tune", rows).await),
    );
    file["id"].as_str().unwrap().to_owned()
}

/// Waits until the rows of a file are validated.
pub async fn processed(client: &Client, file: &str) -> Dataset {
    let path = format!("/api/v1/datasets/{}", file.strip_prefix("file-").unwrap());
    client
        .wait(&path, |dataset: &Dataset| dataset.status != DatasetStatus::Validating)
        .await
}

async fn a_file_is_uploaded_read_and_deleted(server: TestServer) {
    let member = server.member().await;
    let rows = rows(4);
    let id = create(&member, &rows).await;
    assert_eq!(processed(&member, &id).await.status, DatasetStatus::Ready);
    let path = format!("/v1/files/{id}");
    let file = shaped("OpenAIFile", body(&member.get(&path).await));
    assert_eq!(
        (&file["status"], &file["purpose"], &file["filename"], &file["bytes"]),
        (
            &json!("processed"),
            &json!("fine-tune"),
            &json!("shelves.jsonl"),
            &json!(rows.len())
        )
    );
    let content = member.get(&format!("{path}/content")).await;
    assert_eq!((content.status, content.text), (StatusCode::OK, rows));

    let useless = create(&member, "{\"messages\": []}\n").await;
    processed(&member, &useless).await;
    let file = shaped("OpenAIFile", body(&member.get(&format!("/v1/files/{useless}")).await));
    assert_eq!(file["status"], "error");
    assert!(file["status_details"].as_str().unwrap().contains("row"), "{file}");

    let stranger = server.stranger().await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/content")),
        (Method::DELETE, path.clone()),
    ] {
        let answer = Answer::of(stranger.request(method, &path)).await;
        assert_eq!(refusal(&answer), (404, Some("file_id".to_owned())));
    }
    let gone = shaped("DeleteFileResponse", body(&member.delete(&path).await));
    assert_eq!(gone["id"], id.as_str());
    assert_eq!(refusal(&member.get(&path).await).0, 404);
    assert_eq!(refusal(&member.delete(&path).await).0, 404);
}

async fn files_are_listed_as_the_sdks_page(server: TestServer) {
    let member = server.member().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(create(&member, &rows(1)).await);
    }
    let walk = async |query: &str| {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/files?limit=2&a_parameter_of_the_future=1{query}{after}");
            let (some, has_more) = items("OpenAIFile", &member.get(&path).await);
            found.extend(some.iter().map(|file| file["id"].as_str().unwrap().to_owned()));
            after = format!("&after={}", found.last().map_or("", String::as_str));
            if !has_more {
                return found;
            }
        }
    };
    assert_eq!(walk("&order=asc").await, made);
    assert_eq!(walk("&purpose=fine-tune&order=asc").await, made);
    made.reverse();
    assert_eq!(walk("").await, made);
    for purpose in ["fine-tune-results", "batch"] {
        let (none, _) = items("OpenAIFile", &member.get(&format!("/v1/files?purpose={purpose}")).await);
        assert!(none.is_empty());
    }
    let stranger = server.stranger().await;
    assert!(items("OpenAIFile", &stranger.get("/v1/files").await).0.is_empty());
    let beyond = stranger.get(&format!("/v1/files?after={}", made[0])).await;
    assert!(items("OpenAIFile", &beyond).0.is_empty());
}

async fn bad_files_are_refused_as_openai_words_it(server: TestServer) {
    let member = server.member().await;
    for purpose in ["batch", "assistants", "user_data", "vision", "Fine-tune", ""] {
        let answer = send(&member, "a.jsonl", purpose, &rows(1)).await;
        assert_eq!(refusal(&answer), (400, Some("purpose".to_owned())));
    }
    let bare = member.upload("/v1/files", "a.jsonl", rows(1)).await;
    assert_eq!(refusal(&bare), (400, Some("purpose".to_owned())));
    let long = "x".repeat(2000);
    let form = member.form_request("/v1/files", "a.jsonl", rows(1), &[("purpose", &long)]);
    assert_eq!(refusal(&Answer::of(form).await), (400, Some("purpose".to_owned())));
    let many: Vec<String> = (0..40).map(|index| format!("expires_after[{index}]")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    let form = member.form_request("/v1/files", "a.jsonl", rows(1), &many);
    assert_eq!(refusal(&Answer::of(form).await).0, 400);
    let empty = send(&member, "a.jsonl", "fine-tune", "").await;
    assert_eq!(refusal(&empty), (400, Some("file".to_owned())));
    for (query, param) in [
        ("limit=0", "limit"),
        ("after=elsewhere", "after"),
        ("order=up", "order"),
    ] {
        let answer = member.get(&format!("/v1/files?{query}")).await;
        assert_eq!(refusal(&answer).1.as_deref(), Some(param));
    }
    let (none, _) = items("OpenAIFile", &member.get("/v1/files").await);
    assert!(none.is_empty(), "what was refused left something: {none:?}");
}
