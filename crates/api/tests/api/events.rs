use crate::helpers::{Client, DEADLINE, TestServer};
use cerebros_common::{
    agents::Agent,
    events::{Event, EventKind},
};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;

on_both_databases!(
    events_replay_and_then_come_live,
    a_number_from_elsewhere_gives_a_reset,
    the_stream_ends_on_shutdown
);

/// Reads events until `count` have come.
pub async fn read(client: &Client, after: Option<i64>, count: usize) -> Vec<Event> {
    let path = match after {
        Some(after) => format!("/api/v1/events?after={after}"),
        None => "/api/v1/events".to_owned(),
    };
    let response = client.request(Method::GET, &path).send().await.unwrap();
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let mut events = Vec::new();
    while events.len() < count {
        let part = tokio::time::timeout(DEADLINE, stream.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        text.push_str(std::str::from_utf8(&part).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            let data = message.lines().find_map(|line| line.strip_prefix("data: "));
            let event = data.map(|data| serde_json::from_str::<Event>(data).unwrap());
            // They are the person's, not the workspace's.
            events.extend(event.filter(|event| event.kind != EventKind::NotificationsChanged));
            text = rest.to_owned();
        }
    }
    events
}

async fn events_replay_and_then_come_live(server: TestServer) {
    let member = server.member().await;
    let first: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let reader = member.clone();
    let reading = tokio::spawn(async move { read(&reader, Some(0), 2).await });
    let second: Agent = member.post("/api/v1/agents", json!({"name": "B"})).await.data();
    let events = reading.await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        events.iter().map(|event| event.id).collect::<Vec<_>>(),
        [first.id.0, second.id.0]
    );
    assert!(events.iter().all(|event| event.kind == EventKind::AgentChanged));
}

async fn a_number_from_elsewhere_gives_a_reset(server: TestServer) {
    let member = server.member().await;
    member
        .post("/api/v1/agents", json!({"name": "A"}))
        .await
        .data::<Agent>();
    let events = read(&member, Some(1000), 1).await;
    assert_eq!((events[0].kind, events[0].seq), (EventKind::Reset, 1));
}

async fn the_stream_ends_on_shutdown(server: TestServer) {
    let member = server.member().await;
    let mut response = member.request(Method::GET, "/api/v1/events").send().await.unwrap();
    server.stop().await;
    let ended = async { while let Ok(Some(_)) = response.chunk().await {} };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
}
