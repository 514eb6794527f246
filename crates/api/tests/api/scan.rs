//! The virus scanner, played by a scripted clamd.

use crate::{
    documents::{agent, path, upload_path},
    helpers::{Client, TestServer},
};
use cerebros_api::config::Clamd;
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentStatus, Scan},
    errors::ErrorCode,
};
use reqwest::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
};

on_both_databases!(
    without_a_scanner_a_document_says_so,
    what_the_scanner_finds_is_kept_apart,
    what_is_too_large_is_read_and_says_so,
    a_scanner_that_is_away_is_asked_again,
);

/// Finds `X5O!` in what it is sent, and takes so many bytes.
const SIGNATURE: &[u8] = b"X5O!";
const MOST: usize = 100_000;

async fn answer(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        if file.len() + length > MOST {
            return stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await;
        }
        let start = file.len();
        file.resize(start + length, 0);
        stream.read_exact(&mut file[start..]).await?;
    }
    let found = file.windows(SIGNATURE.len()).any(|some| some == SIGNATURE);
    let said: &[u8] = if found {
        b"stream: Test-Signature FOUND\0"
    } else {
        b"stream: OK\0"
    };
    stream.write_all(said).await
}

/// A scanner that gives no answer to the first so many.
async fn scanner(away: usize) -> (Clamd, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if count.fetch_add(1, Ordering::SeqCst) >= away {
                // Whoever hangs up in the middle is told nothing.
                tokio::spawn(answer(stream));
            } else {
                drop::<TcpStream>(stream);
            }
        }
    });
    (Clamd::Tcp(address), asked)
}

async fn with(server: &TestServer, clamd: Clamd) -> TestServer {
    let change = |own: &mut cerebros_api::Config| {
        own.clamd = Some(clamd);
        own.deadlines.scan_again = Some(Duration::from_millis(10));
    };
    server.restart_with(change).await
}

async fn settled(client: &Client, agent: &Agent, name: &str, bytes: &[u8]) -> Document {
    let document: Document = client
        .upload(&upload_path(agent, "reference"), name, bytes)
        .await
        .data();
    assert_eq!(document.scan, None);
    over(client, &document).await
}

async fn over(client: &Client, document: &Document) -> Document {
    let open = [DocumentStatus::Uploaded, DocumentStatus::Processing];
    client
        .wait(&path(document), |document: &Document| !open.contains(&document.status))
        .await
}

async fn without_a_scanner_a_document_says_so(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = settled(&member, &agent, "a.txt", b"Some text.").await;
    assert_eq!(
        (document.status, document.scan),
        (DocumentStatus::Ready, Some(Scan::NotScanned))
    );
}

async fn what_the_scanner_finds_is_kept_apart(server: TestServer) {
    let server = with(&server, scanner(0).await.0).await;
    let member = server.member().await;
    let agent = agent(&member).await;
    let clean = settled(&member, &agent, "clean.txt", b"Some text.").await;
    assert_eq!((clean.status, clean.scan), (DocumentStatus::Ready, Some(Scan::Clean)));

    let found = settled(&member, &agent, "bad.txt", b"Some text and X5O! in it.").await;
    assert_eq!(
        (found.status, found.scan),
        (DocumentStatus::Quarantined, Some(Scan::Infected))
    );
    let error = found.error.clone().unwrap();
    assert!(error.message.contains("Test-Signature"), "{}", error.message);
    assert_eq!((found.characters, found.chunks), (None, 0), "it was not read");
    for part in ["content", "text"] {
        let refused = member.get(&format!("{}/{part}", path(&found))).await;
        assert_eq!(refused.problem().error, ErrorCode::Conflict, "{part}");
        assert!(!refused.text.contains("X5O!"));
    }
    let refused = member.post_nothing(&format!("{}/retry", path(&found))).await;
    assert_eq!(refused.problem().error, ErrorCode::Conflict);
    let id = crate::exports::workspace(&member).await;
    let (_, archive) = crate::exports::exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;
    assert!(
        archive
            .values()
            .all(|file| !file.windows(4).any(|some| some == SIGNATURE))
    );
    assert_eq!(
        member.delete_any_version(&path(&found)).await.status,
        StatusCode::NO_CONTENT
    );
    server.stop().await;
}

async fn what_is_too_large_is_read_and_says_so(server: TestServer) {
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("clamd.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let server = with(&server, Clamd::Socket(socket)).await;
    let member = server.member().await;
    let agent = agent(&member).await;
    let text = "Much text. ".repeat(MOST / 5);
    let document = settled(&member, &agent, "long.txt", text.as_bytes()).await;
    assert_eq!(
        (document.status, document.scan),
        (DocumentStatus::Ready, Some(Scan::TooLarge))
    );
    server.stop().await;
}

async fn a_scanner_that_is_away_is_asked_again(server: TestServer) {
    let (clamd, asked) = scanner(10).await;
    let server = with(&server, clamd).await;
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = settled(&member, &agent, "a.txt", b"Some text.").await;
    assert_eq!((document.status, document.scan), (DocumentStatus::Error, None));
    let error = document.error.clone().unwrap();
    assert_eq!(error.code, "scanner_unavailable");
    assert_eq!(asked.load(Ordering::SeqCst), 8);
    // Two more times in vain, then it is back.
    let again = member.post_nothing(&format!("{}/retry", path(&document))).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    let document = over(&member, &document).await;
    assert_eq!(
        (document.status, document.scan),
        (DocumentStatus::Ready, Some(Scan::Clean))
    );
    assert_eq!(asked.load(Ordering::SeqCst), 11);
    server.stop().await;
}
