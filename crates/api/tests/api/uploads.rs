//! Files in parts, kept in a directory and in an S3 bucket.

use crate::{
    bucket::Bucket,
    documents::{DOCX, agent, is_settled, path as document_path, upload_path},
    helpers::{Answer, Client, DEADLINE, Kind, TestServer},
};
use cerebros_common::{
    agents::Agent,
    datasets::{Dataset, DatasetStatus},
    documents::{Document, DocumentStatus},
    errors::ErrorCode,
    uploads::{PartAddresses, Upload, UploadStatus},
    wire::Page,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{path::Path, time::Duration};

on_both_databases!(
    parts_in_any_order_become_a_document,
    what_a_document_must_not_be_is_refused_at_the_end,
    an_address_is_good_for_one_part,
    uploads_are_ones_own_and_go_when_cancelled,
    parts_without_an_agent_become_a_dataset,
    what_nobody_names_is_collected,
    everything_works_in_a_bucket,
);

const MIB: usize = 1024 * 1024;

/// What looks like a PDF and cannot be read: its text costs no time.
pub fn unreadable_pdf(bytes: usize) -> Vec<u8> {
    let noise = (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 7) as u8);
    let mut file: Vec<u8> = noise.collect();
    let head = b"%PDF-1.7\n";
    file[..head.len()].copy_from_slice(head);
    file
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn new(agent: &Agent, name: &str, size: usize) -> Value {
    json!({"agent_id": agent.id, "kind": "reference", "name": name, "size_bytes": size})
}

pub async fn begin(client: &Client, agent: &Agent, name: &str, bytes: &[u8]) -> Upload {
    client
        .post("/api/v1/uploads", new(agent, name, bytes.len()))
        .await
        .data()
}

pub fn path(upload: &Upload) -> String {
    format!("/api/v1/uploads/{}", upload.id)
}

fn part(upload: &Upload, bytes: &[u8], number: u32) -> Vec<u8> {
    let start = (number as usize - 1) * upload.part_bytes as usize;
    bytes[start..][..upload.part_size(number).unwrap() as usize].to_vec()
}

/// The addresses of parts.
pub async fn addresses(client: &Client, upload: &Upload, numbers: &[u32]) -> Vec<String> {
    let body = json!({"parts": numbers});
    let found: PartAddresses = client.post(&format!("{}/urls", path(upload)), body).await.data();
    assert_eq!(found.items.len(), numbers.len());
    found.items.into_iter().map(|part| part.url).collect()
}

/// Sends bytes to an address as somebody without a session.
pub async fn put(client: &Client, address: &str, bytes: Vec<u8>) -> Answer {
    let request = match address.starts_with('/') {
        true => client.anonymous().request(Method::PUT, address),
        false => reqwest::Client::new().put(address),
    };
    Answer::of(request.body(bytes)).await
}

pub async fn send(client: &Client, upload: &Upload, bytes: &[u8], numbers: &[u32]) {
    let addresses = addresses(client, upload, numbers).await;
    for (number, address) in numbers.iter().zip(addresses) {
        let answer = put(client, &address, part(upload, bytes, *number)).await;
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    }
}

pub async fn send_all(client: &Client, upload: &Upload, bytes: &[u8]) {
    let numbers: Vec<u32> = (1..=upload.parts).collect();
    send(client, upload, bytes, &numbers).await;
}

async fn received(client: &Client, upload: &Upload) -> Vec<u32> {
    let upload: Upload = client.get(&path(upload)).await.data();
    upload.received.unwrap()
}

/// Completes an upload and waits for its end.
pub async fn end(client: &Client, upload: &Upload, body: Value) -> Upload {
    let answer = client.post(&format!("{}/complete", path(upload)), body).await;
    assert_eq!(answer.data::<Upload>().status, UploadStatus::Completing);
    let over = |upload: &Upload| matches!(upload.status, UploadStatus::Done | UploadStatus::Failed);
    client.wait(&path(upload), over).await
}

fn files_below(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let counted = entries.map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path) } else { 1 }
    });
    counted.sum()
}

/// Files of documents and of uploads, wherever they are.
fn files(server: &TestServer, bucket: Option<&Bucket>) -> usize {
    let data = &server.config.data_dir;
    let here = ["blobs", "incoming", "uploads"].map(|name| files_below(&data.join(name)));
    here.iter().sum::<usize>() + bucket.map_or(0, Bucket::files)
}

