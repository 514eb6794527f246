//! Assistants that an outside vLLM server hosts.

use crate::{
    chat::trained_agent,
    documents::ready,
    helpers::{Client, TestServer},
    training::built_in_base,
    vllm_peer::{KEY, Peer},
};
use cerebros_api::config::VllmConfig;
use cerebros_common::{
    accounts::ServerFacts,
    agents::{Agent, Host},
    chat::{ChatCompletion, ChatCompletionChunk, FinishReason, WireError},
    dashboard::Dashboard,
    errors::ErrorCode,
};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

on_both_databases!(a_hosted_assistant_answers_as_others_do, what_vllm_does_not_take_is_told,);

const PATH: &str = "/v1/chat/completions";
const BASE: &str = "acme/cerebros-tiny";

/// A server with a vLLM of its own, which reads adapters from the directory.
async fn hosting(shared: &TestServer, peer: &Peer, directory: &Path) -> TestServer {
    let vllm = VllmConfig {
        url: peer.url.parse().unwrap(),
        api_key: Some(KEY.to_owned()),
        adapters_dir: directory.to_owned(),
        adapters_path: directory.to_owned(),
    };
    TestServer::start_with(shared.kind, move |config| config.vllm = Some(vllm)).await
}

async fn current(member: &Client, agent: &Agent) -> Agent {
    member.get(&format!("/api/v1/agents/{}", agent.id)).await.data()
}

async fn change(member: &Client, agent: &Agent, body: Value) -> crate::helpers::Answer {
    let version = current(member, agent).await.version;
    member
        .patch(&format!("/api/v1/agents/{}", agent.id), version, body)
        .await
}

fn question(agent: &Agent, content: &str) -> Value {
    json!({"model": format!("agent:{}", agent.id), "messages": [{"role": "user", "content": content}]})
}

async fn answer(member: &Client, body: Value) -> ChatCompletion {
    let answer = member.post(PATH, body).await;
    serde_json::from_str(&answer.text).unwrap_or_else(|_| panic!("{}", answer.text))
}

fn text(answer: &ChatCompletion) -> &str {
    answer.choices[0].message.content.as_deref().unwrap()
}

