use crate::{
    events,
    helpers::{Answer, Client, TestServer},
};
use cerebros_common::{
    agents::Agent,
    documents::{Chunk, Document, DocumentFormat, DocumentStatus, DocumentText},
    errors::ErrorCode,
    events::EventKind,
    wire::{CursorPage, Page},
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use std::{os::unix::fs::PermissionsExt, path::Path};

on_both_databases!(
    a_pdf_and_a_docx_become_text_and_chunks,
    a_broken_file_ends_in_error_and_the_rest_goes_on,
    what_cannot_be_read_is_refused_at_the_door,
    a_form_that_is_not_one_file_is_refused_by_part,
    a_file_that_is_too_large_leaves_nothing,
    an_agent_takes_ten_of_a_kind_and_no_file_twice,
    a_document_goes_with_its_file,
    an_agent_takes_its_files_along,
    strangers_see_no_document,
    a_rerun_task_changes_nothing,
    a_killed_extraction_starts_over,
    every_step_is_an_event,
);

pub const PDF: &[u8] = include_bytes!("../../../ingest/tests/fixtures/remote-work-policy.pdf");
pub const DOCX: &[u8] = include_bytes!("../../../ingest/tests/fixtures/project-handbook.docx");

pub async fn agent(client: &Client) -> Agent {
    client.post("/api/v1/agents", json!({"name": "A"})).await.data()
}

pub fn upload_path(agent: &Agent, kind: &str) -> String {
    format!("/api/v1/documents?agent_id={}&kind={kind}", agent.id)
}

pub fn path(document: &Document) -> String {
    format!("/api/v1/documents/{}", document.id)
}

pub fn is_settled(document: &Document) -> bool {
    matches!(document.status, DocumentStatus::Ready | DocumentStatus::Error)
}

/// Uploads a file and waits until it is read.
pub async fn ready(client: &Client, agent: &Agent, kind: &str, name: &str, bytes: &[u8]) -> Document {
    let uploaded: Document = client.upload(&upload_path(agent, kind), name, bytes).await.data();
    let settled = client.wait(&path(&uploaded), is_settled).await;
    assert_eq!(settled.status, DocumentStatus::Ready, "{:?}", settled.error);
    settled
}

fn files_below(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path()),
            false => 1,
        })
        .sum()
}

fn kept_files(server: &TestServer) -> usize {
    let data = &server.config.data_dir;
    files_below(&data.join("blobs/documents")) + files_below(&data.join("incoming"))
}