/// The same server, its files in a bucket.
async fn with_bucket(server: &TestServer) -> (Bucket, TestServer) {
    let bucket = Bucket::start().await;
    let config = bucket.config();
    let server = server.restart_with(|own| own.s3 = Some(config)).await;
    (bucket, server)
}

async fn parts_in_any_order_become_a_document(server: TestServer) {
    let member = server.member().await;
    takes_parts(&server, &member, None).await;
    let (bucket, server) = with_bucket(&server).await;
    takes_parts(&server, &server.client(&member), Some(&bucket)).await;
    server.stop().await;
}

async fn takes_parts(server: &TestServer, member: &Client, bucket: Option<&Bucket>) {
    let agent = agent(member).await;
    let before = files(server, bucket);
    let file = unreadable_pdf(11 * MIB);
    let created = member
        .post("/api/v1/uploads", new(&agent, "../plan.pdf", file.len()))
        .await;
    assert_eq!(created.status, StatusCode::CREATED);
    let upload: Upload = created.data();
    assert_eq!(created.header("location"), Some(path(&upload).as_str()));
    assert_eq!((upload.name.as_str(), upload.parts), ("plan.pdf", 3));
    assert_eq!(upload.received, Some(Vec::new()));

    send(member, &upload, &file, &[3, 1]).await;
    assert_eq!(received(member, &upload).await, [1, 3]);
    let early = member.post(&format!("{}/complete", path(&upload)), json!({})).await;
    assert_eq!(early.problem().error, ErrorCode::Conflict);
    assert!(early.problem().detail.contains("missing: 2."), "{}", early.text);
    // A part that was sent wrongly is mended by sending it again.
    let wrong = vec![0; upload.part_bytes as usize];
    let address = addresses(member, &upload, &[2]).await.remove(0);
    assert!(put(member, &address, wrong).await.status.is_success());
    send(member, &upload, &file, &[2, 3]).await;
    assert_eq!(received(member, &upload).await, [1, 2, 3]);

    let wrong = json!({"sha256": "0f".repeat(31)});
    let refused = member.post(&format!("{}/complete", path(&upload)), wrong).await;
    assert_eq!(refused.problem().details[0].path, "sha256");
    let done = end(member, &upload, json!({"sha256": sha256(&file)})).await;
    assert_eq!((done.status, &done.error), (UploadStatus::Done, &None));
    let document: Document = member
        .get(&format!("/api/v1/documents/{}", done.document_id.unwrap()))
        .await
        .data();
    assert_eq!(
        (document.size_bytes, document.sha256.as_str()),
        (file.len() as u64, sha256(&file).as_str())
    );
    let content = member.get(&format!("{}/content", document_path(&document))).await;
    assert!(content.bytes == file, "the file comes back as it was");
    member.wait(&document_path(&document), is_settled).await;
    server.until(|| files(server, bucket) == before + 1).await;

    // Over is over.
    let again = member.post(&format!("{}/complete", path(&upload)), json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let late = member
        .post(&format!("{}/urls", path(&upload)), json!({"parts": [1]}))
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    // The same file is named before it travels.
    let mut known = new(&agent, "again.pdf", file.len());
    known["sha256"] = json!(sha256(&file));
    let refused = member.post("/api/v1/uploads", known).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.problem().detail.contains("plan.pdf"), "{}", refused.text);
    // A document takes the row of its upload along.
    member.delete_any_version(&document_path(&document)).await;
    assert_eq!(member.get(&path(&upload)).await.status, StatusCode::NOT_FOUND);
}

async fn parts_without_an_agent_become_a_dataset(server: TestServer) {
    let member = server.member().await;
    becomes_a_dataset(&member).await;
    let (_bucket, server) = with_bucket(&server).await;
    becomes_a_dataset(&server.client(&member)).await;
    server.stop().await;
}

