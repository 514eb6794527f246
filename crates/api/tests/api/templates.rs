use crate::helpers::TestServer;
use cerebros_common::{
    errors::ErrorCode,
    templates::{Template, TemplateKind, TemplateVersion},
    wire::Page,
};
use reqwest::StatusCode;
use serde_json::json;

on_both_databases!(
    templates_are_there_from_the_start,
    each_save_is_a_version_that_can_be_restored,
    bad_templates_are_refused,
);

const TEMPLATES: &str = "/api/v1/templates";
const PROSE: &str = "/api/v1/templates/prose";

async fn templates_are_there_from_the_start(server: TestServer) {
    let member = server.member().await;
    let all: Page<Template> = member.get(TEMPLATES).await.data();
    assert_eq!(
        all.items.iter().map(|one| one.kind).collect::<Vec<_>>(),
        TemplateKind::ALL
    );
    for template in &all.items {
        assert_eq!(template.instructions, template.kind.built_in());
        assert_eq!((template.version, template.updated_at), (1, None));
        assert!(template.frame.contains("quote"));
    }
    let first: Page<TemplateVersion> = member.get(&format!("{PROSE}/versions")).await.data();
    assert_eq!((first.total, first.items[0].version), (1, 1));
    assert_eq!(first.items[0].instructions, TemplateKind::Prose.built_in());
    let second: Page<TemplateVersion> = member.get(&format!("{PROSE}/versions?page=2")).await.data();
    assert_eq!((second.total, second.items.len()), (1, 0));
}

async fn each_save_is_a_version_that_can_be_restored(server: TestServer) {
    let member = server.member().await;
    let saved = member
        .patch(PROSE, 1, json!({"instructions": "Ask about numbers."}))
        .await;
    assert!(saved.header("etag").unwrap().starts_with("\"2-"));
    let saved: Template = saved.data();
    assert_eq!((saved.version, saved.instructions.as_str()), (2, "Ask about numbers."));
    assert!(saved.updated_at.is_some());
    let stale = member.patch(PROSE, 1, json!({"instructions": "No."})).await.problem();
    assert_eq!(stale.error, ErrorCode::StaleVersion);
    let third: Template = member.patch(PROSE, 2, json!({"instructions": "Ask why."})).await.data();
    assert_eq!(third.version, 3);
    let restored: Template = member
        .post(&format!("{PROSE}/restore"), json!({"version": 1}))
        .await
        .data();
    assert_eq!(
        (restored.version, restored.instructions.as_str()),
        (4, TemplateKind::Prose.built_in())
    );
    let page: Page<TemplateVersion> = member.get(&format!("{PROSE}/versions?limit=3")).await.data();
    assert_eq!(
        (page.total, page.items.iter().map(|one| one.version).collect()),
        (4, vec![4, 3, 2])
    );
    assert_eq!(page.items[2].instructions, "Ask about numbers.");
    let rest: Page<TemplateVersion> = member.get(&format!("{PROSE}/versions?limit=3&page=2")).await.data();
    assert_eq!((rest.items[0].version, rest.items[0].created_at), (1, None));
    let other: Template = member.get(&format!("{TEMPLATES}/table")).await.data();
    assert_eq!(other.version, 1);
    let stranger: Template = server.stranger().await.get(PROSE).await.data();
    assert_eq!(stranger.version, 1);
}

async fn bad_templates_are_refused(server: TestServer) {
    let member = server.member().await;
    assert_eq!(
        member.get(&format!("{TEMPLATES}/poetry")).await.status,
        StatusCode::NOT_FOUND
    );
    for text in ["", "  ", &"x".repeat(8001)] {
        let problem = member.patch(PROSE, 1, json!({"instructions": text})).await.problem();
        assert_eq!(problem.details[0].path, "instructions");
    }
    let restore = format!("{PROSE}/restore");
    assert_eq!(
        member.post(&restore, json!({"version": 0})).await.problem().details[0].path,
        "version"
    );
    assert_eq!(
        member.post(&restore, json!({"version": 7})).await.status,
        StatusCode::NOT_FOUND
    );
}
