use crate::{
    helpers::{Answer, TestServer},
    members::{join, workspace},
};
use cerebros_common::{
    api_keys::NewApiKeySecret,
    bases::{Base, BaseSource},
    errors::ErrorCode,
    wire::Page,
    workspaces::{Role, Workspace},
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

on_both_databases!(
    a_workspace_is_made_found_and_renamed,
    a_workspace_of_others_is_not_there,
    a_key_reaches_only_its_own_workspace,
    nobody_owns_more_than_fifty,
    a_repeated_request_makes_one_workspace,
);

async fn a_workspace_is_made_found_and_renamed(server: TestServer) {
    let member = server.member().await;
    let created = member.post("/api/v1/workspaces", json!({"name": " Team "})).await;
    let path = created.headers[header::LOCATION].to_str().unwrap().to_owned();
    let team: Workspace = created.data();
    assert_eq!(
        (team.name.as_str(), team.personal, team.role),
        ("Team", false, Role::Owner)
    );
    let listed: Page<Workspace> = member.get("/api/v1/workspaces").await.data();
    assert!(listed.items[0].personal);
    assert_eq!(listed.items[1], team);

    let bases: Page<Base> = member.within(&team).get("/api/v1/bases").await.data();
    assert_eq!(bases.items[0].source, BaseSource::BuiltIn);

    let renamed: Workspace = member.patch(&path, team.version, json!({"name": "Crew"})).await.data();
    assert_eq!((renamed.name.as_str(), renamed.version), ("Crew", team.version + 1));
    let found = member.get(&path).await;
    let etag = found.headers[header::ETAG].to_str().unwrap();
    assert!(etag.starts_with(&format!("\"{}-", renamed.version)), "{etag}");
    assert_eq!(found.data::<Workspace>(), renamed);
    let stale = member
        .patch(&path, team.version, json!({"name": "Late"}))
        .await
        .problem();
    assert_eq!(stale.error, ErrorCode::StaleVersion);
    let blank = member
        .patch(&path, renamed.version, json!({"name": " "}))
        .await
        .problem();
    assert_eq!(blank.details[0].path, "name");
}

async fn a_workspace_of_others_is_not_there(server: TestServer) {
    let (owner, stranger) = (server.member().await, server.stranger().await);
    let team = workspace(&owner, "Team").await;
    let path = format!("/api/v1/workspaces/{}", team.id);
    assert_eq!(stranger.get(&path).await.problem().error, ErrorCode::NotFound);
    let patch = stranger.patch(&path, team.version, json!({"name": "Mine"})).await;
    assert_eq!(patch.problem().error, ErrorCode::NotFound);
    // The path decides, whatever workspace of theirs they name beside it.
    let request = stranger.request(Method::GET, &path);
    let personal: Page<Workspace> = stranger.get("/api/v1/workspaces").await.data();
    let named = request.header("x-workspace-id", personal.items[0].id.to_string());
    assert_eq!(Answer::of(named).await.problem().error, ErrorCode::NotFound);

    join(&owner, &team, &stranger, Role::Editor).await;
    assert_eq!(stranger.get(&path).await.data::<Workspace>().role, Role::Editor);
    let patch = stranger.patch(&path, team.version, json!({"name": "Mine"})).await;
    assert_eq!(patch.problem().error, ErrorCode::Forbidden);
    assert_eq!(
        stranger.get("/api/v1/workspaces/7").await.problem().error,
        ErrorCode::InvalidRequest
    );
}

async fn a_key_reaches_only_its_own_workspace(server: TestServer) {
    let member = server.member().await;
    let team = workspace(&member, "Team").await;
    let other = workspace(&member, "Other").await;
    let new = json!({"name": "script", "scopes": ["read", "admin"]});
    let key: NewApiKeySecret = member.within(&team).post("/api/v1/api-keys", new).await.data();
    let script = server.anonymous().with_key(&key.secret);
    let own: Workspace = script.get(&format!("/api/v1/workspaces/{}", team.id)).await.data();
    assert_eq!(own, team);
    let path = format!("/api/v1/workspaces/{}", other.id);
    assert_eq!(script.get(&path).await.problem().error, ErrorCode::NotFound);
    let patch = script.patch(&path, other.version, json!({"name": "Mine"})).await;
    assert_eq!(patch.problem().error, ErrorCode::NotFound);
    let create = script.post("/api/v1/workspaces", json!({"name": "Mine"})).await;
    assert_eq!(create.problem().error, ErrorCode::Unauthenticated);
}

async fn nobody_owns_more_than_fifty(server: TestServer) {
    let member = server.member().await;
    for _ in 0..47 {
        workspace(&member, "One of many").await;
    }
    // Room for two more besides the personal one; four ask at once.
    let ask = || member.post("/api/v1/workspaces", json!({"name": "Last"}));
    let answers: [Answer; 4] = tokio::join!(ask(), ask(), ask(), ask()).into();
    let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(made.count(), 2);
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!(refused.problem().error, ErrorCode::Conflict);
    }
    let all: Page<Workspace> = member.get("/api/v1/workspaces").await.data();
    assert_eq!(all.total, 50);
}

async fn a_repeated_request_makes_one_workspace(server: TestServer) {
    let member = server.member().await;
    let ask = || {
        let request = member.request(Method::POST, "/api/v1/workspaces");
        let request = request.header("idempotency-key", "once");
        Answer::of(request.json(&json!({"name": "Team"})))
    };
    let first: Workspace = ask().await.data();
    assert_eq!(ask().await.data::<Workspace>(), first);
    let all: Page<Workspace> = member.get("/api/v1/workspaces").await.data();
    assert_eq!(all.total, 2);
}
