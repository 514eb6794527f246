use crate::helpers::{Answer, TestServer};
use cerebros_common::{
    agents::{Agent, AgentStatus},
    errors::ErrorCode,
    wire::Page,
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

on_both_databases!(
    an_agent_is_created_found_changed_and_deleted,
    a_change_needs_the_current_version,
    agents_are_searched_filtered_sorted_and_paged,
    bad_queries_are_refused_by_name,
);

async fn an_agent_is_created_found_changed_and_deleted(server: TestServer) {
    let member = server.member().await;
    let created = member
        .post("/api/v1/agents", json!({"name": " Contracts ", "description": "d"}))
        .await;
    let path = created.headers[header::LOCATION].to_str().unwrap().to_owned();
    let agent: Agent = created.data();
    assert_eq!(
        (agent.name.as_str(), agent.status, agent.version),
        ("Contracts", AgentStatus::Draft, 1)
    );
    let changed: Agent = member.patch(&path, 1, json!({"wizard_step": 2})).await.data();
    assert_eq!((changed.status, changed.version), (AgentStatus::Step2Qa, 2));
    assert_eq!(member.get(&path).await.data::<Agent>(), changed);
    assert_eq!(member.delete_any_version(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path).await.problem().error, ErrorCode::NotFound);
}

async fn a_change_needs_the_current_version(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let path = format!("/api/v1/agents/{}", agent.id);
    let none = Answer::of(member.request(Method::PATCH, &path).json(&json!({"name": "B"}))).await;
    assert_eq!(none.problem().error, ErrorCode::PreconditionRequired);
    member.patch(&path, 1, json!({"name": "B"})).await.data::<Agent>();
    let stale = member.patch(&path, 1, json!({"name": "C"})).await.problem();
    assert_eq!(stale.error, ErrorCode::StaleVersion);
    assert_eq!(member.get(&path).await.data::<Agent>().name, "B");
}

async fn agents_are_searched_filtered_sorted_and_paged(server: TestServer) {
    let member = server.member().await;
    for name in ["Zebra 100%", "apple", "Mango"] {
        member
            .post("/api/v1/agents", json!({"name": name}))
            .await
            .data::<Agent>();
    }
    let names = async |query: &str| {
        let page: Page<Agent> = member.get(&format!("/api/v1/agents?{query}")).await.data();
        (
            page.items.into_iter().map(|agent| agent.name).collect::<Vec<_>>(),
            page.total,
            page.total_pages,
        )
    };
    assert_eq!(names("").await.0, ["Mango", "apple", "Zebra 100%"]);
    assert_eq!(names("sort=name").await.0, ["apple", "Mango", "Zebra 100%"]);
    assert_eq!(
        names("sort=oldest&limit=2&page=2").await,
        (vec!["Mango".to_owned()], 3, 2)
    );
    assert_eq!(names("search=AP").await.0, ["apple"]);
    assert_eq!(names("search=%25").await.0, ["Zebra 100%"]);
    assert_eq!(names("status=draft").await.1, 3);
    assert_eq!(names("status=ready").await.1, 0);
    assert_eq!(names("status=stage2_training").await.1, 0);
}

async fn bad_queries_are_refused_by_name(server: TestServer) {
    let member = server.member().await;
    for (query, path) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("page=x", "page"),
        ("colour=red", "colour"),
    ] {
        let problem = member.get(&format!("/api/v1/agents?{query}")).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, path)
        );
    }
    assert_eq!(
        member.get("/api/v1/agents/7").await.problem().error,
        ErrorCode::InvalidRequest
    );
    assert_eq!(member.get("/api/v1/nothing").await.problem().error, ErrorCode::NotFound);
    let put = Answer::of(member.request(Method::PUT, "/api/v1/agents")).await;
    assert_eq!(put.problem().error, ErrorCode::MethodNotAllowed);
}
