//! The clients against scripted peers.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

mod broken;
mod dialects;

use cerebros_llm::{Chat, Client, Deadlines, Dialect, Endpoint, Reach};
use serde_json::json;
use std::time::Duration;

const KEY: &str = "sk-canary-0123456789";

fn client(dialect: Dialect, base_url: &str) -> Client {
    // The program that uses the clients chooses the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = Endpoint {
        dialect,
        base_url: base_url.parse().unwrap(),
        key: Some(KEY.to_owned()),
    };
    let deadlines = Deadlines {
        stall: Duration::from_millis(200),
        ..Deadlines::default()
    };
    Client::new(endpoint, &Reach::new(vec!["127.0.0.0/8".parse().unwrap()]), deadlines).unwrap()
}

fn question() -> Chat {
    Chat {
        model: "small-1".to_owned(),
        system: "Answer.".to_owned(),
        user: "Who?".to_owned(),
        schema: None,
        max_tokens: 50,
        idempotency_key: "question-1".to_owned(),
    }
}

fn structured() -> Chat {
    let schema = json!({
        "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": false,
    });
    Chat {
        schema: Some(("answer".to_owned(), schema)),
        ..question()
    }
}
