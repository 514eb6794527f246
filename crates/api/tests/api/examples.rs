use crate::{
    documents::{DOCX, PDF, agent, ready},
    helpers::{Answer, Client, TestServer},
};
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentText},
    errors::ErrorCode,
    examples::{Example, ExampleOrigin, ExampleReviewResult, ExampleStatus},
    wire::CursorPage,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::HashSet;

on_both_databases!(
    a_work_product_gives_examples_that_quote_it,
    only_work_products_give_examples,
    generation_run_twice_makes_no_example_twice,
    an_example_is_written_changed_and_deleted,
    many_examples_are_judged_at_once,
    examples_are_read_on_by_cursor,
    bad_examples_are_refused_by_field,
    strangers_see_no_example,
);

const EXAMPLES: &str = "/api/v1/examples";

fn path(example: &Example) -> String {
    format!("{EXAMPLES}/{}", example.id)
}

/// Every example that a query finds.
pub async fn all(client: &Client, query: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: CursorPage<Example> = client.get(&format!("{EXAMPLES}?limit=7&{query}{cursor}")).await.data();
        found.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Uploads a work product and waits for its examples.
pub async fn generated(client: &Client, agent: &Agent, name: &str, bytes: &[u8]) -> (Document, Vec<Example>) {
    let document = ready(client, agent, "work_product", name, bytes).await;
    let path = format!("/api/v1/documents/{}", document.id);
    let document = client.wait(&path, |document: &Document| document.examples > 0).await;
    let examples = all(client, &format!("document_id={}", document.id)).await;
    assert_eq!(examples.len() as u64, document.examples);
    (document, examples)
}

async fn a_work_product_gives_examples_that_quote_it(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    for (name, bytes) in [("policy.pdf", PDF), ("handbook.docx", DOCX)] {
        let (document, examples) = generated(&member, &agent, name, bytes).await;
        let path = format!("/api/v1/documents/{}/text?length=100000", document.id);
        let text: DocumentText = member.get(&path).await.data();
        let characters: Vec<char> = text.text.chars().collect();
        let mut last = 0;
        for example in &examples {
            let source = example.source.as_ref().unwrap();
            let span: String = characters[source.start as usize..source.end as usize].iter().collect();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&span), words(&source.quote));
            assert_eq!((source.document_id, source.document_name.as_str()), (document.id, name));
            assert_eq!(
                (example.status, example.origin),
                (ExampleStatus::Pending, ExampleOrigin::Extractive)
            );
            assert!(!example.prompt.is_empty() && !example.reasoning.is_empty() && !example.edited);
            let page = text.pages.iter().rfind(|page| page.start <= source.start);
            assert_eq!(source.page, page.map(|page| page.number));
            assert!(source.start >= last, "not in the order of the text");
            last = source.start;
        }
        assert!(
            examples
                .iter()
                .any(|example| example.source.as_ref().unwrap().heading.is_some())
        );
    }
    let found: Agent = member.get(&format!("/api/v1/agents/{}", agent.id)).await.data();
    assert_eq!(
        found.examples.pending as usize,
        all(&member, "status=pending").await.len()
    );
}

async fn only_work_products_give_examples(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    ready(&member, &agent, "reference", "policy.pdf", PDF).await;
    ready(&member, &agent, "communication", "handbook.docx", DOCX).await;
    generated(
        &member,
        &agent,
        "note.md",
        b"# Boats\n\nBoats float because they displace water.\n",
    )
    .await;
    for example in all(&member, "").await {
        assert_eq!(example.source.unwrap().document_name, "note.md");
    }
}

async fn generation_run_twice_makes_no_example_twice(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let (document, _) = generated(&member, &agent, "policy.pdf", PDF).await;
    server.until_idle("group_examples").await;
    let before = all(&member, &format!("document_id={}", document.id)).await;
    server.rerun("generate_examples").await;
    server.until_idle("group_examples").await;
    assert_eq!(all(&member, "").await, before);
}

