//! Conversations: kept as they are said, and their person's alone.

use crate::{
    chat::trained_agent,
    documents::ready,
    helpers::{Client, TestServer},
    members,
    wire::completion,
};
use cerebros_common::{
    agents::Agent,
    chat::{ChatRole, WireError},
    conversations::{Conversation, Transcript},
    errors::ErrorCode,
    wire::Page,
    workspaces::Role,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

on_both_databases!(
    what_is_said_is_kept,
    an_answer_cut_short_is_kept_as_far_as_it_came,
    a_conversation_is_its_persons_alone,
    conversations_are_listed_renamed_and_deleted,
);

const CONVERSATIONS: &str = "/api/v1/conversations";

async fn begun(client: &Client, agent: &Agent) -> Conversation {
    client.post(CONVERSATIONS, json!({"agent_id": agent.id})).await.data()
}

async fn read(client: &Client, conversation: &Conversation) -> Transcript {
    client.get(&format!("{CONVERSATIONS}/{}", conversation.id)).await.data()
}

fn question(agent: &Agent, conversation: &Conversation, said: &[(&str, &str)]) -> Value {
    let messages: Vec<Value> = said
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    json!({
        "model": format!("agent:{}", agent.id), "messages": messages, "conversation_id": conversation.id,
        "max_tokens": 4, "temperature": 0, "documents": true,
    })
}

async fn answer(client: &Client, body: Value) -> String {
    completion(client, body).await.choices[0]
        .message
        .content
        .clone()
        .unwrap()
}

fn said(transcript: &Transcript) -> Vec<(ChatRole, &str)> {
    let messages = transcript.messages.iter();
    messages
        .map(|message| (message.role, message.content.as_str()))
        .collect()
}

async fn what_is_said_is_kept(server: TestServer) {
    let member = server.member().await;
    let agent = trained_agent(&member).await;
    ready(&member, &agent, "reference", "gate.txt", b"The gate opens at nine.").await;
    let conversation = begun(&member, &agent).await;
    assert_eq!((conversation.title.as_str(), conversation.messages), ("", 0));

    let first = "When does\nthe gate open?";
    let stored = |text: &str| text.replace('\0', "\u{fffd}");
    let one = answer(&member, question(&agent, &conversation, &[("user", first)])).await;
    let kept = read(&member, &conversation).await;
    assert_eq!(
        said(&kept),
        [(ChatRole::User, first), (ChatRole::Assistant, stored(&one).as_str())]
    );
    assert_eq!(kept.conversation.title, "When does the gate open?");
    assert_eq!((kept.conversation.messages, kept.messages.len()), (2, 2));
    let cited = kept.messages[1].citations.clone().unwrap();
    assert_eq!(cited[0].passage.quote, "The gate opens at nine.");

    // It goes on, streamed; what was said before stays as it was, citations and all.
    let mut more = question(
        &agent,
        &conversation,
        &[("user", first), ("assistant", &stored(&one)), ("user", "Zebras?")],
    );
    more["stream"] = json!(true);
    let stream = member.post("/v1/chat/completions", more).await.text;
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    let longer = read(&member, &conversation).await;
    assert_eq!(longer.messages[..2], kept.messages);
    assert_eq!(said(&longer)[2], (ChatRole::User, "Zebras?"));
    assert_eq!(
        (longer.messages[3].role, longer.messages.len()),
        (ChatRole::Assistant, 4)
    );
    assert!(longer.conversation.version > kept.conversation.version);

    // Another first question takes the place of all that.
    let again = answer(&member, question(&agent, &conversation, &[("user", "Who?")])).await;
    let edited = read(&member, &conversation).await;
    assert_eq!(
        said(&edited),
        [(ChatRole::User, "Who?"), (ChatRole::Assistant, stored(&again).as_str())]
    );
    assert_eq!(edited.conversation.title, "When does the gate open?");
}

async fn an_answer_cut_short_is_kept_as_far_as_it_came(server: TestServer) {
    let member = server.member().await;
    let agent = trained_agent(&member).await;
    let conversation = begun(&member, &agent).await;
    let mut body = question(&agent, &conversation, &[("user", "Tell me everything.")]);
    body["stream"] = json!(true);
    body["max_tokens"] = json!(1900);
    // Noise at a high temperature does not end by itself soon.
    body["temperature"] = json!(2);
    body["seed"] = json!(1);
    let request = member
        .request(reqwest::Method::POST, "/v1/chat/completions")
        .json(&body);
    let mut stream = request.send().await.unwrap();
    let mut heard = String::new();
    while heard.matches("\"content\"").count() < 4 {
        heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    drop(stream);
    let path = format!("{CONVERSATIONS}/{}", conversation.id);
    let kept: Transcript = member
        .wait(&path, |transcript: &Transcript| transcript.messages.len() == 2)
        .await;
    let length = kept.messages[1].content.chars().count();
    assert!((2..1900).contains(&length), "{length}");
}

async fn a_conversation_is_its_persons_alone(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent = trained_agent(&member).await;
    let conversation = begun(&member, &agent).await;
    let path = format!("{CONVERSATIONS}/{}", conversation.id);
    let team = members::workspace(&member, "Harbour").await;
    let shared = member.within(&team);
    let other = crate::documents::agent(&shared).await;
    let friend = server.sign_up("friend@example.com").await;
    members::join(&member, &team, &friend, Role::Admin).await;
    let friend = friend.within(&team);
    let own = begun(&shared, &other).await;
    let path_there = format!("{CONVERSATIONS}/{}", own.id);
    for (client, path) in [(&stranger, &path), (&friend, &path_there), (&shared, &path)] {
        assert_eq!(client.get(path).await.problem().error, ErrorCode::NotFound);
        assert_eq!(
            client.delete_any_version(path).await.problem().error,
            ErrorCode::NotFound
        );
    }
    let listed: Page<Conversation> = friend.get(CONVERSATIONS).await.data();
    assert_eq!(listed.total, 0);

    // Only with its own assistant, and in no one else's.
    let asked = [("user", "Hi")];
    let answer = stranger.post("/v1/chat/completions", question(&agent, &conversation, &asked));
    assert_eq!(answer.await.status, StatusCode::NOT_FOUND);
    let second = trained_agent(&member).await;
    let answer = member
        .post("/v1/chat/completions", question(&second, &conversation, &asked))
        .await;
    let error: WireError = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(error.error.param.as_deref(), Some("conversation_id"), "{}", answer.text);
    assert_eq!(read(&member, &conversation).await.messages, []);
}

async fn conversations_are_listed_renamed_and_deleted(server: TestServer) {
    let member = server.member().await;
    let agent = crate::documents::agent(&member).await;
    let other = crate::documents::agent(&member).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(begun(&member, &agent).await);
    }
    begun(&member, &other).await;
    let first = format!("{CONVERSATIONS}/{}", made[0].id);
    let renamed = member.patch(&first, made[0].version, json!({"title": " Gates "})).await;
    let renamed: Conversation = renamed.data();
    assert_eq!((renamed.title.as_str(), renamed.version), ("Gates", 2));
    let stale = member.patch(&first, 1, json!({"title": "Ships"})).await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
    let blank = member.patch(&first, 2, json!({"title": " "})).await.problem();
    assert_eq!(blank.details[0].path, "title");

    let list = async |page: u32| -> Page<Conversation> {
        let path = format!("{CONVERSATIONS}?agent_id={}&limit=2&page={page}", agent.id);
        member.get(&path).await.data()
    };
    let (one, two) = (list(1).await, list(2).await);
    assert_eq!((one.total, one.items.len(), two.items.len()), (3, 2, 1));
    assert_eq!(one.items[0], renamed, "the last one changed comes first");

    assert_eq!(member.delete_any_version(&first).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&first).await.problem().error, ErrorCode::NotFound);
    assert_eq!(list(1).await.total, 2);
    let body = json!({"subject": "agent", "id": agent.id, "confirmation": agent.name});
    assert_eq!(member.post("/api/v1/deletions", body).await.status, StatusCode::CREATED);
    let all: Page<Conversation> = member.get(CONVERSATIONS).await.data();
    assert_eq!(all.total, 1, "they go with their assistant");
}