async fn becomes_a_dataset(member: &Client) {
    let row = |number: usize| {
        let text = "An answer that is long enough to need some parts. ".repeat(40);
        let user = json!({"role": "user", "content": format!("Question {number}?")});
        let assistant = json!({"role": "assistant", "content": text});
        json!({"messages": [user, assistant]}).to_string() + "\n"
    };
    let mut file = (0..3000).map(row).collect::<String>().into_bytes();
    file.extend_from_slice(b"{broken\n");
    let new = json!({"name": "../rows.jsonl", "size_bytes": file.len()});
    let upload: Upload = member.post("/api/v1/uploads", new.clone()).await.data();
    assert!(upload.parts > 1 && upload.agent_id.is_none() && upload.kind.is_none());
    send(member, &upload, &file, &[2]).await;
    // After a break, what is missing is sent: those that wait for parts are listed.
    let waiting: Page<Upload> = member.get("/api/v1/uploads").await.data();
    assert_eq!(waiting.items[0].id, upload.id);
    assert_eq!(received(member, &upload).await, [2]);
    let others: Vec<u32> = (1..=upload.parts).filter(|number| *number != 2).collect();
    send(member, &upload, &file, &others).await;
    let done = end(member, &upload, json!({"sha256": sha256(&file)})).await;
    assert_eq!((done.status, done.document_id), (UploadStatus::Done, None));
    let path = format!("/api/v1/datasets/{}", done.dataset_id.unwrap());
    let is_validated = |dataset: &Dataset| dataset.status != DatasetStatus::Validating;
    let dataset: Dataset = member.wait(&path, is_validated).await;
    assert_eq!(
        (dataset.status, dataset.name.as_str()),
        (DatasetStatus::Ready, "rows.jsonl")
    );
    assert_eq!(dataset.sha256, Some(sha256(&file)));
    let report = dataset.report.unwrap();
    assert_eq!((report.rows_accepted, report.rows_rejected), (3000, 1));
    assert_eq!(member.get(&format!("{path}/content")).await.bytes, file);
    assert_eq!(member.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        member.get(&format!("/api/v1/uploads/{}", done.id)).await.status,
        StatusCode::NOT_FOUND
    );

    // Another file than was said.
    let upload: Upload = member.post("/api/v1/uploads", new).await.data();
    send_all(member, &upload, &file).await;
    let failed = end(member, &upload, json!({"sha256": sha256(b"another")})).await;
    assert_eq!((failed.status, failed.dataset_id), (UploadStatus::Failed, None));

    let half = json!({"name": "a.jsonl", "size_bytes": 1, "kind": "reference"});
    let refused = member.post("/api/v1/uploads", half).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

async fn what_a_document_must_not_be_is_refused_at_the_end(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let too_large = server.config.max_document_bytes as usize + 1;
    let refused = member.post("/api/v1/uploads", new(&agent, "a.pdf", too_large)).await;
    assert_eq!(refused.problem().error, ErrorCode::PayloadTooLarge);
    for (field, value) in [("size_bytes", json!(0)), ("name", json!("")), ("sha256", json!("0"))] {
        let mut body = new(&agent, "a.txt", 3);
        body[field] = value;
        let refused = member.post("/api/v1/uploads", body).await;
        assert_eq!(refused.problem().details[0].path, field);
    }

    let known: Document = member
        .upload(&upload_path(&agent, "reference"), "known.docx", DOCX)
        .await
        .data();
    for (name, bytes, body, code, said) in [
        (
            "tool.pdf",
            &b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"[..],
            json!({}),
            "unsupported_media_type",
            "",
        ),
        (
            "a.txt",
            b"Some text.",
            json!({"sha256": "0".repeat(64)}),
            "invalid_request",
            "sha256",
        ),
        ("same.docx", DOCX, json!({}), "conflict", "known.docx"),
    ] {
        let upload = begin(&member, &agent, name, bytes).await;
        send_all(&member, &upload, bytes).await;
        let failed = end(&member, &upload, body).await;
        let error = failed.error.unwrap();
        assert_eq!(
            (failed.status, error.code.as_str()),
            (UploadStatus::Failed, code),
            "{name}"
        );
        assert!(
            !error.message.is_empty() && error.message.contains(said),
            "{name}: {}",
            error.message
        );
        let gone = member.delete(&path(&upload)).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
    }
    member.wait(&document_path(&known), is_settled).await;
    server.until(|| files(&server, None) == 1).await;

    // Ten of a kind, whichever way they come.
    for count in 1..10 {
        let text = format!("Text number {count}.");
        member
            .upload(&upload_path(&agent, "reference"), "t.txt", text)
            .await
            .data::<Document>();
    }
    for key in [None, Some("upload-once")] {
        let full = member
            .request(Method::POST, "/api/v1/uploads")
            .json(&new(&agent, "a.txt", 3));
        let full = Answer::of(match key {
            Some(key) => full.header("idempotency-key", key),
            None => full,
        });
        assert_eq!(full.await.problem().error, ErrorCode::Conflict);
    }
}

async fn an_address_is_good_for_one_part(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let file = unreadable_pdf(6 * MIB);
    let upload = begin(&member, &agent, "a.pdf", &file).await;
    let other = begin(&member, &agent, "b.pdf", &file).await;
    for numbers in [json!([0]), json!([3]), json!([])] {
        let refused = member
            .post(&format!("{}/urls", path(&upload)), json!({"parts": numbers}))
            .await;
        assert_eq!(refused.problem().details[0].path, "parts", "{}", refused.text);
    }
    let mut both = addresses(&member, &upload, &[1, 2]).await;
    let (second, first) = (both.pop().unwrap(), both.pop().unwrap());
    let (_, signature) = first.split_once("signature=").unwrap();
    let long_ago = first.replace(first.split(['=', '&']).nth(1).unwrap(), "1700000000");
    for (address, bytes) in [
        (first.replace("/parts/1?", "/parts/2?"), part(&upload, &file, 2)),
        (
            first.replace(&upload.id.to_string(), &other.id.to_string()),
            part(&upload, &file, 1),
        ),
        (first.replace(signature, &"0".repeat(64)), part(&upload, &file, 1)),
        (first.replace(signature, "none"), part(&upload, &file, 1)),
        (long_ago, part(&upload, &file, 1)),
    ] {
        let refused = put(&member, &address, bytes).await;
        assert_eq!(refused.problem().error, ErrorCode::InvalidLink, "{address}");
    }
    for (bytes, code) in [(1, ErrorCode::InvalidRequest), (2 * MIB, ErrorCode::PayloadTooLarge)] {
        let refused = put(&member, &second, vec![1; bytes]).await;
        assert_eq!(refused.problem().error, code);
    }
    assert_eq!(received(&member, &upload).await, [0_u32; 0]);
    assert_eq!(files(&server, None), 0, "what was refused leaves nothing");
    assert_eq!(
        put(&member, &second, part(&upload, &file, 2)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(received(&member, &upload).await, [2]);
}

async fn uploads_are_ones_own_and_go_when_cancelled(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let file = unreadable_pdf(6 * MIB);
    let first = begin(&member, &agent, "first.pdf", &file).await;
    let second = begin(&member, &agent, "second.pdf", &file).await;
    send(&member, &first, &file, &[1]).await;
    let list = format!("/api/v1/uploads?agent_id={}", agent.id);
    let names = |page: Page<Upload>| page.items.into_iter().map(|upload| upload.name).collect::<Vec<_>>();
    assert_eq!(names(member.get(&list).await.data()), ["second.pdf", "first.pdf"]);
    let key: Value = member.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let script = member.with_key(key["secret"].as_str().unwrap());
    assert_eq!(names(script.get(&list).await.data()).len(), 2, "a key is its maker's");
    let stranger = server.stranger().await;
    assert_eq!(stranger.get(&list).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.delete(&path(&first)).await.status, StatusCode::NOT_FOUND);

    let address = addresses(&member, &first, &[2]).await.remove(0);
    assert_eq!(member.delete(&path(&first)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(files(&server, None), 0);
    let late = put(&member, &address, part(&first, &file, 2)).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
    assert_eq!(names(member.get(&list).await.data()), ["second.pdf"]);

    // With the agent go the parts of what was begun for it.
    send(&member, &second, &file, &[1]).await;
    let deleted = member.delete_any_version(&format!("/api/v1/agents/{}", agent.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    server.until(|| files(&server, None) == 0).await;
    assert_eq!(member.get(&path(&second)).await.status, StatusCode::NOT_FOUND);
}

/// Runs the hourly task and waits for its end.
pub async fn tidy(server: &TestServer) {
    let id = uuid::Uuid::now_v7();
    let id = match server.kind {
        Kind::Sqlite => format!("x'{}'", id.simple()),
        Kind::Postgres => format!("'{id}'"),
    };
    server.execute("delete from tasks where name = 'tidy'").await;
    let task = format!(
        "insert into tasks (id, queue, name, payload, status, run_at, attempts, max_attempts, created_at) \
         values ({id}, 'default', 'tidy', '{{}}', 'queued', 0, 0, 3, 0)"
    );
    server.execute(&task).await;
    // Clients hear nothing of its end.
    let done = "select count(*) from tasks where name = 'tidy' and status = 'done'";
    let ended = async { while server.number(done).await == 0 {} };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
}

async fn what_nobody_names_is_collected(server: TestServer) {
    let bucket = Bucket::start().await;
    for in_bucket in [false, true] {
        let config = in_bucket.then(|| bucket.config());
        let server = server
            .restart_with(|own| {
                own.s3 = config;
                own.deadlines.orphan = Duration::ZERO;
                own.deadlines.upload = Duration::ZERO;
            })
            .await;
        let bucket = in_bucket.then_some(&bucket);
        let member = server.sign_up(&format!("collected-{in_bucket}@example.org")).await;
        let agent = agent(&member).await;
        let kept: Document = member
            .upload(&upload_path(&agent, "reference"), "kept.txt", "Kept.")
            .await
            .data();
        let kept = member.wait(&document_path(&kept), is_settled).await;
        assert_eq!(kept.status, DocumentStatus::Ready);
        let before = files(&server, bucket);
        let begun = begin(&member, &agent, "begun.pdf", &unreadable_pdf(100)).await;
        // As a server that was killed between the file and its row leaves it.
        let orphan = format!("documents/{}/{}/original", kept.agent_id, uuid::Uuid::now_v7());
        let root = bucket.map_or_else(|| server.config.data_dir.join("blobs"), Bucket::objects);
        let orphan = root.join(orphan);
        std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        std::fs::write(&orphan, "nobody's").unwrap();
        tidy(&server).await;
        assert_eq!(member.get(&path(&begun)).await.status, StatusCode::NOT_FOUND);
        assert!(!orphan.exists());
        assert_eq!(files(&server, bucket), before);
        let content = member.get(&format!("{}/content", document_path(&kept))).await;
        assert_eq!(content.text, "Kept.");
        server.stop().await;
    }
}

/// The whole of what uses files: documents, datasets, training, answers, archives, deletion.
async fn everything_works_in_a_bucket(server: TestServer) {
    let (bucket, server) = with_bucket(&server).await;
    let member = server.member().await;
    let csp = member.get("/api/v1/server").await;
    let csp = csp.header("content-security-policy").unwrap();
    let allowed = format!("connect-src 'self' {};", bucket.config().origin());
    assert!(csp.contains(&allowed), "browsers may send files to the bucket: {csp}");
    let made = crate::deletions::make(&member).await;
    let rows = member.get(&format!("/api/v1/datasets/{}/rows", made.dataset.id)).await;
    assert_eq!(rows.status, StatusCode::OK, "{}", rows.text);
    let adapter = member.get(&format!("/api/v1/models/{}/adapter", made.model.id)).await;
    assert!(adapter.bytes.starts_with(b"PK"), "{}", adapter.status);
    assert_eq!(adapter.bytes.len() as u64, made.model.size_bytes);
    let question = json!({"model": made.model.id, "max_tokens": 4, "messages": [{"role": "user", "content": "Who?"}]});
    let said = member.post("/v1/chat/completions", question).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text);
    let id = crate::exports::workspace(&member).await;
    let (_, archive) = crate::exports::exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;
    let manifest: Value = serde_json::from_slice(&archive["manifest.json"]).unwrap();
    assert_eq!((&manifest["files"], &manifest["missing"]), (&json!(4), &json!([])));
    assert!(
        files_below(&server.config.data_dir.join("blobs")) == 0,
        "nothing lies in the data directory"
    );
    // The original, the dataset's rows, the model's adapter and that of its last checkpoint.
    assert_eq!(bucket.files(), 4);

    let deleted = member.delete_any_version(&document_path(&made.document)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    // Document and dataset; the adapter stays.
    server.until(|| bucket.files() == 1).await;
    server.stop().await;
}
