use crate::{
    documents::{PDF, agent},
    examples::{all, generated},
    helpers::{Answer, Client, TestServer},
};
use cerebros_common::{
    agents::Agent,
    datasets::{Dataset, DatasetFinding, DatasetRow, DatasetSource, DatasetStatus, FindingSeverity},
    errors::ErrorCode,
    wire::{CursorPage, Page},
};
use reqwest::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

on_both_databases!(
    a_dataset_is_built_from_approved_examples_as_they_are_now,
    an_uploaded_file_is_validated_row_by_row,
    a_file_without_a_good_row_ends_in_error,
    validation_run_twice_finds_nothing_twice,
    a_file_that_is_too_large_leaves_nothing,
    bad_requests_are_refused,
    a_dataset_goes_with_its_file,
    strangers_see_no_dataset,
);

const UPLOAD: &str = "/api/v1/datasets/upload";

fn path(dataset: &Dataset) -> String {
    format!("/api/v1/datasets/{}", dataset.id)
}

fn row(user: &str, assistant: &str) -> String {
    let row = json!({"messages": [
        {"role": "user", "content": user},
        {"role": "assistant", "content": assistant},
    ]});
    format!("{row}\n")
}

async fn validated(client: &Client, answer: Answer) -> Dataset {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(answer.data::<Dataset>().status, DatasetStatus::Validating);
    let settled = |dataset: &Dataset| dataset.status != DatasetStatus::Validating;
    client.wait(&location, settled).await
}

