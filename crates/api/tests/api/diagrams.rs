//! Diagrams: written, drawn, checked, shown, shared.

use crate::{
    concepts::{document, found},
    helpers::{Answer, Client, TestServer},
};
use cerebros_common::{
    diagrams::{Diagram, DiagramCheck, DiagramShare, DiagramStatus, Drawing, SharedDiagram},
    documents::Document,
    errors::ErrorCode,
    notifications::{Notification, NotificationKind},
    studies::Study,
    wire::{CursorPage, Page},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_both_databases!(
    a_written_diagram_is_checked_and_has_a_picture,
    what_is_no_mermaid_is_refused_with_its_line,
    each_concept_of_a_document_is_drawn,
    outlines_and_texts_are_drawn,
    a_failed_diagram_is_mended_by_hand_or_drawn_again,
    a_picture_can_neither_run_nor_load_anything,
    a_link_shows_a_diagram_to_everybody_until_it_is_taken_away,
    diagrams_are_found_by_what_they_are_about,
    diagrams_go_with_their_document,
    hostile_sources_end_in_an_answer,
);

const FLOW: &str = "flowchart LR\n  A[Ask] --> B{Allowed?}\n  B -->|yes| C[Work at home]\n";

fn new(title: &str, source: &str) -> Value {
    json!({"title": title, "source": source, "level": "beginner"})
}

async fn write(member: &Client, title: &str, source: &str) -> Diagram {
    member.post("/api/v1/diagrams", new(title, source)).await.data()
}

pub async fn draw(member: &Client, body: Value) -> Drawing {
    let answer = member.post("/api/v1/diagrams/draw", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.data()
}

pub async fn drawn(member: &Client, drawing: &Drawing) -> Vec<Diagram> {
    let mut all = Vec::new();
    for id in &drawing.ids {
        let done = |diagram: &Diagram| diagram.status != DiagramStatus::Drawing;
        all.push(member.wait(&format!("/api/v1/diagrams/{id}"), done).await);
    }
    all
}

async fn list(member: &Client, query: &str) -> Vec<String> {
    let path = format!("/api/v1/diagrams?{query}");
    let page: Page<Diagram> = member.get(&path).await.data();
    page.items.into_iter().map(|diagram| diagram.title).collect()
}

async fn a_written_diagram_is_checked_and_has_a_picture(server: TestServer) {
    let member = server.member().await;
    let answer = member.post("/api/v1/diagrams", new("May I work at home?", FLOW)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let diagram: Diagram = answer.data();
    assert_eq!(
        (diagram.slug.as_str(), diagram.status),
        ("may-i-work-at-home", DiagramStatus::Ready)
    );
    let second = write(&member, "May I work: at home", FLOW).await;
    assert_eq!(second.slug, "may-i-work-at-home-2");
    let svg = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await;
    assert_eq!(svg.header("content-type"), Some("image/svg+xml; charset=utf-8"));
    assert_eq!(svg.header("x-content-type-options"), Some("nosniff"));
    let policy = svg.header("content-security-policy").unwrap();
    assert!(
        policy.contains("sandbox") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert!(
        svg.text.starts_with("<svg") && svg.text.contains("Allowed?"),
        "{}",
        svg.text
    );
    let saved = member
        .get(&format!("/api/v1/diagrams/{}/svg?download=true", diagram.id))
        .await;
    let name = saved.header("content-disposition").unwrap();
    assert!(name.contains("may-i-work-at-home.svg"), "{name}");
    // A picture that is missing is made again.
    server.execute("delete from diagram_pictures").await;
    let again = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await;
    assert_eq!(again.text, svg.text);
    assert_eq!(server.number("select count(*) from diagram_pictures").await, 1);
    let path = format!("/api/v1/diagrams/{}", diagram.id);
    let taken = member.patch(&path, diagram.version, json!({"slug": second.slug})).await;
    assert_eq!(taken.problem().error, ErrorCode::Conflict);
    let patch = json!({"slug": "home", "tags": [" Policy ", "policy", "Home"], "source": "pie\n  \"a\": 1\n"});
    let changed: Diagram = member.patch(&path, diagram.version, patch).await.data();
    assert_eq!(
        (changed.slug.as_str(), changed.tags),
        ("home", vec!["policy".to_owned(), "home".to_owned()])
    );
    let stale = member.patch(&path, diagram.version, json!({"notes": "n"})).await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
    let fresh = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await;
    assert!(!fresh.text.contains("Allowed?"));
}

async fn what_is_no_mermaid_is_refused_with_its_line(server: TestServer) {
    let member = server.member().await;
    let broken = "flowchart LR\n  A --> B\n  B --> C[open\n";
    let refused = member.post("/api/v1/diagrams", new("Broken", broken)).await.problem();
    assert_eq!(
        (refused.details[0].path.as_str(), refused.details[0].code.as_str()),
        ("source", "syntax")
    );
    assert!(
        refused.details[0].message.starts_with("Line 3"),
        "{:?}",
        refused.details
    );
    let check = |source: &str| {
        let body = json!({"source": source});
        let member = member.clone();
        async move { member.post("/api/v1/diagrams/check", body).await.data::<DiagramCheck>() }
    };
    let verdict = check(broken).await;
    assert_eq!((verdict.ok, verdict.line), (false, Some(3)));
    let verdict = check(FLOW).await;
    assert!(verdict.ok && verdict.diagram_type.unwrap().starts_with("flowchart"));
    assert!(!check("").await.ok);
    assert_eq!(server.number("select count(*) from diagrams").await, 0);
}

async fn each_concept_of_a_document_is_drawn(server: TestServer) {
    let member = server.member().await;
    let name = "project-handbook.docx";
    let document = document(&member, name, crate::helpers::fixture(name)).await;
    let body = json!({"from": "concepts", "document_id": document.id});
    let early = member.post("/api/v1/diagrams/draw", body.clone()).await;
    assert_eq!(early.problem().error, ErrorCode::Conflict);
    let concepts = found(&member, &document).await;
    let drawing = draw(&member, body).await;
    let wanted = concepts.len().min(30);
    assert_eq!(drawing.ids.len(), wanted);
    let all = drawn(&member, &drawing).await;
    for (diagram, concept) in all.iter().zip(&concepts) {
        assert_eq!(diagram.status, DiagramStatus::Ready, "{diagram:?}");
        assert_eq!((&diagram.title, diagram.concept_id), (&concept.name, Some(concept.id)));
        assert_eq!(diagram.document_id, Some(document.id));
        let svg = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await;
        assert!(svg.text.starts_with("<svg"), "{}", diagram.source);
    }
    let study: Study = member.get(&format!("/api/v1/studies/{}", document.id)).await.data();
    let progress = study.diagrams;
    let told: CursorPage<Notification> = member.get("/api/v1/notifications").await.data();
    let ready: Vec<&Notification> = told
        .items
        .iter()
        .filter(|told| told.kind == NotificationKind::DiagramsReady)
        .collect();
    assert_eq!(ready.len(), 1);
    assert!(
        ready[0].title.starts_with(&format!("{wanted} diagrams of “{name}”")),
        "{ready:?}"
    );
    assert_eq!(
        (progress.wanted, progress.done, progress.drawing),
        (wanted as u64, wanted as u64, 0)
    );
}

async fn outlines_and_texts_are_drawn(server: TestServer) {
    let member = server.member().await;
    let name = "remote-work-policy.pdf";
    let document = document(&member, name, crate::helpers::fixture(name)).await;
    let outline = draw(&member, json!({"from": "document", "document_id": document.id})).await;
    let text = "# Tea \"<b>\"\n\nBoil; water.\n\n# Coffee [x](javascript:alert(1))\n\nGrind.\n";
    let hostile = json!({"from": "text", "title": "Drinks)) --> x", "text": text});
    let own = draw(&member, hostile).await;
    for drawing in [outline, own] {
        let all = drawn(&member, &drawing).await;
        assert_eq!(all[0].status, DiagramStatus::Ready, "{:?}", all[0]);
        assert!(all[0].source.starts_with("mindmap"));
    }
    for (body, field) in [
        (json!({"from": "text", "title": "T"}), "text"),
        (json!({"from": "text", "text": "T"}), "title"),
        (json!({"from": "concept"}), "concept_id"),
        (json!({"from": "document"}), "document_id"),
    ] {
        let refused = member.post("/api/v1/diagrams/draw", body).await.problem();
        assert_eq!(refused.details[0].path, field);
    }
}

async fn a_failed_diagram_is_mended_by_hand_or_drawn_again(server: TestServer) {
    let member = server.member().await;
    let body = json!({"from": "text", "title": "Tea", "text": "- boil water\n- add tea\n"});
    let drawing = draw(&member, body).await;
    let diagram = drawn(&member, &drawing).await.remove(0);
    let path = format!("/api/v1/diagrams/{}", diagram.id);
    let retry = format!("{path}/retry");
    assert_eq!(member.post_nothing(&retry).await.problem().error, ErrorCode::Conflict);
    let fail = "update diagrams set status = 'failed', input = '- boil water', \
                error = '{\"severity\":\"medium\",\"message\":\"It was wrong.\"}'";
    server.execute(fail).await;
    server.execute("delete from diagram_pictures").await;
    let failed: Diagram = member.get(&path).await.data();
    assert_eq!(failed.error.unwrap().message, "It was wrong.");
    let picture = member.get(&format!("{path}/svg")).await;
    assert_eq!(picture.problem().error, ErrorCode::Conflict);
    assert_eq!(
        member.post_nothing(&format!("{path}/share")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        member.post_nothing(&retry).await.data::<Diagram>().status,
        DiagramStatus::Drawing
    );
    let again = drawn(&member, &drawing).await.remove(0);
    assert_eq!((again.status, again.error), (DiagramStatus::Ready, None));
    server.execute(fail).await;
    let mended: Diagram = member.patch(&path, again.version, json!({"source": FLOW})).await.data();
    assert_eq!((mended.status, mended.error), (DiagramStatus::Ready, None));
}

async fn a_picture_can_neither_run_nor_load_anything(server: TestServer) {
    let member = server.member().await;
    let sources = [
        "flowchart LR\n  A[\"<img src=x onerror=alert(1)>\"] --> B[\"<script>alert(1)</script>\"]\n  click A \"javascript:alert(1)\"\n",
        "flowchart LR\n  A --> B\n  style A fill:url(https://evil.example/x)\n",
        "sequenceDiagram\n  Alice->>Bob: <svg onload=alert(1)>\n",
        "%%{init: {\"themeCSS\": \"@import url(https://evil.example/x.css)\", \"securityLevel\": \"loose\"}}%%\nflowchart LR\n  A --> B\n",
        "classDiagram\n  class A\n  link A \"https://evil.example\" \"tip\"\n",
        "pie title <a href='javascript:alert(1)'>x</a>\n  \"a\": 1\n",
    ];
    for (at, source) in sources.iter().enumerate() {
        let answer = member.post("/api/v1/diagrams", new("Hostile <script>", source)).await;
        if answer.status == StatusCode::BAD_REQUEST {
            continue;
        }
        let diagram: Diagram = answer.data();
        let svg = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await.text;
        let lower = svg.to_lowercase();
        for word in [
            "<script",
            "<img",
            "<a ",
            "onload=",
            "onerror=\"",
            "url(http",
            "@import",
            "<foreignobject",
            "href=\"http",
            "href=\"javascript",
        ] {
            assert!(!lower.contains(word), "{word} in the picture of {at}: {svg}");
        }
    }
    // What stands in the database may have come with an archive.
    let diagram = write(&member, "Calm", FLOW).await;
    server
        .execute("update diagram_pictures set svg = '<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script><g/></svg>'")
        .await;
    let svg = member.get(&format!("/api/v1/diagrams/{}/svg", diagram.id)).await.text;
    assert_eq!(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"><g/></svg>");
}

async fn a_link_shows_a_diagram_to_everybody_until_it_is_taken_away(server: TestServer) {
    let (member, anybody) = (server.member().await, server.anonymous());
    let diagram = write(&member, "May I work at home?", FLOW).await;
    let share = format!("/api/v1/diagrams/{}/share", diagram.id);
    let link: DiagramShare = member.post_nothing(&share).await.data();
    let token = link
        .link
        .strip_prefix(&format!("{}/shared/", server.url))
        .unwrap()
        .to_owned();
    let shown: SharedDiagram = anybody.get(&format!("/api/v1/shared/{token}")).await.data();
    assert_eq!(shown.title, "May I work at home?");
    let picture = anybody.get(&format!("/api/v1/shared/{token}/svg")).await;
    assert!(picture.text.contains("Allowed?"));
    let held = server
        .number(&format!("select count(*) from diagrams where share_hash = '{token}'"))
        .await;
    assert_eq!(held, 0, "the token itself is stored");
    let fresh: DiagramShare = member.post_nothing(&share).await.data();
    assert_eq!(
        anybody.get(&format!("/api/v1/shared/{token}")).await.status,
        StatusCode::NOT_FOUND
    );
    let token = fresh.link.rsplit('/').next().unwrap().to_owned();
    let diagram: Diagram = member.get(&format!("/api/v1/diagrams/{}", diagram.id)).await.data();
    assert!(diagram.shared);
    assert_eq!(member.delete(&share).await.status, StatusCode::NO_CONTENT);
    for path in [format!("/api/v1/shared/{token}"), format!("/api/v1/shared/{token}/svg")] {
        assert_eq!(anybody.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

async fn diagrams_are_found_by_what_they_are_about(server: TestServer) {
    let member = server.member().await;
    let more = json!({
        "title": "Tea", "source": FLOW, "level": "advanced", "domain": "Kitchen", "tags": ["hot", "50%"],
        "summary": "How to boil.", "notes": "Ask Ada.",
    });
    member.post("/api/v1/diagrams", more).await.data::<Diagram>();
    write(&member, "Bread", "pie\n  \"flour\": 3\n").await;
    assert_eq!(list(&member, "search=BOIL").await, ["Tea"]);
    assert_eq!(list(&member, "search=flour").await, ["Bread"]);
    assert_eq!(list(&member, "tag=Hot").await, ["Tea"]);
    assert_eq!(list(&member, "tag=50%25").await, ["Tea"]);
    assert_eq!(list(&member, "tag=5").await, [] as [&str; 0]);
    assert_eq!(
        list(&member, "domain=Kitchen&level=advanced&status=ready").await,
        ["Tea"]
    );
    assert_eq!(list(&member, "").await, ["Bread", "Tea"]);
}

async fn diagrams_go_with_their_document(server: TestServer) {
    let member = server.member().await;
    let document: Document = document(&member, "policy.md", "# Home\n\nHome is the place to rest.\n").await;
    found(&member, &document).await;
    let drawing = draw(&member, json!({"from": "concepts", "document_id": document.id})).await;
    drawn(&member, &drawing).await;
    member.delete(&format!("/api/v1/documents/{}", document.id)).await;
    for table in ["concepts", "diagrams", "diagram_pictures", "studies"] {
        assert_eq!(
            server.number(&format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }
}

async fn hostile_sources_end_in_an_answer(server: TestServer) {
    let member = server.member().await;
    let nested = format!("flowchart LR\n{}A\n{}", "subgraph x\n".repeat(900), "end\n".repeat(900));
    let many = format!(
        "flowchart LR\n{}",
        (0..900).map(|n| format!("a{n} --> b{}\n", n % 7)).collect::<String>()
    );
    let brackets = format!("flowchart LR\nA{}", "(".repeat(15_000));
    let blocks = format!("block-beta\n{}{}", "block\n".repeat(1500), "end\n".repeat(1500));
    let mind = (0..400)
        .map(|n| format!("{}n{n}\n", " ".repeat(n.min(45))))
        .collect::<String>();
    for source in [nested, many, brackets, blocks, format!("mindmap\n{mind}")] {
        let request = member
            .request(Method::POST, "/api/v1/diagrams/check")
            .json(&json!({"source": source}));
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let long = json!({"source": "x".repeat(20_001)});
    assert_eq!(
        member.post("/api/v1/diagrams/check", long).await.status,
        StatusCode::BAD_REQUEST
    );
}
