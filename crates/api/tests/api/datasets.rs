use crate::{
    documents::{PDF, agent},
    examples::{all, generated},
    helpers::{Answer, Client, Kind, TestServer},
};
use cerebros_common::{
    agents::Agent,
    datasets::{
        Dataset, DatasetFinding, DatasetFormat, DatasetLayout, DatasetRow, DatasetSource, DatasetStatus, FindingRepair,
        FindingSeverity, RowsKind,
    },
    errors::ErrorCode,
    wire::{CursorPage, Page},
};
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

on_both_databases!(
    a_dataset_is_built_from_approved_examples_as_they_are_now,
    an_uploaded_file_is_validated_row_by_row,
    a_file_without_a_good_row_ends_in_error,
    every_format_is_detected_shown_and_written_in_the_others,
    a_repaired_file_and_a_whole_report_are_downloaded,
    validation_run_twice_finds_nothing_twice,
    a_file_that_is_too_large_leaves_nothing,
    bad_requests_are_refused,
    a_deleted_dataset_is_restored_or_goes_with_its_file,
    strangers_see_no_dataset,
);

pub const UPLOAD: &str = "/api/v1/datasets/upload";

pub fn path(dataset: &Dataset) -> String {
    format!("/api/v1/datasets/{}", dataset.id)
}

pub fn row(user: &str, assistant: &str) -> String {
    let row = json!({"messages": [
        {"role": "user", "content": user},
        {"role": "assistant", "content": assistant},
    ]});
    format!("{row}\n")
}

pub async fn validated(client: &Client, answer: Answer) -> Dataset {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(answer.data::<Dataset>().status, DatasetStatus::Validating);
    let settled = |dataset: &Dataset| dataset.status != DatasetStatus::Validating;
    client.wait(&location, settled).await
}

/// Every item of a list that is read by cursor, two at a time.
pub async fn read_all<T: DeserializeOwned>(client: &Client, path: &str) -> Vec<T> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let page: CursorPage<T> = client.get(&format!("{path}{mark}limit=2{cursor}")).await.data();
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
    assert_eq!((report.rows_duplicate, report.rows_near_duplicate), (1, 0));
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
        ("shape.jsonl", b"{\"question\":\"a\",\"reply\":\"b\"}\n".repeat(1200)),
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

/// Rows of each format with the layout that they are mostly published in, and the user's first words.
fn files() -> Vec<(DatasetFormat, DatasetLayout, Vec<Value>)> {
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let pair = |answer: &str| json!([said("assistant", answer)]);
    vec![
        (
            DatasetFormat::Chat,
            DatasetLayout::Lines,
            vec![json!({"messages": [said("user", "Hi"), said("assistant", "a")]})],
        ),
        (
            DatasetFormat::Sharegpt,
            DatasetLayout::Lines,
            vec![json!({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "a"}]})],
        ),
        (
            DatasetFormat::Alpaca,
            DatasetLayout::List,
            vec![
                json!({"instruction": "Hi", "input": "", "output": "a"}),
                json!({"instruction": "Add.", "input": "1, 2", "output": "3"}),
            ],
        ),
        (
            DatasetFormat::PromptCompletion,
            DatasetLayout::Lines,
            vec![json!({"prompt": "Hi", "completion": "a"})],
        ),
        (DatasetFormat::Text, DatasetLayout::Lines, vec![json!({"text": "Hi"})]),
        (
            DatasetFormat::OpenaiPreference,
            DatasetLayout::Lines,
            vec![
                json!({"input": {"messages": [said("user", "Hi")]}, "preferred_output": pair("a"), "non_preferred_output": pair("b")}),
            ],
        ),
        (
            DatasetFormat::Preference,
            DatasetLayout::List,
            vec![json!({"prompt": "Hi", "chosen": "a", "rejected": "b"})],
        ),
    ]
}

fn parsed(layout: DatasetLayout, text: &str) -> Vec<Value> {
    match layout {
        DatasetLayout::Lines => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        DatasetLayout::List => serde_json::from_str(text).unwrap(),
    }
}

