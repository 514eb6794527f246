//! Every operation of the OpenAPI document, asked by a stranger about a member's rows. The paths come from the document,
//! so that a new operation without an entry here fails.

use crate::{
    account, contract,
    helpers::{Answer, Client, TestServer, fixture},
    members::workspace,
    training::{built_in_base, end_of, ready_dataset, rows, start_job},
};
use cerebros_common::{
    accounts::{DeviceSession, Profile, Session},
    agents::Agent,
    api_keys::NewApiKeySecret,
    deletions::Deletion,
    documents::{Document, DocumentStatus},
    examples::Example,
    jobs::Job,
    notifications::Notification,
    wire::{CursorPage, Page},
    workspaces::SentInvitation,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::collections::HashMap;

on_both_databases!(a_stranger_reaches_no_row);

/// One id of a member's row per path, and the whole set, which must not show in any answer.
struct Rows {
    by_collection: HashMap<&'static str, String>,
    agent: Agent,
    job: Job,
    dataset: String,
    base: String,
}

async fn rows_of(member: &Client) -> Rows {
    let agent: Agent = member
        .post("/api/v1/agents", json!({"name": "Secret agent"}))
        .await
        .data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=work_product", agent.id);
    let name = "remote-work-policy.pdf";
    let document: Document = member.upload(&upload, name, fixture(name)).await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    member
        .wait(&path, |document: &Document| {
            document.status == DocumentStatus::Ready && document.examples > 0
        })
        .await;
    let examples: CursorPage<Example> = member
        .get(&format!("/api/v1/examples?agent_id={}", agent.id))
        .await
        .data();
    let sessions: Page<DeviceSession> = member.get("/api/v1/sessions").await.data();
    let key: NewApiKeySecret = member.post("/api/v1/api-keys", json!({"name": "secret"})).await.data();
    let dataset = ready_dataset(member, &rows(6)).await;
    let job = end_of(member, &start_job(member, &dataset, Some(&agent), 1).await).await;
    let base = built_in_base(member).await.id.to_string();
    let doomed: Agent = member.post("/api/v1/agents", json!({"name": "Doomed"})).await.data();
    let doomed = json!({"subject": "agent", "id": doomed.id, "confirmation": "Doomed"});
    let deleted: Deletion = member.post("/api/v1/deletions", doomed).await.data();
    let agent: Agent = member.get(&format!("/api/v1/agents/{}", agent.id)).await.data();
    let team = workspace(member, "Team").await;
    let new = json!({"email": "friend@example.org", "role": "viewer"});
    let sent: SentInvitation = member.within(&team).post("/api/v1/invitations", new).await.data();
    let told: CursorPage<Notification> = member.get("/api/v1/notifications").await.data();
    let picture = member.request(Method::PUT, "/api/v1/account/avatar");
    let picture = picture
        .header(header::CONTENT_TYPE, "image/png")
        .body(account::picture());
    let user = Answer::of(picture).await.data::<Profile>().user;
    let by_collection = HashMap::from([
        ("agents", agent.id.to_string()),
        ("documents", document.id.to_string()),
        ("examples", examples.items[0].id.to_string()),
        ("sessions", sessions.items[0].id.to_string()),
        ("api-keys", key.api_key.id.to_string()),
        ("datasets", dataset.id.to_string()),
        ("jobs", job.id.to_string()),
        ("models", job.model_id.unwrap().to_string()),
        ("bases", base.clone()),
        ("deletions", deleted.id.to_string()),
        // Open to whoever knows its own id, which nobody can guess.
        ("receipts", deleted.id.to_string()),
        ("workspaces", team.id.to_string()),
        ("members", user.id.to_string()),
        ("users", user.id.to_string()),
        ("invitations", sent.invitation.id.to_string()),
        ("notifications", told.items[0].id.to_string()),
    ]);
    Rows {
        by_collection,
        agent,
        job,
        dataset: dataset.id.to_string(),
        base,
    }
}

/// Bodies and queries that point at the member's rows, by operation id.
fn aimed(operation: &str, rows: &Rows) -> Option<(String, Value)> {
    let agent = rows.agent.id;
    Some(match operation {
        "update_agent" => (String::new(), json!({"name": "Mine now"})),
        "update_workspace" => (String::new(), json!({"name": "Mine now"})),
        "update_member" => (String::new(), json!({"role": "viewer"})),
        "update_example" => (String::new(), json!({"status": "approved"})),
        "create_example" => (
            String::new(),
            json!({"agent_id": agent, "prompt": "p", "response": "r"}),
        ),
        "review_examples" => (String::new(), json!({"agent_id": agent, "status": "approved"})),
        "create_dataset" => (String::new(), json!({"agent_id": agent, "name": "Mine now"})),
        "create_job" => (
            String::new(),
            json!({"dataset_id": rows.dataset, "base_id": rows.base, "agent_id": agent}),
        ),
        "create_document" => (format!("?agent_id={agent}&kind=reference"), Value::Null),
        "search_passages" => (format!("?q=remote%20work&agent_id={agent}"), Value::Null),
        "preview_deletion" => (String::new(), json!({"subject": "agent", "id": agent})),
        "create_deletion" => (
            String::new(),
            json!({"subject": "agent", "id": agent, "confirmation": "Secret agent"}),
        ),
        "list_audit" => (format!("?subject_id={agent}"), Value::Null),
        "list_documents" | "list_examples" | "list_datasets" | "list_jobs" | "list_models" => {
            (format!("?agent_id={agent}"), Value::Null)
        }
        "create_chat_completion" => {
            let messages = json!([{"role": "user", "content": "Tell me"}]);
            (
                String::new(),
                json!({"model": format!("agent:{agent}"), "messages": messages}),
            )
        }
        _ => return None,
    })
}

/// Operations that touch nothing but rows of whoever calls them.
const OWN_ONLY: &[&str] = &[
    "export_account",
    "list_provider_keys",
    "put_provider_key",
    "delete_provider_key",
    "sign_up",
    "sign_in",
    "sign_out",
    "find_session",
    "list_workspaces",
    "list_sessions",
    "delete_other_sessions",
    "list_api_keys",
    "create_api_key",
    "list_agents",
    "create_agent",
    "list_bases",
    "create_base",
    "upload_dataset",
    "find_dashboard",
    "stream_events",
    "list_model_objects",
    "list_members",
    "list_invitations",
    "create_invitation",
    // By the token of a link: see the tests of invitations.
    "look_at_invitation",
    "accept_invitation",
    "create_workspace",
    "find_account",
    "update_account",
    "put_avatar",
    "delete_avatar",
    "list_notification_preferences",
    "update_notification_preferences",
    "list_notifications",
    "count_unread_notifications",
    "read_all_notifications",
    "find_legal_page",
];

async fn a_stranger_reaches_no_row(server: TestServer) {
    let member = server.member().await;
    let rows = rows_of(&member).await;
    let stranger = server.stranger().await;
    for (method, path, operation) in contract::operations(&contract::document()) {
        let id = operation["operationId"].as_str().unwrap();
        let collection = path.split('/').find_map(|part| rows.by_collection.get_key_value(part));
        let aim = aimed(id, &rows);
        assert!(
            path.contains("{id}") || aim.is_some() || OWN_ONLY.contains(&id),
            "{id} has no entry in the tenancy sweep"
        );
        if path.contains("{id}") || aim.is_some() {
            let (query, body) = aim.unwrap_or_default();
            let path = path.replace("{id}", collection.map_or("", |(_, id)| id.as_str())) + &query;
            let answer = ask(&stranger, &method, &path, id, body).await;
            refused(&method, &path, &answer, &rows);
        }
    }
    for list in [
        "agents",
        "documents",
        "examples",
        "datasets",
        "jobs",
        "models",
        "api-keys",
        "bases",
        "workspaces",
        "members",
        "invitations",
        "notifications",
    ] {
        let answer = stranger.get(&format!("/api/v1/{list}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{list}");
        shows_nothing(list, &answer, &rows);
    }
    for path in ["/v1/models", "/api/v1/search?q=remote%20work", "/api/v1/dashboard"] {
        shows_nothing(path, &stranger.get(path).await, &rows);
    }
    let session: Session = member.get("/api/v1/auth/session").await.data();
    let workspace = session.workspaces[0].id.to_string();
    let named = stranger
        .request(Method::GET, "/api/v1/agents")
        .header("x-workspace-id", workspace.clone());
    assert_eq!(Answer::of(named).await.status, StatusCode::NOT_FOUND);
    let events = stranger
        .get(&format!("/api/v1/events?after=0&workspace_id={workspace}"))
        .await;
    assert_eq!(events.status, StatusCode::NOT_FOUND);
    let agent: Agent = member.get(&format!("/api/v1/agents/{}", rows.agent.id)).await.data();
    assert_eq!(agent, rows.agent);
    let job: Job = member.get(&format!("/api/v1/jobs/{}", rows.job.id)).await.data();
    assert_eq!(job, rows.job);
}

async fn ask(stranger: &Client, method: &str, path: &str, operation: &str, body: Value) -> Answer {
    if operation == "create_document" {
        return stranger.upload(path, "mine.txt", "Some text of mine.").await;
    }
    let request = stranger
        .request(method.parse().unwrap(), path)
        .header(header::IF_MATCH, "*");
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

/// A filter by another's agent may also give an empty list.
fn refused(method: &str, path: &str, answer: &Answer, rows: &Rows) {
    let empty_list = method == "GET" && answer.status == StatusCode::OK && path.contains("t_id=");
    assert!(
        answer.status == StatusCode::NOT_FOUND || empty_list,
        "{method} {path}: {} {}",
        answer.status,
        answer.text
    );
    if empty_list {
        shows_nothing(path, answer, rows);
    }
}

fn shows_nothing(path: &str, answer: &Answer, rows: &Rows) {
    for id in rows.by_collection.values() {
        assert!(
            !answer.text.contains(id.as_str()),
            "{path} shows a row of another workspace: {}",
            answer.text
        );
    }
}