async fn a_hosted_assistant_answers_as_others_do(shared: TestServer) {
    let (peer, directory) = (Peer::start(BASE), TempDir::new().unwrap());
    let server = hosting(&shared, &peer, directory.path()).await;
    let member = server.member().await;
    assert!(member.get("/api/v1/server").await.data::<ServerFacts>().vllm);
    let agent = current(&member, &trained_agent(&member).await).await;
    assert_eq!(agent.host, Host::Embedded);
    let name = format!("cerebros-{}", agent.model_id.unwrap());
    let placed = directory.path().join(agent.model_id.unwrap().to_string());

    let deployed: Agent = change(&member, &agent, json!({"host": "vllm"})).await.data();
    assert_eq!(deployed.host, Host::Vllm);
    assert_eq!(
        peer.with(|state| state.loaded.get(&name).cloned()),
        placed.to_str().map(str::to_owned)
    );

    // Whole, streamed, with what vLLM knows passed on.
    let mut body = question(&agent, "When does the gate open?");
    body["temperature"] = json!(0.5);
    body["seed"] = json!(-7);
    body["stop"] = json!("never");
    body["n"] = json!(2);
    body["logprobs"] = json!(true);
    body["response_format"] = json!({"type": "json_object"});
    let whole = answer(&member, body.clone()).await;
    assert_eq!((whole.choices.len(), text(&whole)), (2, "When does the gate open?"));
    assert_eq!(whole.choices[1].finish_reason, FinishReason::Stop);
    assert_eq!(whole.choices[1].logprobs.as_ref().unwrap().content.len(), 5);
    assert_eq!((whole.usage.prompt_tokens, whole.usage.completion_tokens), (24, 14));
    let asked = peer.with(|state| state.asked.last().cloned().unwrap());
    assert_eq!(
        (&asked["model"], &asked["seed"], &asked["temperature"]),
        (&json!(name), &json!(-7), &json!(0.5))
    );
    assert_eq!((&asked["stop"], &asked["max_tokens"]), (&json!(["never"]), &json!(256)));
    assert_eq!(asked["response_format"], json!({"type": "json_object"}));
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let stream = member.post(PATH, body).await.text;
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks: Vec<ChatCompletionChunk> = data
        .take_while(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let first = chunks
        .iter()
        .flat_map(|chunk| &chunk.choices)
        .filter(|choice| choice.index == 0);
    let heard: String = first.filter_map(|choice| choice.delta.content.clone()).collect();
    assert_eq!(heard, text(&whole));
    assert_eq!(chunks.last().unwrap().usage, Some(whole.usage));

    // Functions.
    let mut body = question(&agent, "Open it.");
    body["tools"] = json!([{"type": "function", "function": {"name": "open_gate", "parameters": {"type": "object"}}}]);
    body["tool_choice"] = json!("required");
    let called = answer(&member, body).await;
    let call = &called.choices[0].message.tool_calls.as_ref().unwrap()[0].function;
    assert_eq!(called.choices[0].finish_reason, FinishReason::ToolCalls);
    assert_eq!(
        (call.name.as_str(), call.arguments.as_str()),
        ("open_gate", "{\"gate\": \"north\"}")
    );

    // Retrieval: as many passages as vLLM has room for, and what the model has read is cited.
    let filler = "The harbour gate was painted, and nobody had anything else to say about the gate.\n\n".repeat(20);
    let log = format!("# Harbour\n\nThe harbour gate opens at nine for all ships.\n\n{filler}");
    ready(&member, &agent, "reference", "log.md", log.as_bytes()).await;
    let mut body = question(&agent, "When does the harbour gate open?");
    body["documents"] = json!(true);
    let cited = answer(&member, body).await;
    let citations = cited.choices[0].message.citations.as_ref().unwrap();
    let sent = peer.with(|state| state.asked.last().unwrap()["messages"][0]["content"].clone());
    let sent = sent.as_str().unwrap();
    assert!(!citations.is_empty() && citations.iter().all(|citation| sent.contains(&citation.passage.quote)));
    assert!(!sent.contains(&format!("[{}] log", citations.len() + 1)), "{sent}");

    // After a restart it has forgotten: the next question has it load again.
    peer.with(|state| state.loaded.clear());
    assert_eq!(text(&answer(&member, question(&agent, "Again?")).await), "Again?");
    assert_eq!(peer.with(|state| (state.loaded.len(), state.loads)), (1, 2));

    stop_midway(&server, &member, &agent, &peer).await;

    // What a process left that died while it placed something.
    let left = directory.path().join(".left");
    std::fs::create_dir(&left).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    std::fs::File::open(&left).unwrap().set_modified(long_ago).unwrap();

    // Offline, it is unloaded and its files are gone; the embedded engine answers from then on.
    change(&member, &agent, json!({"host": "embedded"}))
        .await
        .data::<Agent>();
    server.until_none_live("sweep_adapters").await;
    assert!(peer.with(|state| state.loaded.is_empty()) && !placed.exists() && !left.exists());
    let count = peer.with(|state| state.asked.len());
    let embedded = answer(&member, question(&agent, "Who answers?")).await;
    assert_ne!(text(&embedded), "Who answers?");
    assert_eq!(peer.with(|state| state.asked.len()), count);

    // What was deleted is nowhere any more.
    change(&member, &agent, json!({"host": "vllm"})).await.data::<Agent>();
    assert!(peer.with(|state| state.loaded.contains_key(&name)) && placed.exists());
    let path = format!("/api/v1/agents/{}", agent.id);
    assert_eq!(member.delete_any_version(&path).await.status.as_u16(), 204);
    server.until_none_live("erase").await;
    assert!(peer.with(|state| state.loaded.is_empty()) && !placed.exists());
    server.stop().await;
}

/// A client that leaves stops the model, streamed or not, and that is recorded.
async fn stop_midway(server: &TestServer, member: &Client, agent: &Agent, peer: &Peer) {
    let recorded = async |count: f64| {
        let as_many = |dashboard: &Dashboard| dashboard.calls.value == Some(count);
        member.wait("/api/v1/dashboard", as_many).await;
    };
    let before = member
        .get("/api/v1/dashboard")
        .await
        .data::<Dashboard>()
        .calls
        .value
        .unwrap();
    let mut body = question(agent, "endless");
    body["stream"] = json!(true);
    let request = member.request(Method::POST, PATH).json(&body).send().await.unwrap();
    let mut stream = request.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    peer.until_gone(1).await;
    recorded(before + 1.0).await;
    crate::embeddings::ask_and_leave(server, member, PATH, question(agent, "endless")).await;
    recorded(before + 2.0).await;
    let cancelled = "select count(*) from calls where outcome = 'cancelled'";
    assert_eq!(server.number(cancelled).await, 2);
}

async fn what_vllm_does_not_take_is_told(shared: TestServer) {
    let member = shared.member().await;
    assert!(!member.get("/api/v1/server").await.data::<ServerFacts>().vllm);
    let agent = crate::documents::agent(&member).await;
    let refused = change(&member, &agent, json!({"host": "vllm"})).await.problem();
    assert_eq!(
        (refused.error, refused.details[0].path.as_str()),
        (ErrorCode::InvalidRequest, "host")
    );

    let (peer, directory) = (Peer::start("acme/another"), TempDir::new().unwrap());
    let server = hosting(&shared, &peer, directory.path()).await;
    let member = server.member().await;
    let agent = current(&member, &trained_agent(&member).await).await;
    let refusal = async || {
        let problem = change(&member, &agent, json!({"host": "vllm"})).await.problem();
        assert_eq!(
            current(&member, &agent).await.host,
            Host::Embedded,
            "nothing was changed"
        );
        (problem.error, problem.detail)
    };
    let (error, detail) = refusal().await;
    assert_eq!(error, ErrorCode::Conflict);
    assert!(
        detail.contains("acme/another") && detail.contains(&built_in_base(&member).await.name),
        "{detail}"
    );
    peer.with(|state| {
        state.base = BASE.to_owned();
        state.max_rank = 2;
    });
    let (error, detail) = refusal().await;
    assert!(
        error == ErrorCode::Conflict && detail.contains("--max-lora-rank"),
        "{detail}"
    );
    peer.with(|state| state.max_rank = 16);

    // Hosted, but then something is not as it was.
    let deployed: Agent = change(&member, &agent, json!({"host": "vllm"})).await.data();
    assert_eq!(deployed.host, Host::Vllm);
    let refused = async |body: Value| {
        let answer = member.post(PATH, body).await;
        let error: WireError = serde_json::from_str(&answer.text).unwrap();
        (answer.status.as_u16(), error.error.message, error.error.code)
    };
    let (status, message, code) = refused(question(&agent, &"x".repeat(2000))).await;
    assert_eq!(
        (status, code.as_deref()),
        (400, Some("context_length_exceeded")),
        "{message}"
    );
    // Shortened, a long answer takes what is left.
    let mut long = question(&agent, &"x".repeat(1300));
    long["max_tokens"] = json!(1000);
    assert_eq!(answer(&member, long).await.choices.len(), 1);
    peer.with(|state| {
        state.base = "acme/another".to_owned();
        state.loaded.clear();
    });
    let (status, message, _) = refused(question(&agent, "Hi")).await;
    assert!(status == 409 && message.contains("acme/another"), "{status} {message}");
    peer.stop().await;
    let (status, message, _) = refused(question(&agent, "Hi")).await;
    assert!(
        status == 503 && message.contains("cannot be reached right now"),
        "{message}"
    );
    change(&member, &agent, json!({"host": "embedded"}))
        .await
        .data::<Agent>();
    let (error, detail) = refusal().await;
    assert!(
        error == ErrorCode::Unavailable && detail.contains("cannot be reached"),
        "{detail}"
    );
    server.stop().await;
}
