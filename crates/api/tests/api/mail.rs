//! Mail over SMTP, taken by a scripted server on loopback.

use crate::{
    helpers::{DEADLINE, Kind, TestServer, run_with},
    links,
};
use cerebros_api::{Config, config::MailConfig};
use cerebros_common::{accounts::ServerFacts, errors::ErrorCode};
use reqwest::StatusCode;
use serde_json::json;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Takes mail one after the other; each entry of the script answers one `RCPT TO`.
struct Peer {
    address: SocketAddr,
    /// Whole mails, and refused recipients.
    heard: mpsc::UnboundedReceiver<String>,
}

impl Peer {
    async fn start(script: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut script = script.into_iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                converse(stream, &mut script, &tell).await;
            }
        });
        Self { address, heard }
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(DEADLINE, self.heard.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

async fn converse(
    stream: TcpStream,
    script: &mut impl Iterator<Item = &'static str>,
    tell: &mpsc::UnboundedSender<String>,
) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 peer\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.split([' ', ':']).next().unwrap().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-peer\r\n250 AUTH PLAIN",
            "RCPT" => script.next().unwrap_or("250 yes"),
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.unwrap();
                let mut mail = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    mail += &(line + "\n");
                }
                tell.send(mail).unwrap();
                "250 taken"
            }
            "AUTH" => "235 welcome",
            "QUIT" => "221 bye",
            _ => "250 yes",
        };
        if verb == "RCPT" && !answer.starts_with("250") {
            tell.send(answer.to_owned()).unwrap();
        }
        if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn by(peer: SocketAddr) -> impl FnOnce(&mut Config) {
    let url = format!("smtp://cerebros:secret@{peer}");
    move |config| {
        config.mail = MailConfig::Smtp {
            url: url.parse().unwrap(),
            from: "Cerebros <cerebros@example.org>".parse().unwrap(),
        };
    }
}

/// Undoes the line breaks of quoted-printable.
fn token_in(mail: &str) -> String {
    let joined = mail.replace("=\n", "").replace("=3D", "=");
    let token = joined.split_once("#token=").unwrap().1;
    token.chars().take_while(char::is_ascii_hexdigit).collect()
}

async fn verify(server: &TestServer, token: &str) -> StatusCode {
    let path = "/api/v1/auth/verification/redeem";
    server.anonymous().post(path, json!({"token": token})).await.status
}

fn a_mail_is_sent_again_after_a_refusal_for_now(kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut peer = runtime.block_on(Peer::start(vec![
        "451 later",
        "250 yes",
        "550 member@example.org is unknown",
    ]));
    run_with(kind, by(peer.address), |server| async move {
        let facts: ServerFacts = server.anonymous().get("/api/v1/server").await.data();
        assert_eq!((facts.mail, facts.outbox), (true, false));
        let member = server.member().await;
        assert_eq!(peer.next().await, "451 later");
        let refused = server.number("select count(*) from link_tokens").await;
        assert_eq!(refused, 1);
        let mail = peer.next().await;
        for part in [
            "From: Cerebros <cerebros@example.org>",
            "To: member@example.org",
            "Subject: Confirm your e-mail address",
            "Content-Type: multipart/alternative",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
            "Hello Somebody,",
        ] {
            assert!(mail.contains(part), "{part} is missing in {mail}");
        }
        // The retry made a token of its own.
        assert_eq!(server.number("select count(*) from link_tokens").await, 1);
        assert_eq!(verify(&server, &token_in(&mail)).await, StatusCode::NO_CONTENT);
        assert_eq!(verify(&server, &token_in(&mail)).await, StatusCode::BAD_REQUEST);
        let outbox = server.anonymous().get("/api/v1/outbox").await;
        assert_eq!(outbox.problem().error, ErrorCode::NotFound);
        // A refusal for good is not tried again, and its words, which name the address, are not kept.
        let ask = json!({"email": "member@example.org"});
        let asked = member.post("/api/v1/auth/magic-link", ask).await;
        assert_eq!(asked.status, StatusCode::NO_CONTENT);
        assert!(peer.next().await.starts_with("550"));
        let dead = async { while server.number("select count(*) from tasks where status = 'dead'").await == 0 {} };
        tokio::time::timeout(DEADLINE, dead).await.unwrap();
        let named = "select count(*) from tasks where last_error like '%member%' or payload like '%member%'";
        assert_eq!(server.number(named).await, 0);
    });
}

#[test]
fn a_mail_is_sent_again_after_a_refusal_for_now_sqlite() {
    a_mail_is_sent_again_after_a_refusal_for_now(Kind::Sqlite);
}

#[test]
fn a_mail_is_sent_again_after_a_refusal_for_now_postgres() {
    a_mail_is_sent_again_after_a_refusal_for_now(Kind::Postgres);
}

#[test]
fn names_in_mails_are_text() {
    run_with(Kind::Sqlite, links::with_outbox, |server| async move {
        let name = "<script>alert(1)</script> \"Ada\"";
        let body = json!({"email": "ada@example.org", "password": "0123456789", "name": name});
        let answer = server.anonymous().post("/api/v1/auth/sign-up", body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let mail = links::mail(&server, "ada@example.org", "Confirm your e-mail address").await;
        assert!(
            mail.html
                .contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;Ada&quot;")
        );
        assert!(!mail.html.contains("<script"));
        assert!(mail.text.contains(name));
    });
}