async fn a_pdf_and_a_docx_become_text_and_chunks(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let created = member
        .upload(&upload_path(&agent, "reference"), "Büro 1.pdf", PDF)
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let location = created.headers[header::LOCATION].to_str().unwrap().to_owned();
    let uploaded: Document = created.data();
    assert_eq!(
        (uploaded.format, uploaded.size_bytes),
        (DocumentFormat::Pdf, PDF.len() as u64)
    );
    assert_eq!(uploaded.status, DocumentStatus::Uploaded);
    let pdf: Document = member.wait(&location, is_settled).await;
    assert_eq!(pdf.status, DocumentStatus::Ready);
    assert!(pdf.pages.unwrap() >= 1);
    let docx = ready(&member, &agent, "reference", "handbook.docx", DOCX).await;
    assert_eq!((docx.format, docx.pages), (DocumentFormat::Docx, None));

    for (document, bytes, media_type) in [(&pdf, PDF, "application/pdf"), (&docx, DOCX, "application/vnd.openxml")] {
        let whole: DocumentText = member
            .get(&format!("{}/text?length=100000", path(document)))
            .await
            .data();
        assert_eq!(whole.total, document.characters.unwrap());
        assert_eq!(whole.text.chars().count() as u64, whole.total);
        let part: DocumentText = member
            .get(&format!("{}/text?offset=7&length=11", path(document)))
            .await
            .data();
        let expected: String = whole.text.chars().skip(7).take(11).collect();
        assert_eq!((part.text, part.offset), (expected, 7));
        let beyond: DocumentText = member
            .get(&format!("{}/text?offset=99999999", path(document)))
            .await
            .data();
        assert_eq!((beyond.text.as_str(), beyond.offset), ("", whole.total));

        let mut chunks: Vec<Chunk> = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = member.get(&format!("{}/chunks?limit=1{cursor}", path(document))).await;
            let page: CursorPage<Chunk> = answer.data();
            chunks.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(chunks.len() as u64, document.chunks);
        for (index, chunk) in (0..).zip(&chunks) {
            let (start, end) = (chunk.start as usize, chunk.end as usize);
            let at: String = whole.text.chars().skip(start).take(end - start).collect();
            assert_eq!((chunk.index, &chunk.text), (index, &at));
        }

        let content = member.get(&format!("{}/content", path(document))).await;
        assert_eq!(content.bytes, bytes);
        assert!(
            content.headers[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with(media_type)
        );
        assert_eq!(content.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let disposition = content.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(disposition.starts_with("attachment;"), "{disposition}");
    }
    let listed: Page<Document> = member
        .get(&format!("/api/v1/documents?agent_id={}", agent.id))
        .await
        .data();
    assert_eq!(listed.items, [docx, pdf]);
    let none: Page<Document> = member.get("/api/v1/documents?kind=communication").await.data();
    assert_eq!(none.total, 0);
}

async fn a_broken_file_ends_in_error_and_the_rest_goes_on(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let broken: Document = member
        .upload(
            &upload_path(&agent, "reference"),
            "broken.pdf",
            &b"%PDF-1.7\nnothing follows"[..],
        )
        .await
        .data();
    let good = ready(
        &member,
        &agent,
        "reference",
        "good.txt",
        b"A plain sentence about boats.",
    )
    .await;
    let broken: Document = member.wait(&path(&broken), is_settled).await;
    assert_eq!(broken.status, DocumentStatus::Error);
    let error = broken.error.clone().unwrap();
    assert_eq!(error.code, "pdf_damaged");
    assert!(error.message.ends_with('.'), "{}", error.message);
    let text = member.get(&format!("{}/text", path(&broken))).await.problem();
    assert_eq!(text.error, ErrorCode::Conflict);

    let again: Document = member.post_nothing(&format!("{}/retry", path(&broken))).await.data();
    assert_eq!((again.status, again.error), (DocumentStatus::Uploaded, None));
    let still: Document = member.wait(&path(&broken), is_settled).await;
    assert_eq!(still.error, Some(error));
    let refused = member.post_nothing(&format!("{}/retry", path(&good))).await.problem();
    assert_eq!(refused.error, ErrorCode::Conflict);
}

async fn what_cannot_be_read_is_refused_at_the_door(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0".to_vec();
    program.extend((0..4096u32).map(|number| (number * 37 % 256) as u8));
    for (name, bytes) in [
        (
            "picture.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0".to_vec(),
        ),
        ("program.txt", program),
        (
            "archive.docx",
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        ),
    ] {
        let problem = member
            .upload(&upload_path(&agent, "work_product"), name, bytes)
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::UnsupportedMediaType, "{name}");
        assert!(problem.detail.len() > 20, "{name}: {}", problem.detail);
    }
    for empty in [&b""[..], b" \n\t "] {
        let problem = member
            .upload(&upload_path(&agent, "work_product"), "empty.txt", empty)
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest);
        assert_eq!(
            (problem.details[0].path.as_str(), problem.details[0].code.as_str()),
            ("file", "empty")
        );
    }
    assert_eq!(kept_files(&server), 0);
}

