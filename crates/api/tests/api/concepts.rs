//! Concepts: found in documents, written, changed, merged.

use crate::helpers::{Client, TestServer, fixture};
use cerebros_common::{
    agents::Agent,
    concepts::{Concept, ConceptOrigin, Level},
    diagrams::{Diagram, Drawing},
    documents::{Document, DocumentText},
    errors::ErrorCode,
    examples::Grounding,
    studies::{Study, StudyStatus},
    wire::Page,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_both_databases!(
    concepts_of_a_document_are_found_and_quote_it,
    what_a_person_wrote_survives_a_second_search,
    a_name_is_there_once_whatever_its_case,
    a_merged_concept_leaves_its_diagrams_to_the_other,
    concepts_are_filtered,
);

const POLICY: &str = "# Remote work\n\nRemote work is the right to work elsewhere.\n\n## Core hours\n\nCore hours are the \
time from ten to three.\n\n## Equipment\n\nThe company pays for a screen.\n";

/// A document that was read.
pub async fn document(member: &Client, name: &str, text: impl Into<Vec<u8>>) -> Document {
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Policies"})).await.data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=reference", agent.id);
    let document: Document = member.upload(&upload, name, text).await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    member
        .wait(&path, |document: &Document| document.characters.is_some())
        .await
}

/// Its concepts, found.
pub async fn found(member: &Client, document: &Document) -> Vec<Concept> {
    let body = json!({"document_id": document.id});
    let begun = member.post("/api/v1/concepts/find", body).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
    let path = format!("/api/v1/studies/{}", document.id);
    member
        .wait(&path, |study: &Study| study.concepts_status == StudyStatus::Done)
        .await;
    list(member, &format!("document_id={}", document.id)).await
}

async fn list(member: &Client, query: &str) -> Vec<Concept> {
    let path = format!("/api/v1/concepts?limit=100&{query}");
    member.get(&path).await.data::<Page<Concept>>().items
}

fn new(document: &Document, name: &str) -> Value {
    json!({"document_id": document.id, "name": name, "level": "advanced", "importance": 70})
}

async fn concepts_of_a_document_are_found_and_quote_it(server: TestServer) {
    let member = server.member().await;
    let name = "remote-work-policy.pdf";
    let document = document(&member, name, fixture(name)).await;
    let study: Study = member.get(&format!("/api/v1/studies/{}", document.id)).await.data();
    assert_eq!((study.concepts, study.concepts_status), (0, StudyStatus::New));
    let concepts = found(&member, &document).await;
    assert!(concepts.len() >= 5, "{concepts:?}");
    assert!(concepts.is_sorted_by(|a, b| a.importance >= b.importance));
    let path = format!("/api/v1/documents/{}/text?length=100000", document.id);
    let text: DocumentText = member.get(&path).await.data();
    let characters: Vec<char> = text.text.chars().collect();
    for concept in &concepts {
        let source = concept.source.as_ref().unwrap();
        let (start, end) = (source.start.unwrap() as usize, source.end.unwrap() as usize);
        let stretch: String = characters[start..end].iter().collect();
        assert!(
            stretch.split_whitespace().eq(source.quote.split_whitespace()),
            "{concept:?}"
        );
        assert!(source.page.is_some());
        assert_eq!(
            (concept.origin, concept.grounding),
            (ConceptOrigin::Extractive, Grounding::Grounded)
        );
        assert_eq!(concept.document_name, name);
    }
    let study: Study = member.get(&format!("/api/v1/studies/{}", document.id)).await.data();
    assert_eq!(study.concepts, concepts.len() as u64);
}

