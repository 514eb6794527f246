//! Peers that break off, stall and never end.

use super::{client, question};
use cerebros_llm::{Category, Client, Deadlines, Dialect, Endpoint, Error, Reach, Severity};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers each connection by the function, after reading some of the request.
async fn peer<F: Future<Output = ()> + Send>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            answer(stream).await;
        }
    });
    address
}

async fn asked(address: SocketAddr) -> Error {
    let client = client(Dialect::Openai, &format!("http://{address}/v1"));
    client.chat(&question()).await.unwrap_err()
}

#[tokio::test]
async fn what_breaks_on_the_way_may_have_been_paid() {
    let reset = peer(|stream| async move {
        stream.set_zero_linger().unwrap();
    })
    .await;
    let stalled = peer(|stream| async move {
        // Held open for longer than the client waits.
        std::mem::forget(stream);
    })
    .await;
    let half = peer(|mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"choices\": [";
        let _ = stream.write_all(head.as_bytes()).await;
    })
    .await;
    for (address, words) in [(reset, "broke"), (stalled, "in time"), (half, "broke")] {
        let error = asked(address).await;
        assert_eq!((error.category, error.severity), (Category::Network, Severity::Warning));
        assert!(
            error.maybe_paid && !error.was_answered() && error.message.contains(words),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn what_never_left_costs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = asked(address).await;
    assert!(error.category == Category::Network && !error.maybe_paid, "{error:?}");
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let address = peer(|mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(&[b' '; 65536]).await.is_ok() {}
    })
    .await;
    let error = asked(address).await;
    assert!(error.message.contains("too long") && !error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn private_addresses_are_refused_by_name_and_number() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = |host: &str| Endpoint {
        dialect: Dialect::Openai,
        base_url: format!("https://{host}:{port}/v1").parse().unwrap(),
        key: None,
    };
    for host in ["127.0.0.1", "[::1]", "0x7f000001"] {
        let error = Client::new(endpoint(host), &Reach::default(), Deadlines::default()).unwrap_err();
        assert!(
            error.severity == Severity::Critical && error.message.contains("private network"),
            "{error:?}"
        );
    }
    let client = Client::new(endpoint("localhost"), &Reach::default(), Deadlines::default()).unwrap();
    let error = client.chat(&question()).await.unwrap_err();
    assert!(
        error.message.contains("private network") && !error.is_retryable() && !error.maybe_paid,
        "{error:?}"
    );
}
