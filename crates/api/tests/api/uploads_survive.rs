//! A large file whose client and server are killed on the way. `UPLOAD_BYTES`, `UPLOAD_KILLS` and `UPLOAD_STORE` (`directory`
//! or `bucket`) make a long run; usually it goes to a directory on SQLite and to a bucket on PostgreSQL.

#![expect(clippy::print_stdout, reason = "figures for whoever runs it by hand")]

use crate::{
    bucket::Bucket,
    helpers::{Answer, Client, DEADLINE, Kind, ServerProcess, TestServer},
};
use bytes::Bytes;
use cerebros_common::{
    agents::Agent,
    documents::Document,
    uploads::{PartAddresses, Upload, UploadStatus},
};
use futures_util::stream;
use reqwest::{Method, header};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, LazyLock},
    time::Instant,
};
use tokio::sync::watch;

on_both_databases!(a_large_file_survives_kills);

const PIECE: u64 = 64 * 1024;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

/// A piece of the file, which starts at a multiple of its length: noise, stamped with where it is, under the head of a PDF.
fn piece(start: u64, end: u64) -> Bytes {
    static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| (0..PIECE).map(|_| rand::random()).collect());
    let mut bytes = NOISE.clone();
    bytes[..8].copy_from_slice(&start.to_le_bytes());
    if start == 0 {
        bytes[..9].copy_from_slice(b"%PDF-1.7\n");
    }
    bytes.truncate((end - start).min(PIECE) as usize);
    Bytes::from(bytes)
}

fn sha256(size: u64) -> String {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < size {
        let some = piece(at, size);
        at += some.len() as u64;
        hash.update(some);
    }
    hex::encode(hash.finalize())
}

/// What was sent so far, over all attempts.
struct Sent {
    bytes: watch::Sender<u64>,
    attempts: std::sync::Mutex<HashMap<u32, u32>>,
}

async fn post(client: &Client, path: &str, body: serde_json::Value) -> reqwest::Result<Answer> {
    Answer::try_of(client.request(Method::POST, path).json(&body)).await
}

/// Sends what is missing, part after part. `Err` when the other side is gone.
async fn resume(client: Client, path: String, sent: Arc<Sent>) -> reqwest::Result<()> {
    let upload: Upload = Answer::try_of(client.request(Method::GET, &path)).await?.data();
    let there = upload.received.clone().unwrap();
    for number in (1..=upload.parts).filter(|number| !there.contains(number)) {
        let asked = post(&client, &format!("{path}/urls"), json!({"parts": [number]})).await?;
        let address = asked.data::<PartAddresses>().items.remove(0);
        *sent.attempts.lock().unwrap().entry(number).or_default() += 1;
        let start = u64::from(number - 1) * upload.part_bytes;
        let end = start + address.size_bytes;
        let counter = sent.clone();
        let body = stream::iter((start..end).step_by(PIECE as usize).map(move |at| {
            let some = piece(at, end);
            counter.bytes.send_modify(|bytes| *bytes += some.len() as u64);
            std::io::Result::Ok(some)
        }));
        let request = match address.url.starts_with('/') {
            true => client.anonymous().request(Method::PUT, &address.url),
            false => reqwest::Client::new().put(&address.url),
        };
        let request = request
            .header(header::CONTENT_LENGTH, address.size_bytes)
            .body(reqwest::Body::wrap_stream(body));
        let answer = Answer::try_of(request).await?;
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    }
    Ok(())
}

async fn a_large_file_survives_kills(server: TestServer) {
    let store = std::env::var("UPLOAD_STORE").unwrap_or_else(|_| match server.kind {
        Kind::Sqlite => "directory".to_owned(),
        Kind::Postgres => "bucket".to_owned(),
    });
    server.stop().await;
    let (size, kills) = (setting("UPLOAD_BYTES", 24 << 20), setting("UPLOAD_KILLS", 3));
    let bucket = Bucket::start().await;
    let mut more = vec![("MAX_DOCUMENT_BYTES", size.to_string())];
    if store == "bucket" {
        more.extend(bucket.environment());
    }
    let begun = Instant::now();
    let mut process = ServerProcess::start_with(server.kind, more, Stdio::inherit()).await;
    let mut client = process.member().await;
    let agent: Agent = client.post("/api/v1/agents", json!({"name": "Large"})).await.data();
    let new = json!({"agent_id": agent.id, "kind": "reference", "name": "large.pdf", "size_bytes": size});
    let upload: Upload = client.post("/api/v1/uploads", new).await.data();
    let path = format!("/api/v1/uploads/{}", upload.id);

    let sent = Arc::new(Sent {
        bytes: watch::Sender::new(0),
        attempts: std::sync::Mutex::default(),
    });
    let mut peak = 0;
    for kill in 0..kills {
        let run = tokio::spawn(resume(client.clone(), path.clone(), sent.clone()));
        // Somewhere within the next stretch, which is most often in the middle of a part.
        let stretch = size / (kills + 1);
        let point = *sent.bytes.borrow() + rand::random_range(stretch / 4..stretch);
        let reached = async {
            let mut bytes = sent.bytes.subscribe();
            bytes.wait_for(|bytes| *bytes >= point).await.map(|_| ())
        };
        tokio::time::timeout(DEADLINE, reached).await.unwrap().unwrap();
        peak = peak.max(process.peak_memory());
        if kill % 2 == 0 {
            process = process.kill_and_restart().await;
            client = process.client(&client);
            // To a bucket the part goes on without the server.
            run.abort();
        } else {
            run.abort();
        }
        // Its end: the next run must not overlap with it.
        let _ = run.await;
    }
    resume(client.clone(), path.clone(), sent.clone()).await.unwrap();
    let sha256 = sha256(size);
    let completing = post(&client, &format!("{path}/complete"), json!({"sha256": sha256}))
        .await
        .unwrap();
    assert_eq!(completing.data::<Upload>().status, UploadStatus::Completing);
    peak = peak.max(process.peak_memory());
    process = process.kill_and_restart().await;
    client = process.client(&client);
    let over = |upload: &Upload| upload.status != UploadStatus::Completing;
    // In a long run the store is as slow as an unoptimised one is.
    let deadline = DEADLINE * u32::try_from(1 + (size >> 28)).unwrap();
    let done = client.wait_within(deadline, &path, over).await;
    assert_eq!((done.status, done.error), (UploadStatus::Done, None));
    peak = peak.max(process.peak_memory());
    let path = format!("/api/v1/documents/{}", done.document_id.unwrap());
    let document: Document = client.get(&path).await.data();
    assert_eq!((document.size_bytes, document.sha256), (size, sha256));

    let attempts: u32 = sent.attempts.lock().unwrap().values().sum();
    let again = attempts - upload.parts;
    println!(
        "{size} bytes in {} parts to a {store}: {kills} kills on the way and one at the end, {again} parts sent again, \
         peak memory {} MiB, {:.1} s",
        upload.parts,
        peak >> 20,
        begun.elapsed().as_secs_f64(),
    );
    assert!(
        u64::from(again) <= kills,
        "{again} parts were sent again after {kills} kills"
    );
    assert!(peak < 300 << 20, "the server held {} MiB", peak >> 20);
}
