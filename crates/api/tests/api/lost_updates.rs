//! Two who change the same version at once: one wins, the other is told.

use crate::{
    helpers::{Client, TestServer, rounds},
    members::{member_of, team},
};
use cerebros_common::{accounts::Profile, agents::Agent, examples::Example};
use serde_json::{Value, json};

on_both_databases!(no_update_is_lost);

/// Sends pairs of changes that build on one version, and sees that each pair has one winner whose change stays.
async fn race(name: &str, client: &Client, path: &str, mut version: i64, change: impl Fn(usize) -> Value) {
    for round in 0..rounds() {
        let (mine, yours) = (change(2 * round), change(2 * round + 1));
        let answers = tokio::join!(
            client.patch(path, version, mine.clone()),
            client.patch(path, version, yours.clone())
        );
        let statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
        let (winner, change) = match statuses {
            [200, 412] => (answers.0, mine),
            [412, 200] => (answers.1, yours),
            other => panic!("{name}: {other:?} {} {}", answers.0.text, answers.1.text),
        };
        let now: Value = winner.data();
        let etag = winner.headers["etag"].to_str().unwrap();
        let etag: i64 = etag.trim_matches('"').split('-').next().unwrap().parse().unwrap();
        assert_eq!(etag, version + 1, "{name}");
        for (field, value) in change.as_object().unwrap() {
            let shown = now.get(field).or_else(|| now["user"].get(field));
            assert_eq!(shown, Some(value), "{name}");
        }
        version = etag;
    }
}

async fn no_update_is_lost(server: TestServer) {
    let team = team(&server).await;
    let owner = &team.owner;
    let named = |index: usize| json!({"name": format!("Name {index}")});
    let agent: Agent = owner.post("/api/v1/agents", json!({"name": "A"})).await.data();
    race(
        "agents",
        owner,
        &format!("/api/v1/agents/{}", agent.id),
        agent.version,
        named,
    )
    .await;

    let new = json!({"agent_id": agent.id, "prompt": "p", "response": "r"});
    let example: Example = owner.post("/api/v1/examples", new).await.data();
    let path = format!("/api/v1/examples/{}", example.id);
    let worded = |index: usize| json!({"response": format!("Response {index}")});
    race("examples", owner, &path, example.version, worded).await;

    let instructed = |index: usize| json!({"instructions": format!("Ask {index}.")});
    race("templates", owner, "/api/v1/templates/prose", 1, instructed).await;

    let path = format!("/api/v1/workspaces/{}", team.workspace.id);
    race("workspaces", owner, &path, team.workspace.version, named).await;

    let profile: Profile = owner.get("/api/v1/account").await.data();
    race("account", owner, "/api/v1/account", profile.version, named).await;

    let member = member_of(owner, &team.viewer).await;
    let path = format!("/api/v1/members/{}", member.user_id);
    let ranked = |index: usize| json!({"role": (["viewer", "reviewer", "editor", "admin"][index % 4])});
    race("members", owner, &path, member.version, ranked).await;
}
