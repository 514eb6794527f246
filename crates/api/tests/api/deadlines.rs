//! Clients that send too slowly or too much, seen from a raw socket, and handlers that take too long.

use crate::helpers::{Client, DEADLINE, Kind, TestServer};
use cerebros_common::{agents::Agent, errors::ErrorCode};
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

on_both_databases!(
    a_slow_head_is_given_up,
    a_slow_body_is_given_up,
    a_head_that_is_too_large_is_refused,
    a_handler_that_hangs_is_given_up,
    event_streams_are_bounded,
);

const SHORT: Duration = Duration::from_millis(200);

/// Sends bytes and nothing more, and reads until the server closes.
async fn raw(server: &TestServer, bytes: impl AsRef<[u8]>) -> String {
    let mut socket = TcpStream::connect(server.url.trim_start_matches("http://"))
        .await
        .unwrap();
    // The server may refuse before it has read all.
    let _ = socket.write_all(bytes.as_ref()).await;
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, socket.read_to_end(&mut answer)).await;
    let _ = read.expect("the server keeps the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer:?}"))
        .parse()
        .unwrap()
}

async fn a_slow_head_is_given_up(shared: TestServer) {
    let head = "GET /livez HTTP/1.1\r\nHost: a\r\n";
    let with = |limit: Duration| {
        TestServer::start_with(shared.kind, move |config| {
            config.deadlines.head = limit;
            config.deadlines.keep_alive = SHORT;
        })
    };
    let server = with(SHORT).await;
    assert_eq!(status(&raw(&server, head).await), 408);
    server.stop().await;
    // Long enough for a busy machine to read a head that is all there.
    let server = with(Duration::from_secs(3)).await;
    for sent in [format!("{head}\r\n"), format!("{head}\r\n{head}")] {
        let answer = raw(&server, sent).await;
        assert_eq!(
            (status(&answer), answer.matches("HTTP/1.1").count()),
            (200, 1),
            "{answer}"
        );
    }
    server.stop().await;
}

async fn a_slow_body_is_given_up(shared: TestServer) {
    let member = shared.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let server = shared
        .restart_with(|config| {
            config.deadlines.body = SHORT;
            config.deadlines.piece = SHORT;
        })
        .await;
    let head =
        "POST /api/v1/auth/sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n";
    let answer = raw(&server, format!("{head}{{\"email\": ")).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(
        answer.contains("\"request_timeout\"") && answer.contains("nosniff"),
        "{answer}"
    );
    let (name, value) = server.client(&member).credentials();
    let head = format!(
        "POST /api/v1/documents?agent_id={}&kind=reference HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000\r\n\r\n",
        agent.id
    );
    for sent in [
        "",
        "--b\r\ncontent-disposition: form-data; name=\"fi",
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nSome text",
    ] {
        let answer = raw(&server, format!("{head}{sent}")).await;
        assert_eq!(status(&answer), 408, "{answer}");
        assert!(answer.contains("\"request_timeout\""), "{answer}");
    }
    server.stop().await;
}

async fn a_head_that_is_too_large_is_refused(server: TestServer) {
    let many = "x: y\r\n".repeat(97);
    let large = format!("x: {}\r\n", "y".repeat(200 * 1024));
    for headers in [many, large] {
        let answer = raw(&server, format!("GET /livez HTTP/1.1\r\n{headers}\r\n")).await;
        assert_eq!(status(&answer), 431, "{answer}");
    }
    for malformed in ["NONSENSE\r\n\r\n", "GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n"] {
        assert_eq!(status(&raw(&server, malformed).await), 400, "{malformed}");
    }
}

async fn a_handler_that_hangs_is_given_up(shared: TestServer) {
    let member = shared.member().await;
    let server = shared.restart_with(|config| config.deadlines.handler = SHORT).await;
    let member = server.client(&member);
    let connection = Database::connect(&server.config.database_url).await.unwrap();
    let lock = connection.begin().await.unwrap();
    let sql = match server.kind {
        Kind::Sqlite => "update agents set name = name",
        Kind::Postgres => "lock table agents",
    };
    lock.execute_unprepared(sql).await.unwrap();
    let create = json!({"name": "A"});
    let late = member.post("/api/v1/agents", create.clone()).await;
    assert_eq!(late.problem().error, ErrorCode::Unavailable);
    assert_eq!(late.header("retry-after"), Some("5"));
    assert_eq!(late.header("x-content-type-options"), Some("nosniff"));
    lock.rollback().await.unwrap();
    connection.close().await.unwrap();
    server.stop().await;
    let server = server.restart_with(|config| config.deadlines.handler = DEADLINE).await;
    let created = server.client(&member).post("/api/v1/agents", create).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(server.number("select count(*) from agents").await, 1);
    server.stop().await;
}

async fn event_streams_are_bounded(server: TestServer) {
    let member = server.member().await;
    let open = async |client: &Client| client.request(Method::GET, "/api/v1/events").send().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open(&member).await);
    }
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    let refused = member.get("/api/v1/events").await;
    assert_eq!(refused.problem().error, ErrorCode::TooManyRequests);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(open(&server.stranger().await).await.status(), StatusCode::OK);
    streams.pop();
    let again = async { while open(&member).await.status() != StatusCode::OK {} };
    timeout(DEADLINE, again).await.unwrap();
}
