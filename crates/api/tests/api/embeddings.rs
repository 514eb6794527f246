//! Texts as vectors.

use crate::{
    chat::trained_agent,
    helpers::{Client, TestServer},
    training::built_in_base,
    wire::{body, shaped},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cerebros_common::{
    chat::WireError,
    dashboard::Dashboard,
    embeddings::{EmbeddingList, Vector},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

on_both_databases!(
    vectors_are_made_by_bases_and_assistants,
    what_cannot_be_embedded_is_refused_by_name,
    a_client_that_leaves_is_not_computed_for,
);

const PATH: &str = "/v1/embeddings";

async fn base(member: &Client) -> String {
    format!("base:{}", built_in_base(member).await.id)
}

async fn list(member: &Client, request: Value) -> EmbeddingList {
    let list = body(&member.post(PATH, request).await);
    // The published schema knows floats alone.
    if list["data"][0]["embedding"].is_array() {
        shaped("CreateEmbeddingResponse", list.clone());
    }
    serde_json::from_value(list).unwrap()
}

fn floats(vector: &Vector) -> Vec<f32> {
    match vector {
        Vector::Floats(values) => values.clone(),
        Vector::Base64(text) => {
            let bytes = STANDARD.decode(text).unwrap();
            let (values, rest) = bytes.as_chunks();
            assert!(rest.is_empty());
            values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
    }
}

async fn vectors_are_made_by_bases_and_assistants(server: TestServer) {
    let member = server.member().await;
    let agent = format!("agent:{}", trained_agent(&member).await.id);
    let base = base(&member).await;
    let texts = ["When does the gate open?", "At nine.", "Grüße €"];
    let mut of_all = Vec::new();
    for model in [&base, &agent] {
        let together = list(&member, json!({"model": model, "input": texts, "user": "someone"})).await;
        assert_eq!((together.object.as_str(), &together.model), ("list", model));
        let bytes = texts.iter().map(|text| text.len() as u64).sum::<u64>();
        assert_eq!(
            (together.usage.prompt_tokens, together.usage.total_tokens),
            (bytes, bytes)
        );
        let mut vectors = Vec::new();
        for ((index, text), found) in (0..).zip(texts).zip(&together.data) {
            assert_eq!((found.object.as_str(), found.index), ("embedding", index));
            let ids: Vec<u8> = text.bytes().collect();
            let vector = floats(&found.embedding);
            let length = vector.iter().map(|value| value * value).sum::<f32>();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
            for alone in [
                json!({"model": model, "input": text, "encoding_format": "base64"}),
                json!({"model": model, "input": ids, "dimensions": vector.len(), "encoding_format": "float"}),
                json!({"model": model, "input": [ids]}),
            ] {
                let alone = list(&member, alone).await;
                assert_eq!(alone.data.len(), 1);
                assert_eq!(
                    floats(&alone.data[0].embedding),
                    vector,
                    "the same alone, however it is asked for"
                );
            }
            vectors.push(vector);
        }
        of_all.push(vectors);
    }
    assert_ne!(of_all[0], of_all[1], "what an assistant has learned counts");
    let dashboard: Dashboard = member
        .wait("/api/v1/dashboard", |dashboard: &Dashboard| {
            dashboard.calls.value == Some(20.0)
        })
        .await;
    assert_eq!(dashboard.success_rate.value, Some(1.0));
    let tokens = server
        .number("select cast(sum(prompt_tokens) as bigint) from calls")
        .await;
    let one_each: usize = texts.iter().map(|text| text.len()).sum();
    assert_eq!(tokens, 2 * 4 * one_each as i64);
}

async fn what_cannot_be_embedded_is_refused_by_name(server: TestServer) {
    let member = server.member().await;
    let good = json!({"model": base(&member).await, "input": "a"});
    let size = floats(&list(&member, good.clone()).await.data[0].embedding).len();
    for (field, value, status, param) in [
        ("model", json!("text-embedding-3-small"), 404, "model"),
        ("input", json!(""), 400, "input"),
        ("input", json!([]), 400, "input"),
        ("input", json!(["a", ""]), 400, "input"),
        ("input", json!([[]]), 400, "input"),
        ("input", json!([[1, 1_000_000]]), 400, "input"),
        ("input", json!([-1]), 400, "input"),
        ("input", json!({"text": "a"}), 400, "input"),
        ("input", json!(["a", "x".repeat(2049)]), 400, "input"),
        ("input", json!(vec!["a"; 2049]), 400, "input"),
        ("input", json!(vec!["x".repeat(2000); 151]), 400, "input"),
        ("dimensions", json!(size / 2), 400, "dimensions"),
        ("encoding_format", json!("int8"), 400, "encoding_format"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = member.post(PATH, body).await;
        let error: WireError = serde_json::from_str(&answer.text).unwrap();
        let found = (answer.status.as_u16(), error.error.param.as_deref());
        assert_eq!(found, (status, Some(param)), "{}", answer.text);
    }
    let mut own = good.clone();
    own["dimensions"] = json!(size);
    assert_eq!(list(&member, own).await.data.len(), 1);
    let large = json!({"model": "a", "input": "x".repeat(4 << 20)});
    assert_eq!(member.post(PATH, large).await.status.as_u16(), 413);
    let stranger = server.stranger().await;
    assert_eq!(stranger.post(PATH, good).await.status.as_u16(), 404);
}

/// Sends a request and leaves without reading an answer.
pub async fn ask_and_leave(server: &TestServer, member: &Client, path: &str, body: Value) {
    let (name, value) = member.credentials();
    let body = body.to_string();
    let length = body.len();
    let host = server.url.trim_start_matches("http://");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(host).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
}

async fn a_client_that_leaves_is_not_computed_for(server: TestServer) {
    let member = server.member().await;
    let model = base(&member).await;
    let long = json!({"model": model, "input": vec!["x".repeat(146); 2048]});
    let chat = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2000, "seed": 1});
    for (path, body, count) in [(PATH, long, 1.0), ("/v1/chat/completions", chat, 2.0)] {
        ask_and_leave(&server, &member, path, body).await;
        let recorded = |dashboard: &Dashboard| dashboard.calls.value == Some(count);
        member.wait("/api/v1/dashboard", recorded).await;
    }
    let cancelled = "select count(*) from calls where outcome = 'cancelled'";
    assert_eq!(server.number(cancelled).await, 2);
}