async fn every_format_is_detected_shown_and_written_in_the_others(server: TestServer) {
    let member = server.member().await;
    for (format, layout, rows) in files() {
        let (name, file) = match layout {
            DatasetLayout::Lines => ("rows.jsonl", rows.iter().map(|row| format!("{row}\n")).collect()),
            DatasetLayout::List => ("rows.json", serde_json::to_string_pretty(&rows).unwrap()),
        };
        let dataset = validated(&member, member.upload(UPLOAD, name, file.clone()).await).await;
        assert_eq!(dataset.status, DatasetStatus::Ready, "{format:?} {:?}", dataset.error);
        assert_eq!(
            (dataset.format, dataset.layout, dataset.rows_kind),
            (Some(format), Some(layout), Some(format.kind()))
        );
        assert_eq!(dataset.report.as_ref().unwrap().rows_accepted, rows.len() as u64);
        let shown: Vec<DatasetRow> = read_all(&member, &format!("{}/rows", path(&dataset))).await;
        let first = &shown[0].row;
        let asked = match format.kind() {
            RowsKind::Conversations => &first["messages"][0]["content"],
            RowsKind::Preferences => &first["prompt"][0]["content"],
            RowsKind::Texts => &first["text"],
        };
        assert_eq!((asked, shown.len()), (&json!("Hi"), rows.len()), "{format:?}");
        let content = member.get(&format!("{}/content", path(&dataset))).await;
        assert_eq!(content.bytes, file.as_bytes());
        for target in DatasetFormat::ALL {
            let name = serde_json::to_value(target).unwrap();
            let name = name.as_str().unwrap();
            let export = format!("{}/export?format={name}&layout=list", path(&dataset));
            let answer = member.get(&export).await;
            if target.kind() != format.kind() {
                assert_eq!(answer.problem().error, ErrorCode::Conflict);
                continue;
            }
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            // What was written is read as that format, and written back as it was.
            let there = validated(&member, member.upload(UPLOAD, "x.json", answer.bytes.clone()).await).await;
            assert_eq!((there.format, there.layout), (Some(target), Some(DatasetLayout::List)));
            let own = serde_json::to_value(format).unwrap();
            let back = format!("{}/export?format={}", path(&there), own.as_str().unwrap());
            assert_eq!(
                parsed(DatasetLayout::Lines, &member.get(&back).await.text),
                rows,
                "{target:?}"
            );
        }
    }
    let calls = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let row = json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": calls}]});
    let file = format!("{}{row}\n", self::row("a", "b"));
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", file).await).await;
    let export = format!("{}/export?format=alpaca", path(&dataset));
    let problem = member.get(&export).await.problem();
    assert_eq!(problem.error, ErrorCode::Conflict);
    assert!(problem.detail.contains("line 2"), "{}", problem.detail);
    let some = member.get(&format!("{export}&leave_out=true")).await;
    let expected = json!({"instruction": "a", "input": "", "output": "b"});
    assert_eq!(parsed(DatasetLayout::Lines, &some.text), [expected]);
    let disposition = some.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.contains("x.jsonl"), "{disposition}");
}

async fn a_repaired_file_and_a_whole_report_are_downloaded(server: TestServer) {
    let member = server.member().await;
    let mut file = row("Eins?", "Zwei.");
    file += &row("Drei?", "Vier.").replace("\"user\"", "\"human\"");
    for _ in 0..1500 {
        file += "{\"messages\": [\n";
    }
    let dataset = validated(&member, member.upload(UPLOAD, "rows.jsonl", file).await).await;
    let report = dataset.report.as_ref().unwrap();
    assert_eq!(
        (report.rows_accepted, report.rows_rejected, report.rows_mendable),
        (1, 1501, 1)
    );
    let first: Vec<DatasetFinding> = member
        .get(&format!("{}/findings?limit=2", path(&dataset)))
        .await
        .data::<CursorPage<DatasetFinding>>()
        .items;
    assert_eq!(
        first.iter().map(|finding| finding.repair).collect::<Vec<_>>(),
        [FindingRepair::Mended, FindingRepair::LeftOut]
    );

    let repaired = member.get(&format!("{}/repaired", path(&dataset))).await;
    assert_eq!(
        parsed(DatasetLayout::Lines, &repaired.text),
        parsed(DatasetLayout::Lines, &(row("Eins?", "Zwei.") + &row("Drei?", "Vier.")))
    );
    let made = member.request(Method::POST, &format!("{}/repair", path(&dataset)));
    let again = validated(&member, Answer::of(made).await).await;
    assert_eq!(again.sha256, Some(hex::encode(Sha256::digest(&repaired.bytes))));
    assert_eq!(
        (again.name.as_str(), again.source),
        ("rows.jsonl", DatasetSource::Repair)
    );
    assert_eq!(
        (again.line_id, again.version, again.parent_id),
        (dataset.line_id, 2, Some(dataset.id))
    );
    let report = again.report.as_ref().unwrap();
    assert_eq!((report.rows_accepted, report.rows_rejected, report.warnings), (2, 0, 0));
    let nothing = member.request(Method::POST, &format!("{}/repair", path(&again)));
    assert_eq!(Answer::of(nothing).await.problem().error, ErrorCode::Conflict);

    let lines = member.get(&format!("{}/report", path(&dataset))).await;
    let findings: Vec<DatasetFinding> = lines
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(findings.len(), 1501);
    assert_eq!(findings[..2], first);
    assert_eq!(findings[1500].line, 1502);
    let table = member.get(&format!("{}/report?format=csv", path(&dataset))).await;
    assert_eq!(table.text.lines().count(), 1502);
    assert_eq!(
        table.text.lines().next(),
        Some("line,field,code,severity,message,fix,repair")
    );
    assert!(
        table
            .text
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("2,\"/messages/0/role\",\"role_unknown\"")
    );
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
    for query in ["export?format=pdf", "export?leave_out=maybe", "report?format=xml"] {
        let problem = member.get(&format!("{}/{query}", path(&dataset))).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
    }
    for (part, cursor) in [("rows", "x"), ("rows", "5"), ("findings", "1-2")] {
        let problem = member
            .get(&format!("{}/{part}?cursor={cursor}", path(&dataset)))
            .await
            .problem();
        assert_eq!(problem.details[0].path, "cursor", "{part} {cursor}");
    }
}