async fn a_form_that_is_not_one_file_is_refused_by_part(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let target = upload_path(&agent, "work_product");
    let file = "content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nSome text.\r\n";
    let form = async |body: String| {
        let request = member
            .request(Method::POST, &target)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        Answer::of(request.body(body)).await.problem()
    };
    for (body, path, code) in [
        ("--b--\r\n".to_owned(), "file", "missing"),
        (format!("--b\r\n{file}--b\r\n{file}--b--\r\n"), "file", "repeated"),
        (
            format!("--b\r\n{}--b--\r\n", file.replace("=\"file\"", "=\"document\"")),
            "document",
            "unknown",
        ),
        (
            format!("--b\r\n{}--b--\r\n", file.replace("; filename=\"a.txt\"", "")),
            "file",
            "type",
        ),
    ] {
        let problem = form(body).await;
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{}", problem.detail);
        assert_eq!(
            (problem.details[0].path.as_str(), problem.details[0].code.as_str()),
            (path, code)
        );
    }
    assert_eq!(form(format!("--b\r\n{file}")).await.error, ErrorCode::MalformedBody);
    let json = member.post(&target, json!({"file": "text"})).await.problem();
    assert_eq!(json.error, ErrorCode::UnsupportedMediaType);
    for query in [
        "kind=work_product",
        "agent_id=7&kind=work_product",
        "kind=essay",
        "agent_id=x",
    ] {
        let problem = member
            .upload(&format!("/api/v1/documents?{query}"), "a.txt", &b"text"[..])
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
    }
    assert_eq!(kept_files(&server), 0);
    let none: Page<Document> = member.get("/api/v1/documents").await.data();
    assert_eq!(none.total, 0);
}

async fn a_file_that_is_too_large_leaves_nothing(server: TestServer) {
    let small = TestServer::start_with(server.kind, |config| config.max_document_bytes = 1024 * 1024).await;
    let member = small.member().await;
    let agent = agent(&member).await;
    let target = upload_path(&agent, "work_product");
    let problem = member
        .upload(&target, "large.txt", vec![b'a'; 3 * 1024 * 1024])
        .await
        .problem();
    assert_eq!(problem.error, ErrorCode::PayloadTooLarge);
    assert!(problem.detail.contains("1 MiB"), "{}", problem.detail);
    assert_eq!(kept_files(&small), 0);
    let fits = member
        .upload(&target, "fits.txt", "word ".repeat(1024 * 1024 / 5))
        .await;
    assert_eq!(fits.status, StatusCode::CREATED);
    small.stop().await;
}