/// Every item of a list that is read by cursor, two at a time.
async fn read_all<T: DeserializeOwned>(client: &Client, path: &str) -> Vec<T> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: CursorPage<T> = client.get(&format!("{path}?limit=2{cursor}")).await.data();
        assert!(page.items.len() <= 2);
        found.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn approve_all(client: &Client, agent: &Agent) {
    let body = json!({"agent_id": agent.id, "status": "approved"});
    let answer = client.post("/api/v1/examples/review", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn a_dataset_is_built_from_approved_examples_as_they_are_now(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let new = json!({"agent_id": agent.id, "name": " First "});
    let (_, examples) = generated(&member, &agent, "policy.pdf", PDF).await;
    let too_early = member.post("/api/v1/datasets", new.clone()).await.problem();
    assert_eq!(too_early.error, ErrorCode::Conflict);
    assert!(too_early.detail.contains("Approve"), "{}", too_early.detail);
    approve_all(&member, &agent).await;
    let rejected = format!("/api/v1/examples/{}", examples[0].id);
    member
        .patch(&rejected, 2, json!({"status": "rejected"}))
        .await
        .data::<Value>();
    let manual = json!({"agent_id": agent.id, "prompt": "No thought?", "response": "None."});
    member.post("/api/v1/examples", manual).await.data::<Value>();

    let dataset = validated(&member, member.post("/api/v1/datasets", new).await).await;
    assert_eq!(
        (dataset.status, dataset.source),
        (DatasetStatus::Ready, DatasetSource::Examples)
    );
    assert_eq!((dataset.name.as_str(), dataset.agent_id), ("First", Some(agent.id)));
    let approved = all(&member, "status=approved").await;
    let report = dataset.report.as_ref().unwrap();
    assert_eq!(
        (report.rows_accepted as usize, report.rows_rejected),
        (approved.len(), 0)
    );
    let tokens: usize = approved
        .iter()
        .map(|e| e.prompt.len() + e.reasoning.len() + e.response.len())
        .sum();
    assert_eq!(report.tokens.total as usize, tokens);

    let rows: Vec<DatasetRow> = read_all(&member, &format!("{}/rows", path(&dataset))).await;
    let mut oldest_first = approved.clone();
    oldest_first.reverse();
    for (row, example) in rows.iter().zip(&oldest_first) {
        let mut assistant = json!({"role": "assistant", "content": example.response});
        if !example.reasoning.is_empty() {
            assistant["reasoning_content"] = json!(example.reasoning);
        }
        let messages = json!([{"role": "user", "content": example.prompt}, assistant]);
        assert_eq!(row.row, json!({"messages": messages}));
    }
    assert_eq!(rows.len(), approved.len());

    // What happens to the examples later does not reach it.
    let before = member.get(&format!("{}/content", path(&dataset))).await.bytes;
    member
        .delete_any_version(&format!("/api/v1/examples/{}", approved[0].id))
        .await;
    assert_eq!(member.get(&format!("{}/content", path(&dataset))).await.bytes, before);
    let listed: Page<Dataset> = member
        .get(&format!("/api/v1/datasets?agent_id={}", agent.id))
        .await
        .data();
    assert_eq!(listed.items, [dataset]);
}

async fn an_uploaded_file_is_validated_row_by_row(server: TestServer) {
    let member = server.member().await;
    let mut file = row("Eins?", "Zwei.").into_bytes();
    file.extend_from_slice(b"{\"messages\": [\n\n");
    file.extend(row("Drei?", "Vier.").bytes());
    file.extend_from_slice(b"\xff\xfe bad\n");
    file.extend(
        json!({"messages": [{"role": "user", "content": "Alone\u{0}"}]})
            .to_string()
            .bytes(),
    );
    file.push(b'\n');
    file.extend(row("Eins?", "Zwei.").bytes());
    let dataset = validated(&member, member.upload(UPLOAD, "my rows.jsonl", file.clone()).await).await;
    assert_eq!(
        (dataset.status, dataset.name.as_str()),
        (DatasetStatus::Ready, "my rows.jsonl")
    );
    assert_eq!(dataset.size_bytes, file.len() as u64);
    assert_eq!(dataset.sha256, Some(hex::encode(Sha256::digest(&file))));
    let report = dataset.report.as_ref().unwrap();
    assert_eq!(
        (report.rows_total, report.rows_accepted, report.rows_rejected),
        (6, 3, 3)
    );
    assert_eq!((report.warnings, report.messages, report.tokens.total), (1, 6, 30));
    assert_eq!((report.assistant_tokens, report.tokens.p50), (15, 10));

    let rows: Vec<DatasetRow> = read_all(&member, &format!("{}/rows", path(&dataset))).await;
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 4, 7]);
    assert_eq!(rows[1].row["messages"][0]["content"], "Drei?");
    let findings: Vec<DatasetFinding> = read_all(&member, &format!("{}/findings", path(&dataset))).await;
    let of_line = |line| findings.iter().find(|finding| finding.line == line).unwrap();
    for (line, code, severity) in [
        (2, "invalid_json", FindingSeverity::Rejected),
        (5, "invalid_utf8", FindingSeverity::Rejected),
        (6, "last_not_assistant", FindingSeverity::Rejected),
        (7, "duplicate", FindingSeverity::Warning),
    ] {
        let finding = of_line(line);
        assert_eq!((finding.code.as_str(), finding.severity), (code, severity));
        assert!(!finding.message.is_empty() && !finding.fix.is_empty());
    }
    let content = member.get(&format!("{}/content", path(&dataset))).await;
    assert_eq!(content.bytes, file);
    let disposition = content.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"my rows.jsonl\";"),
        "{disposition}"
    );

    let named = member
        .upload(&format!("{UPLOAD}?name=Other"), "x.jsonl", row("a", "b"))
        .await;
    assert_eq!(validated(&member, named).await.name, "Other");
}

async fn a_file_without_a_good_row_ends_in_error(server: TestServer) {
    let member = server.member().await;
    for (name, bytes) in [
        ("policy.pdf", PDF.to_vec()),
        ("blank.jsonl", b"\n \n".to_vec()),
        ("shape.jsonl", b"{\"prompt\":\"a\",\"completion\":\"b\"}\n".repeat(1200)),
    ] {
        let dataset = validated(&member, member.upload(UPLOAD, name, bytes).await).await;
        assert_eq!(dataset.status, DatasetStatus::Error, "{name}");
        assert!(dataset.error.as_ref().unwrap().ends_with('.'), "{name}");
        assert_eq!(dataset.report.as_ref().unwrap().rows_accepted, 0);
        let rows: Vec<DatasetRow> = read_all(&member, &format!("{}/rows", path(&dataset))).await;
        assert!(rows.is_empty());
        if name == "shape.jsonl" {
            assert_eq!(dataset.report.unwrap().rows_rejected, 1200);
        }
    }
}