async fn what_a_person_wrote_survives_a_second_search(server: TestServer) {
    let member = server.member().await;
    let document = document(&member, "policy.md", POLICY).await;
    let own: Concept = member
        .post("/api/v1/concepts", new(&document, "equipment"))
        .await
        .data();
    assert_eq!((own.origin, own.level), (ConceptOrigin::Manual, Level::Advanced));
    let first = found(&member, &document).await;
    let hours = first.iter().find(|concept| concept.name == "Core hours").unwrap();
    let path = format!("/api/v1/concepts/{}", hours.id);
    let patch = json!({"description": "When everybody is there.", "importance": 99});
    let changed: Concept = member.patch(&path, hours.version, patch.clone()).await.data();
    assert_eq!((changed.importance, changed.version), (99, hours.version + 1));
    let stale = member.patch(&path, hours.version, patch).await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
    let second = found(&member, &document).await;
    assert_eq!(second.len(), first.len());
    let of = |name: &str| second.iter().find(|concept| concept.name == name).unwrap();
    assert_eq!(of("Core hours").description, "When everybody is there.");
    assert_eq!(of("equipment").id, own.id);
}

async fn a_name_is_there_once_whatever_its_case(server: TestServer) {
    let member = server.member().await;
    let document = document(&member, "policy.md", POLICY).await;
    let first: Concept = member
        .post("/api/v1/concepts", new(&document, "Core  Hours"))
        .await
        .data();
    let again = member.post("/api/v1/concepts", new(&document, "core hours")).await;
    assert_eq!(again.problem().error, ErrorCode::Conflict);
    let other: Concept = member.post("/api/v1/concepts", new(&document, "Lunch")).await.data();
    let path = format!("/api/v1/concepts/{}", other.id);
    let renamed = member.patch(&path, other.version, json!({"name": "CORE HOURS"})).await;
    assert_eq!(renamed.problem().error, ErrorCode::Conflict);
    let refused = member
        .post(
            "/api/v1/concepts",
            json!({"document_id": document.id, "name": " ", "level": "advanced", "importance": 0}),
        )
        .await;
    let paths: Vec<String> = refused.problem().details.into_iter().map(|field| field.path).collect();
    assert_eq!(paths, ["importance", "name"]);
    let gone = member
        .delete_any_version(&format!("/api/v1/concepts/{}", first.id))
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}

async fn a_merged_concept_leaves_its_diagrams_to_the_other(server: TestServer) {
    let member = server.member().await;
    let document = document(&member, "policy.md", POLICY).await;
    let all = found(&member, &document).await;
    let (kept, gone) = (&all[0], &all[1]);
    let body = json!({"from": "concept", "concept_id": gone.id});
    let drawing: Drawing = member.post("/api/v1/diagrams/draw", body).await.data();
    let merge = |into| {
        let path = format!("/api/v1/concepts/{}/merge", gone.id);
        let request = member.request(Method::POST, &path).header("if-match", "*");
        crate::helpers::Answer::of(request.json(&json!({"into_id": into})))
    };
    assert_eq!(merge(gone.id).await.problem().error, ErrorCode::Conflict);
    let merged: Concept = merge(kept.id).await.data();
    assert_eq!((merged.id, merged.name.as_str()), (kept.id, kept.name.as_str()));
    let path = format!("/api/v1/concepts/{}", gone.id);
    assert_eq!(member.get(&path).await.status, StatusCode::NOT_FOUND);
    let diagram: Diagram = member.get(&format!("/api/v1/diagrams/{}", drawing.ids[0])).await.data();
    assert_eq!(diagram.concept_id, Some(kept.id));
}

async fn concepts_are_filtered(server: TestServer) {
    let member = server.member().await;
    let document = document(&member, "policy.md", POLICY).await;
    let all = found(&member, &document).await;
    assert_eq!(list(&member, "search=TEN%20to").await.len(), 1);
    assert_eq!(list(&member, "search=100%25").await.len(), 0);
    let beginners = list(&member, "level=beginner").await;
    assert!(!beginners.is_empty() && beginners.len() < all.len());
    let studies: Page<Study> = member.get("/api/v1/studies?search=POLICY").await.data();
    assert_eq!(studies.items[0].document_id, document.id);
}
