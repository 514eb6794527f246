use crate::{
    documents::{DOCX, PDF, agent, path, ready},
    helpers::{Client, TestServer},
};
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentText},
    errors::ErrorCode,
    search::{Passage, SearchResult},
};
use reqwest::StatusCode;

on_both_databases!(
    the_passage_that_answers_comes_first_and_is_exact,
    any_form_of_a_word_matches,
    words_that_say_nothing_match_nothing,
    hostile_queries_are_only_words,
    search_stays_in_the_agent_and_the_workspace,
    deleted_text_is_found_no_more,
);

async fn search(client: &Client, query: &[(&str, &str)]) -> Vec<Passage> {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    client
        .get(&format!("/api/v1/search?{query}"))
        .await
        .data::<SearchResult>()
        .passages
}

async fn note(client: &Client, agent: &Agent, name: &str, text: &str) -> Document {
    ready(client, agent, "reference", name, text.as_bytes()).await
}

async fn the_passage_that_answers_comes_first_and_is_exact(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let filler = "The weather was fine and nobody had anything to say about it.\n\n".repeat(120);
    let text =
        format!("# Log\n\n{filler}# Harbour\n\nThe hårbour gate opens at nine — ships wait outside.\n\n{filler}");
    let log = note(&member, &agent, "log.md", &text).await;
    assert!(log.chunks > 2);
    note(
        &member,
        &agent,
        "other.txt",
        "A gate for ships was once discussed, at length, by a committee.",
    )
    .await;
    ready(&member, &agent, "reference", "policy.pdf", PDF).await;
    ready(&member, &agent, "reference", "handbook.docx", DOCX).await;
    let passages = search(&member, &[("q", "When does the gate open for ships?")]).await;
    let first = &passages[0];
    assert!(first.quote.contains("gate opens at nine"), "{passages:?}");
    assert_eq!((first.document_id, first.heading.as_deref()), (log.id, Some("Harbour")));
    assert!(passages.len() <= 5);
    for passage in &passages {
        let length = passage.end - passage.start;
        assert!(length <= 400);
        let path = format!(
            "/api/v1/documents/{}/text?offset={}&length={length}",
            passage.document_id, passage.start
        );
        assert_eq!(member.get(&path).await.data::<DocumentText>().text, passage.quote);
        let same = passages.iter().filter(|other| {
            other.document_id == passage.document_id && other.start < passage.end && passage.start < other.end
        });
        assert_eq!(same.count(), 1, "passages overlap");
    }
    let one = search(&member, &[("q", "gate ships"), ("limit", "1")]).await;
    assert_eq!(one.len(), 1);
}

async fn any_form_of_a_word_matches(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    note(
        &member,
        &agent,
        "a.txt",
        "Every policy names the person who approves it.",
    )
    .await;
    for q in ["policies", "POLICY", "approving", "approved persons"] {
        assert_eq!(search(&member, &[("q", q)]).await.len(), 1, "{q}");
    }
}

async fn words_that_say_nothing_match_nothing(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    note(
        &member,
        &agent,
        "a.txt",
        "What is the point of it all? It is what it is.",
    )
    .await;
    for q in ["what is the", "How?", "zebra"] {
        assert!(search(&member, &[("q", q)]).await.is_empty(), "{q}");
    }
    assert_eq!(search(&member, &[("q", "what is the point")]).await.len(), 1);
}

async fn hostile_queries_are_only_words(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    note(&member, &agent, "a.txt", "A boat is a boat.").await;
    let long = "\"'".repeat(500);
    for q in [
        "\"",
        "' ; drop table documents --",
        "boat\" OR 1=1",
        "body:boat NEAR(a b, 2) AND NOT *",
        "boat & | ! <-> :* ( )",
        "((((((",
        "🎉 👩‍👩‍👧 \u{202e}",
        "ÅÄÖ ß İ ﷽ 日本語 नमस्ते",
        "%_\\ \\' \\\\",
        long.as_str(),
    ] {
        search(&member, &[("q", q)]).await;
    }
    assert_eq!(search(&member, &[("q", "boat\" OR 1=1")]).await.len(), 1);
    for (query, field) in [
        ("q=", "q"),
        ("limit=5", "q"),
        ("q=a&limit=21", "limit"),
        ("q=a%00b", "q"),
        ("q=a&agent_id=7", "agent_id"),
    ] {
        let problem = member.get(&format!("/api/v1/search?{query}")).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, field),
            "{query}"
        );
    }
    let too_long = member
        .get(&format!("/api/v1/search?q={}", "x".repeat(1001)))
        .await
        .problem();
    assert_eq!(too_long.error, ErrorCode::InvalidRequest);
}

async fn search_stays_in_the_agent_and_the_workspace(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let (first, second) = (agent(&member).await, agent(&member).await);
    let mine = note(&member, &first, "a.txt", "The password of the safe is swordfish.").await;
    note(&member, &second, "b.txt", "Swordfish swim fast.").await;
    let foreign = agent(&stranger).await;
    note(&stranger, &foreign, "c.txt", "Swordfish is on the menu.").await;
    assert_eq!(search(&member, &[("q", "swordfish")]).await.len(), 2);
    let of_first = search(&member, &[("q", "swordfish"), ("agent_id", &first.id.to_string())]).await;
    assert_eq!(
        of_first.iter().map(|passage| passage.document_id).collect::<Vec<_>>(),
        [mine.id]
    );
    let theirs = search(&stranger, &[("q", "swordfish")]).await;
    assert_eq!(
        theirs
            .iter()
            .map(|passage| passage.document_name.as_str())
            .collect::<Vec<_>>(),
        ["c.txt"]
    );
    let problem = stranger
        .get(&format!("/api/v1/search?q=swordfish&agent_id={}", first.id))
        .await
        .problem();
    assert_eq!(problem.error, ErrorCode::NotFound);
}

async fn deleted_text_is_found_no_more(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = note(&member, &agent, "a.txt", "A secret about walruses.").await;
    assert_eq!(search(&member, &[("q", "walruses")]).await.len(), 1);
    assert_eq!(member.delete(&path(&document)).await.status, StatusCode::NO_CONTENT);
    assert!(search(&member, &[("q", "walruses")]).await.is_empty());
    let again = note(&member, &agent, "a.txt", "A secret about walruses.").await;
    let found = search(&member, &[("q", "walruses")]).await;
    assert_eq!(
        found.iter().map(|passage| passage.document_id).collect::<Vec<_>>(),
        [again.id]
    );
}
