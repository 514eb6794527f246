use crate::{
    checkpoints,
    deletions::{make, rows_of_tables},
    helpers::{Client, TestServer},
};
use cerebros_api::admin::{import, verify_audit};
use cerebros_common::{
    accounts::Session, agents::Agent, documents::Document, errors::ErrorCode, ids::WorkspaceId, jobs::Job,
    models::Model, search::SearchResult, wire::Page,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{Cursor, Read, Write},
    path::PathBuf,
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

on_both_databases!(
    an_export_holds_everything_but_secrets,
    an_export_shows_nothing_of_other_workspaces,
    only_owners_export,
    a_third_archive_waits,
    an_archive_becomes_the_same_workspace_on_a_fresh_server,
    hostile_archives_are_refused_and_leave_nothing,
);

pub type Archive = BTreeMap<String, Vec<u8>>;

async fn session(client: &Client) -> Session {
    client.get("/api/v1/auth/session").await.data()
}

pub async fn workspace(client: &Client) -> WorkspaceId {
    session(client).await.workspaces[0].id
}

pub async fn exported(client: &Client, path: &str) -> (Vec<u8>, Archive) {
    let answer = client.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/zip");
    let mut archive = ZipArchive::new(Cursor::new(answer.bytes.clone())).unwrap();
    let mut files = Archive::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    (answer.bytes, files)
}

fn lines(archive: &Archive, name: &str) -> Vec<Value> {
    let text = String::from_utf8(archive[name].clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn packed(archive: &Archive) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in archive {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn an_export_holds_everything_but_secrets(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let key: Value = member.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let provider = member.request(Method::PUT, "/api/v1/provider-keys/huggingface");
    let provider = provider.json(&json!({"secret": "hf_canary0123456789"}));
    assert_eq!(provider.send().await.unwrap().status(), StatusCode::OK);
    let id = workspace(&member).await;
    let (_, workspace) = exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;
    let manifest: Value = serde_json::from_slice(&workspace["manifest.json"]).unwrap();
    assert_eq!(manifest["format"], 1);
    for (name, count) in manifest["counts"].as_object().unwrap() {
        assert_eq!(json!(lines(&workspace, name).len()), *count, "{name}");
    }
    assert_eq!(
        lines(&workspace, "documents.jsonl")[0]["name"],
        json!(made.document.name)
    );
    assert_eq!(lines(&workspace, "models.jsonl")[0]["id"], json!(made.model.id));
    assert_eq!(lines(&workspace, "members.jsonl").len(), 1);
    let file = format!("files/documents/{id}/{}/original", made.document.id);
    let content = member
        .get(&format!("/api/v1/documents/{}/content", made.document.id))
        .await;
    assert_eq!(workspace[&file], content.bytes);
    // The original, the dataset's rows, the model's adapter and that of its last checkpoint.
    assert_eq!(manifest["files"], 4);

    let (_, account) = exported(&member, "/api/v1/account/export").await;
    assert_eq!(lines(&account, "users.jsonl")[0]["email"], "member@example.org");
    assert_eq!(lines(&account, "sessions.jsonl").len(), 1);
    assert_eq!(lines(&account, "api_keys.jsonl")[0]["name"], "k");
    for (name, bytes) in &workspace {
        if name.starts_with("files/") || name.as_str() == "documents.jsonl" {
            assert_eq!(account[&format!("workspaces/{id}/{name}")], *bytes, "{name}");
        }
    }
    let secret = key["secret"].as_str().unwrap();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(secret));
    let hashes = [
        "$argon2",
        secret,
        &digest,
        "hf_canary",
        "ciphertext",
        "token_hash",
        "password_hash",
        "secret_hash",
    ];
    for (name, bytes) in workspace.iter().chain(&account) {
        let text = String::from_utf8_lossy(bytes);
        for hash in hashes {
            assert!(!text.contains(hash), "{name} holds {hash}");
        }
    }
}

async fn an_export_shows_nothing_of_other_workspaces(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    make(&member).await;
    let theirs = session(&stranger).await;
    let path = format!("/api/v1/workspaces/{}/export", workspace(&member).await);
    assert_eq!(stranger.get(&path).await.problem().error, ErrorCode::NotFound);
    let mine = session(&member).await;
    for (path, client, others) in [
        (path, &member, &theirs),
        ("/api/v1/account/export".to_owned(), &member, &theirs),
        ("/api/v1/account/export".to_owned(), &stranger, &mine),
    ] {
        let (_, archive) = exported(client, &path).await;
        let ids = [
            others.user.id.to_string(),
            others.workspaces[0].id.to_string(),
            others.user.email.clone(),
        ];
        for (name, bytes) in archive {
            let text = String::from_utf8_lossy(&bytes);
            assert!(ids.iter().all(|id| !text.contains(id) && !name.contains(id)), "{name}");
        }
    }
}

async fn only_owners_export(server: TestServer) {
    let member = server.member().await;
    let path = format!("/api/v1/workspaces/{}/export", workspace(&member).await);
    let key: Value = member.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let key = member.with_key(key["secret"].as_str().unwrap());
    assert_eq!(key.get(&path).await.problem().error, ErrorCode::MissingScope);
    assert_eq!(key.get("/api/v1/account/export").await.status, StatusCode::UNAUTHORIZED);
    server.execute("update members set role = 'admin'").await;
    assert_eq!(member.get(&path).await.problem().error, ErrorCode::Forbidden);
    server.execute("update members set role = 'owner'").await;
    assert_eq!(member.get(&path).await.status, StatusCode::OK);
    let entries: Value = member.get("/api/v1/audit?action=exported").await.data();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1);
}

async fn a_third_archive_waits(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Large"})).await.data();
    // More than fits into the buffers on the way, so that an archive that nobody reads stays unfinished.
    let upload = format!("/api/v1/documents?agent_id={}&kind=reference", agent.id);
    let noise: String = (0..12_000_000u64)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 16) as u8 % 26))
        .collect();
    member.upload(&upload, "large.txt", noise).await.data::<Document>();
    let ask = || member.request(Method::GET, "/api/v1/account/export").send();
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = member.get("/api/v1/account/export").await;
    assert_eq!(third.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(third.headers.contains_key(header::RETRY_AFTER));
    // One that is read to its end makes room.
    let bytes = first.bytes().await.unwrap();
    ZipArchive::new(Cursor::new(bytes)).unwrap();
    let again = async {
        loop {
            let answer = ask().await.unwrap();
            if answer.status() == StatusCode::OK {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::helpers::DEADLINE, again).await.unwrap();
    drop(second);
}

/// Imports an archive into a stopped server.
pub async fn imported(server: &TestServer, bytes: &[u8], owner: &str) -> Result<WorkspaceId, String> {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("archive.zip");
    std::fs::write(&file, bytes).unwrap();
    let mut out = Vec::new();
    let result = import(&server.config, &file, owner, &mut out).await;
    result.map_err(|error| format!("{error:#}"))?;
    Ok(String::from_utf8(out).unwrap().trim().parse().unwrap())
}

async fn an_archive_becomes_the_same_workspace_on_a_fresh_server(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let id = workspace(&member).await;
    let (bytes, archive) = exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;
    let counts: Value = serde_json::from_slice::<Value>(&archive["manifest.json"]).unwrap()["counts"].clone();

    let fresh = TestServer::start_with(server.kind, |_| {}).await;
    let other = fresh.sign_up("other@example.org").await;
    fresh.stop().await;
    let refused = imported(&fresh, &bytes, "nobody@example.org").await.unwrap_err();
    assert!(refused.contains("nobody has an account"), "{refused}");
    let here = imported(&fresh, &bytes, "other@example.org").await.unwrap();
    assert_ne!(here, id);
    let again = cerebros_api::start(fresh.config.clone(), cerebros_api::Parts::All)
        .await
        .unwrap();
    let other = other.at_running(&again);
    let session = session(&other).await;
    let other = other.within(
        session
            .workspaces
            .iter()
            .find(|workspace| workspace.id == here)
            .unwrap(),
    );
    let (_, copy) = exported(&other, &format!("/api/v1/workspaces/{here}/export")).await;
    let copied: Value = serde_json::from_slice::<Value>(&copy["manifest.json"]).unwrap()["counts"].clone();
    for (name, count) in counts.as_object().unwrap() {
        if !["members.jsonl", "audit.jsonl"].contains(&name.as_str()) {
            assert_eq!(copied[name], *count, "{name}");
        }
    }
    let documents: Page<Document> = other.get("/api/v1/documents").await.data();
    let document = &documents.items[0];
    assert_ne!(document.id, made.document.id);
    assert_eq!(
        (&document.name, &document.sha256),
        (&made.document.name, &made.document.sha256)
    );
    assert_eq!(
        (document.chunks, document.examples),
        (made.document.chunks, made.document.examples)
    );
    let content = other.get(&format!("/api/v1/documents/{}/content", document.id)).await;
    let original = member
        .get(&format!("/api/v1/documents/{}/content", made.document.id))
        .await;
    assert_eq!(content.bytes, original.bytes);
    let search = "/api/v1/search?q=which%20binders%20of%20the%20year%201955";
    let found = |result: SearchResult| {
        result
            .passages
            .into_iter()
            .map(|passage| passage.quote)
            .collect::<Vec<_>>()
    };
    let quotes = found(other.get(search).await.data());
    assert!(!quotes.is_empty());
    assert_eq!(quotes, found(member.get(search).await.data()));
    // The imported assistant answers with the imported model.
    let model: Page<Model> = other.get("/api/v1/models").await.data();
    assert_eq!(model.items[0].sha256, made.model.sha256);
    let job: Job = other
        .get(&format!("/api/v1/jobs/{}", model.items[0].job_id))
        .await
        .data();
    let kept = checkpoints::kept(&other, &job).await;
    let adapter = other.get(&checkpoints::adapter(&job, &kept[0])).await;
    assert_eq!(Some(adapter.bytes.len() as u64), kept[0].adapter_bytes);
    let agents: Page<Agent> = other.get("/api/v1/agents").await.data();
    assert_eq!(agents.items[0].model_id, Some(model.items[0].id));
    let chat = json!({
        "model": format!("agent:{}", agents.items[0].id), "max_tokens": 2,
        "messages": [{"role": "user", "content": "Where?"}],
    });
    let answer = other.post("/v1/chat/completions", chat).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    again.stop().await;
    verify_audit(&fresh.config, &mut Vec::new()).await.unwrap();
}

async fn hostile_archives_are_refused_and_leave_nothing(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let (id, stranger) = (workspace(&member).await, server.stranger().await);
    let foreign: Agent = stranger.post("/api/v1/agents", json!({"name": "Theirs"})).await.data();
    let (_, good) = exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;
    server.stop().await;
    let before = rows_of_tables(&server).await;
    let kept = files(&server);
    let change = |name: &str, from: &str, to: &str| {
        let mut archive = good.clone();
        let text = String::from_utf8(archive[name].clone()).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        archive.insert(name.to_owned(), text.replace(from, to).into_bytes());
        packed(&archive)
    };
    let with = |name: &str, bytes: Vec<u8>| {
        let mut archive = good.clone();
        archive.insert(name.to_owned(), bytes);
        packed(&archive)
    };
    let without = |name: &str| {
        let mut archive = good.clone();
        archive.remove(name).unwrap();
        packed(&archive)
    };
    let document = format!("files/documents/{id}/{}/original", made.document.id);
    let key = format!("documents/{id}/{}/original", made.document.id);
    let agent = made.agent.id.to_string();
    let bomb = vec![b' '; 64 * 1024 * 1024];
    for (what, bytes, says) in [
        ("no archive", b"PK, but not really".to_vec(), "no ZIP"),
        ("no manifest", without("manifest.json"), "manifest.json"),
        (
            "another format",
            change("manifest.json", "\"format\": 1", "\"format\": 2"),
            "format 2",
        ),
        (
            "wrong counts",
            change("manifest.json", "\"agents.jsonl\": 1", "\"agents.jsonl\": 2"),
            "manifest says 2",
        ),
        ("a missing table", without("agents.jsonl"), "agents"),
        ("a missing file", without(&document), "files"),
        (
            "a file too many",
            with("files/../../../etc/cron.d/x", b"x".to_vec()),
            "files",
        ),
        (
            "a strange file",
            with("../../etc/passwd", b"x".to_vec()),
            "no export makes",
        ),
        ("a changed file", with(&document, b"something else".to_vec()), "its row"),
        ("a bomb", with("calls.jsonl", bomb), "far more"),
        (
            "a path in a key",
            change("documents.jsonl", &key, "../../secret.key"),
            "blob_key",
        ),
        (
            "another's agent",
            change("documents.jsonl", &agent, &foreign.id.to_string()),
            "not in the archive",
        ),
        (
            "another's workspace",
            change("agents.jsonl", &id.to_string(), &foreign.id.to_string()),
            "another workspace",
        ),
        (
            "an unknown column",
            change("agents.jsonl", "\"version\":", "\"owner\":1,\"version\":"),
            "not a column",
        ),
        (
            "a missing column",
            change("agents.jsonl", "\"version\":", "\"description\":\"\",\"versio\":"),
            "column",
        ),
        (
            "an unknown word",
            change("documents.jsonl", "\"ready\"", "\"excellent\""),
            "`status`",
        ),
        (
            "a wrong type",
            change("documents.jsonl", "\"pages\":null", "\"pages\":\"many\""),
            "`pages`",
        ),
        ("no JSON", with("agents.jsonl", b"{\"id\": \n".to_vec()), "no JSON"),
    ] {
        let refused = imported(&server, &bytes, "member@example.org").await;
        let error = refused.err().unwrap_or_else(|| panic!("{what} was taken"));
        assert!(error.contains(says), "{what}: {error}");
        assert_eq!(rows_of_tables(&server).await, before, "{what} left rows");
        assert_eq!(files(&server), kept, "{what} left files");
    }
    imported(&server, &packed(&good), "member@example.org").await.unwrap();
}

fn files(server: &TestServer) -> Vec<PathBuf> {
    fn walk(path: &std::path::Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&server.config.data_dir.join("blobs"), &mut found);
    walk(&server.config.data_dir.join("incoming"), &mut found);
    found.sort();
    found
}