async fn validation_run_twice_finds_nothing_twice(server: TestServer) {
    let member = server.member().await;
    let file = format!("{}broken\n", row("a", "b"));
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", file).await).await;
    server.rerun("validate_dataset").await;
    assert_eq!(member.get(&path(&dataset)).await.data::<Dataset>(), dataset);
    let findings: Vec<DatasetFinding> = read_all(&member, &format!("{}/findings", path(&dataset))).await;
    assert_eq!(findings.len(), 1);
}

async fn a_file_that_is_too_large_leaves_nothing(server: TestServer) {
    let small = TestServer::start_with(server.kind, |config| config.max_dataset_bytes = 1000).await;
    let member = small.member().await;
    let problem = member
        .upload(UPLOAD, "x.jsonl", row("a", &"b".repeat(2000)))
        .await
        .problem();
    assert_eq!(problem.error, ErrorCode::PayloadTooLarge);
    assert!(problem.detail.contains("1000 bytes"), "{}", problem.detail);
    let none: Page<Dataset> = member.get("/api/v1/datasets").await.data();
    assert_eq!(none.total, 0);
    assert_eq!(
        std::fs::read_dir(small.config.data_dir.join("incoming"))
            .unwrap()
            .count(),
        0
    );
    assert!(!small.config.data_dir.join("blobs/datasets").exists());
    small.stop().await;
}

async fn bad_requests_are_refused(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let empty = member.upload(UPLOAD, "x.jsonl", Vec::new()).await.problem();
    assert_eq!(
        (empty.error, empty.details[0].code.as_str()),
        (ErrorCode::InvalidRequest, "empty")
    );
    for query in ["name=%20", "colour=red", "name=a%00b"] {
        let problem = member
            .upload(&format!("{UPLOAD}?{query}"), "x.jsonl", row("a", "b"))
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
    }
    for body in [
        json!({"agent_id": agent.id, "name": ""}),
        json!({"name": "x"}),
        json!({"agent_id": agent.id, "name": "x", "status": "ready"}),
    ] {
        let problem = member.post("/api/v1/datasets", body).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest);
    }
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", row("a", "b")).await).await;
    for (part, cursor) in [("rows", "x"), ("rows", "5"), ("findings", "1-2")] {
        let problem = member
            .get(&format!("{}/{part}?cursor={cursor}", path(&dataset)))
            .await
            .problem();
        assert_eq!(problem.details[0].path, "cursor", "{part} {cursor}");
    }
}

async fn a_dataset_goes_with_its_file(server: TestServer) {
    let member = server.member().await;
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", row("a", "b")).await).await;
    let key = server.config.data_dir.join("blobs/datasets");
    let file = key.join(member_workspace(&member).await).join(dataset.id.to_string());
    assert!(file.exists());
    assert_eq!(member.delete(&path(&dataset)).await.status, StatusCode::NO_CONTENT);
    assert!(!file.exists());
    assert_eq!(member.get(&path(&dataset)).await.problem().error, ErrorCode::NotFound);
}

async fn member_workspace(member: &Client) -> String {
    let session: Value = member.get("/api/v1/auth/session").await.data();
    session["workspaces"][0]["id"].as_str().unwrap().to_owned()
}

async fn strangers_see_no_dataset(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent = agent(&member).await;
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", row("a", "b")).await).await;
    for part in ["", "/rows", "/findings", "/content"] {
        let problem = stranger.get(&format!("{}{part}", path(&dataset))).await.problem();
        assert_eq!(problem.error, ErrorCode::NotFound, "{part}");
    }
    assert_eq!(
        stranger.delete(&path(&dataset)).await.problem().error,
        ErrorCode::NotFound
    );
    let build = stranger
        .post("/api/v1/datasets", json!({"agent_id": agent.id, "name": "x"}))
        .await;
    assert_eq!(build.problem().error, ErrorCode::NotFound);
    let none: Page<Dataset> = stranger.get("/api/v1/datasets").await.data();
    assert_eq!(none.total, 0);
}