async fn an_agent_takes_ten_of_a_kind_and_no_file_twice(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let text = |number: u32| format!("Note number {number}.");
    for number in 0..10 {
        let answer = member
            .upload(
                &upload_path(&agent, "reference"),
                &format!("{number}.txt"),
                text(number),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let eleventh = member
        .upload(&upload_path(&agent, "reference"), "10.txt", text(10))
        .await
        .problem();
    assert_eq!(eleventh.error, ErrorCode::Conflict);
    assert!(eleventh.detail.contains("at most 10"), "{}", eleventh.detail);
    let twice = member
        .upload(&upload_path(&agent, "work_product"), "copy.txt", text(3))
        .await
        .problem();
    assert_eq!(twice.error, ErrorCode::Conflict);
    assert!(twice.detail.contains("3.txt"), "{}", twice.detail);
    assert_eq!(kept_files(&server), 10);
    let other_kind = member
        .upload(&upload_path(&agent, "communication"), "10.txt", text(10))
        .await;
    assert_eq!(other_kind.status, StatusCode::CREATED);
}

async fn a_document_goes_with_its_file(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let kept = ready(&member, &agent, "reference", "kept.txt", b"Kept.").await;
    let gone = ready(&member, &agent, "reference", "gone.txt", b"Gone.").await;
    assert_eq!(member.delete(&path(&gone)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path(&gone)).await.problem().error, ErrorCode::NotFound);
    assert_eq!(member.delete(&path(&gone)).await.problem().error, ErrorCode::NotFound);
    server.until(|| kept_files(&server) == 1).await;
    assert_eq!(member.get(&path(&kept)).await.data::<Document>(), kept);
    // Deleted while it waits or is read, it stays deleted.
    let early: Document = member
        .upload(&upload_path(&agent, "reference"), "early.pdf", PDF)
        .await
        .data();
    assert_eq!(member.delete(&path(&early)).await.status, StatusCode::NO_CONTENT);
    ready(&member, &agent, "reference", "later.txt", b"Later.").await;
    assert_eq!(member.get(&path(&early)).await.problem().error, ErrorCode::NotFound);
    server.until(|| kept_files(&server) == 2).await;
}

async fn an_agent_takes_its_files_along(server: TestServer) {
    let member = server.member().await;
    let (mine, other) = (agent(&member).await, agent(&member).await);
    ready(&member, &mine, "reference", "a.txt", b"Alpha.").await;
    ready(&member, &other, "reference", "a.txt", b"Alpha.").await;
    let deleted = member.delete_any_version(&format!("/api/v1/agents/{}", mine.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    server.until(|| kept_files(&server) == 1).await;
    let left: Page<Document> = member.get("/api/v1/documents").await.data();
    assert_eq!((left.total, left.items[0].agent_id), (1, other.id));
}

async fn strangers_see_no_document(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent = agent(&member).await;
    let document = ready(&member, &agent, "reference", "a.txt", b"Alpha.").await;
    for part in ["", "/text", "/chunks", "/content"] {
        let problem = stranger.get(&format!("{}{part}", path(&document))).await.problem();
        assert_eq!(problem.error, ErrorCode::NotFound, "{part}");
    }
    assert_eq!(
        stranger.delete(&path(&document)).await.problem().error,
        ErrorCode::NotFound
    );
    let retry = stranger.post_nothing(&format!("{}/retry", path(&document))).await;
    assert_eq!(retry.problem().error, ErrorCode::NotFound);
    let upload = stranger
        .upload(&upload_path(&agent, "reference"), "b.txt", &b"Beta."[..])
        .await;
    assert_eq!(upload.problem().error, ErrorCode::NotFound);
    let none: Page<Document> = stranger
        .get(&format!("/api/v1/documents?agent_id={}", agent.id))
        .await
        .data();
    assert_eq!(none.total, 0);
    assert_eq!(kept_files(&server), 1);
}

async fn a_rerun_task_changes_nothing(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = ready(&member, &agent, "reference", "policy.pdf", PDF).await;
    let chunks = member.get(&format!("{}/chunks", path(&document))).await.text;
    server.rerun("extract_document").await;
    assert_eq!(member.get(&path(&document)).await.data::<Document>(), document);
    assert_eq!(member.get(&format!("{}/chunks", path(&document))).await.text, chunks);
}

async fn a_killed_extraction_starts_over(server: TestServer) {
    let directory = tempfile::tempdir().unwrap();
    let (program, killed) = (directory.path().join("program"), directory.path().join("killed"));
    let script = format!(
        "#!/bin/sh\nif [ ! -e '{0}' ]; then : > '{0}'; kill -9 $$; fi\nexec '{1}' \"$@\"\n",
        killed.display(),
        server.config.child_program.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let unlucky = TestServer::start_with(server.kind, |config| config.child_program = program.clone()).await;
    let member = unlucky.member().await;
    let agent = agent(&member).await;
    ready(&member, &agent, "reference", "policy.pdf", PDF).await;
    assert!(killed.exists());
    assert_eq!(files_below(&unlucky.config.data_dir.join("work")), 0);
    unlucky.stop().await;
}

async fn every_step_is_an_event(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = ready(&member, &agent, "work_product", "policy.pdf", PDF).await;
    member
        .wait(&path(&document), |document: &Document| document.examples > 0)
        .await;
    member.delete(&path(&document)).await;
    let events = events::read(&member, Some(0), 6).await;
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::AgentChanged,
        // Uploaded, being read, ready.
        EventKind::DocumentChanged,
        EventKind::DocumentChanged,
        EventKind::DocumentChanged,
        EventKind::ExamplesChanged,
        EventKind::DocumentDeleted,
    ];
    assert_eq!(kinds, expected);
    for event in &events[1..] {
        assert_eq!((event.id, event.agent_id), (document.id.0, Some(agent.id)));
    }
}