async fn a_deleted_dataset_is_restored_or_goes_with_its_file(server: TestServer) {
    let member = server.member().await;
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", row("a", "b")).await).await;
    let other = validated(&member, member.upload(UPLOAD, "y.jsonl", row("c", "d")).await).await;
    let key = server.config.data_dir.join("blobs/datasets");
    let file = key.join(member_workspace(&member).await).join(dataset.id.to_string());
    let restore = format!("{}/restore", path(&dataset));
    let listed = async |query: &str| -> Vec<_> {
        let page: Page<Dataset> = member.get(&format!("/api/v1/datasets{query}")).await.data();
        page.items.into_iter().map(|dataset| dataset.id).collect()
    };
    assert_eq!(member.post_nothing(&restore).await.problem().error, ErrorCode::Conflict);
    assert_eq!(member.delete(&path(&dataset)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        member.delete(&path(&dataset)).await.problem().error,
        ErrorCode::Conflict
    );
    assert_eq!(listed("").await, [other.id]);
    assert_eq!(listed("?deleted=true").await, [dataset.id]);
    let deleted: Dataset = member.get(&path(&dataset)).await.data();
    assert_eq!((deleted.kept_until.unwrap() - chrono::Utc::now()).num_days(), 29);
    for part in ["rows", "content", "export", "repaired"] {
        let problem = member.get(&format!("{}/{part}", path(&dataset))).await.problem();
        assert!(problem.detail.contains("Restore"), "{part}: {}", problem.detail);
    }
    let next = format!("{UPLOAD}?version_of={}", dataset.id);
    let refused = member.upload(&next, "x.jsonl", row("a", "c")).await.problem();
    assert_eq!(refused.error, ErrorCode::Conflict);
    assert_eq!(
        server.stranger().await.post_nothing(&restore).await.problem().error,
        ErrorCode::NotFound
    );
    // Not long ago enough.
    crate::uploads::tidy(&server).await;
    let back: Dataset = member.post_nothing(&restore).await.data();
    assert_eq!(
        (back.id, back.kept_until, back.report),
        (dataset.id, None, dataset.report.clone())
    );
    assert_eq!(listed("").await, [other.id, dataset.id]);
    assert_eq!(
        member.get(&format!("{}/content", path(&dataset))).await.bytes,
        row("a", "b").into_bytes()
    );

    member.delete(&path(&dataset)).await;
    member.delete(&path(&other)).await;
    let before = match server.kind {
        Kind::Sqlite => "'2020-01-01T00:00:00+00:00'",
        Kind::Postgres => "now() - interval '31 days'",
    };
    let old = format!("update datasets set deleted_at = {before} where name = 'x.jsonl'");
    server.execute(&old).await;
    crate::uploads::tidy(&server).await;
    assert!(!file.exists());
    assert_eq!(member.get(&path(&dataset)).await.problem().error, ErrorCode::NotFound);
    assert_eq!(listed("?deleted=true").await, [other.id]);
}

async fn member_workspace(member: &Client) -> String {
    let session: Value = member.get("/api/v1/auth/session").await.data();
    session["workspaces"][0]["id"].as_str().unwrap().to_owned()
}

async fn strangers_see_no_dataset(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent = agent(&member).await;
    let dataset = validated(&member, member.upload(UPLOAD, "x.jsonl", row("a", "b")).await).await;
    for part in ["", "/rows", "/findings", "/content", "/export", "/report", "/repaired"] {
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