async fn an_example_is_written_changed_and_deleted(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let body = json!({"agent_id": agent.id, "prompt": "Why?", "response": "Because."});
    let created = member.post(EXAMPLES, body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert!(created.header("etag").unwrap().starts_with("\"1-"));
    let manual: Example = created.data();
    assert_eq!(
        (manual.status, manual.origin),
        (ExampleStatus::Approved, ExampleOrigin::Manual)
    );
    assert_eq!((manual.source.as_ref(), manual.reasoning.as_str()), (None, ""));
    let changed: Example = member
        .patch(&path(&manual), 1, json!({"response": "Therefore."}))
        .await
        .data();
    assert_eq!(
        (changed.response.as_str(), changed.version, changed.edited),
        ("Therefore.", 2, false)
    );
    let stale = member
        .patch(&path(&manual), 1, json!({"response": "No."}))
        .await
        .problem();
    assert_eq!(stale.error, ErrorCode::StaleVersion);

    let (_, examples) = generated(&member, &agent, "policy.pdf", PDF).await;
    server.until_idle("group_examples").await;
    let example = &examples[0];
    let approved: Example = member
        .patch(&path(example), 1, json!({"status": "approved"}))
        .await
        .data();
    assert_eq!((approved.status, approved.edited), (ExampleStatus::Approved, false));
    let same: Example = member
        .patch(&path(example), 2, json!({"prompt": example.prompt}))
        .await
        .data();
    assert!(!same.edited);
    let reworded: Example = member
        .patch(&path(example), 3, json!({"reasoning": "My own."}))
        .await
        .data();
    assert!(reworded.edited);
    assert_eq!(reworded.source, example.source);
    server.until_idle("group_examples").await;
    assert_eq!(member.get(&path(example)).await.data::<Example>(), reworded);

    let unconditional = member.delete(&path(&manual)).await.problem();
    assert_eq!(unconditional.error, ErrorCode::PreconditionRequired);
    assert_eq!(
        member.delete_any_version(&path(&manual)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(member.get(&path(&manual)).await.problem().error, ErrorCode::NotFound);
}

async fn many_examples_are_judged_at_once(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let (_, examples) = generated(&member, &agent, "policy.pdf", PDF).await;
    let review = async |body: serde_json::Value| {
        let answer = member.post(&format!("{EXAMPLES}/review"), body).await;
        answer.data::<ExampleReviewResult>().changed
    };
    let two = json!({"agent_id": agent.id, "status": "rejected", "ids": [examples[0].id, examples[1].id]});
    assert_eq!(review(two.clone()).await, 2);
    assert_eq!(review(two).await, 0);
    let rest = json!({"agent_id": agent.id, "status": "approved"});
    assert_eq!(review(rest).await as usize, examples.len() - 2);
    assert_eq!(all(&member, "status=rejected").await.len(), 2);
    assert_eq!(all(&member, "status=approved").await.len(), examples.len() - 2);
    let judged: Example = member.get(&path(&examples[0])).await.data();
    assert_eq!((judged.status, judged.version), (ExampleStatus::Rejected, 2));
    for (body, field) in [
        (json!({"agent_id": agent.id, "status": "approved", "ids": []}), "ids"),
        (json!({"agent_id": agent.id, "status": "good"}), "status"),
        (json!({"status": "approved"}), "agent_id"),
    ] {
        let problem = member.post(&format!("{EXAMPLES}/review"), body).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, field)
        );
    }
}

async fn examples_are_read_on_by_cursor(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    for number in 0..16 {
        let body = json!({"agent_id": agent.id, "prompt": format!("{number}?"), "response": "!"});
        assert_eq!(member.post(EXAMPLES, body).await.status, StatusCode::CREATED);
    }
    let found = all(&member, "").await;
    let prompts: Vec<_> = found.iter().map(|example| example.prompt.clone()).collect();
    assert_eq!(
        prompts,
        (0..16).rev().map(|number| format!("{number}?")).collect::<Vec<_>>()
    );
    assert_eq!(found.iter().map(|example| example.id).collect::<HashSet<_>>().len(), 16);
    let problem = member.get(&format!("{EXAMPLES}?cursor=nonsense")).await.problem();
    assert_eq!(
        (problem.error, problem.details[0].path.as_str()),
        (ErrorCode::InvalidRequest, "cursor")
    );
}

async fn bad_examples_are_refused_by_field(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let good = json!({"agent_id": agent.id, "prompt": "Why?", "response": "Because."});
    for (field, value, code) in [
        ("prompt", json!(" "), "blank"),
        ("response", json!("x".repeat(20_001)), "length"),
        ("response", json!(null), "type"),
        ("status", json!("approved"), "unknown"),
        ("prompt", json!("a\u{0}b"), "nul"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let problem = member.post(EXAMPLES, body).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{field} {code}");
        let path = if code == "nul" { "body" } else { field };
        assert_eq!(
            (problem.details[0].path.as_str(), problem.details[0].code.as_str()),
            (path, code)
        );
    }
    let backslashes = json!({"agent_id": agent.id, "prompt": "\\u0000", "response": "Because."});
    assert_eq!(
        member.post(EXAMPLES, backslashes).await.data::<Example>().prompt,
        "\\u0000"
    );
}

async fn strangers_see_no_example(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent = agent(&member).await;
    let body = json!({"agent_id": agent.id, "prompt": "Why?", "response": "Because."});
    let example: Example = member.post(EXAMPLES, body.clone()).await.data();
    let not_found = |answer: Answer| assert_eq!(answer.problem().error, ErrorCode::NotFound);
    not_found(stranger.get(&path(&example)).await);
    not_found(stranger.patch(&path(&example), 1, json!({"status": "rejected"})).await);
    not_found(stranger.delete_any_version(&path(&example)).await);
    not_found(stranger.post(EXAMPLES, body).await);
    let review = json!({"agent_id": agent.id, "status": "rejected", "ids": [example.id]});
    not_found(stranger.post(&format!("{EXAMPLES}/review"), review).await);
    assert!(all(&stranger, &format!("agent_id={}", agent.id)).await.is_empty());
    assert_eq!(member.get(&path(&example)).await.data::<Example>(), example);
    let put = Answer::of(member.request(Method::PUT, &path(&example))).await;
    assert_eq!(put.problem().error, ErrorCode::MethodNotAllowed);
}
