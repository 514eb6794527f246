use crate::helpers::{TestServer, config};
use cerebros_api::{Parts, start};
use cerebros_common::{errors::ErrorCode, legal::LegalText};
use tempfile::TempDir;

on_both_databases!(anybody_reads_the_texts, an_operator_replaces_the_texts,);

async fn anybody_reads_the_texts(server: TestServer) {
    for (page, title) in [("privacy", "Privacy"), ("terms", "Terms")] {
        let text: LegalText = server.anonymous().get(&format!("/api/v1/legal/{page}")).await.data();
        assert_eq!(text.title, title);
        assert!(text.html.contains("operator"));
    }
    let other = server.anonymous().get("/api/v1/legal/imprint").await.problem();
    assert_eq!(other.error, ErrorCode::NotFound);
}

async fn an_operator_replaces_the_texts(server: TestServer) {
    let texts = TempDir::new().unwrap();
    let privacy = "# Your data at Example\n\n<script>alert(1)</script>\n\nSee [x](javascript:alert(1)) and *this*.";
    std::fs::write(texts.path().join("privacy.md"), privacy).unwrap();
    let directory = texts.path().to_owned();
    let data = TempDir::new().unwrap();
    let mut incomplete = config(server.kind, &data).await;
    incomplete.legal_dir = Some(directory.clone());
    let refused = start(incomplete, Parts::All).await.err().unwrap().to_string();
    assert!(
        refused.contains("LEGAL_DIR") && refused.contains("terms.md"),
        "{refused}"
    );

    std::fs::write(texts.path().join("terms.md"), "# Rules\n\nBe kind.").unwrap();
    let own = TestServer::start_with(server.kind, |config| config.legal_dir = Some(directory)).await;
    let text: LegalText = own.anonymous().get("/api/v1/legal/privacy").await.data();
    assert_eq!(text.title, "Your data at Example");
    assert!(text.html.contains("<em>this</em>"), "{}", text.html);
    assert!(!text.html.contains("script"), "{}", text.html);
    let text: LegalText = own.anonymous().get("/api/v1/legal/terms").await.data();
    assert_eq!((text.title.as_str(), text.html.trim()), ("Rules", "<p>Be kind.</p>"));
    own.stop().await;
}
