//! Canaries: secrets of every kind go through all flows, the failing ones too, and stand nowhere afterwards: not in the
//! log at its most talkative, not in the database or another file, not in the answer to an error.

use crate::{
    access::every_row,
    helpers::{Answer, Client, Kind, ServerProcess},
    links::token_of,
};
use cerebros_common::{
    accounts::{OutboxMail, OutboxMails},
    api_keys::NewApiKeySecret,
    workspaces::Workspace,
};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use std::path::Path;

const LOG: &str = "warn,cerebros=trace,cerebros_api=trace,cerebros_db=trace,cerebros_queue=trace,\
                   cerebros_ingest=trace,cerebros_datasets=trace,cerebros_trainer=trace";

/// What was sent, and what refusals said.
#[derive(Default)]
struct Canaries {
    secrets: Vec<String>,
    refusals: Vec<String>,
}

impl Canaries {
    fn fresh(&mut self, what: &str) -> String {
        let secret = format!("canary-{what}-{}", self.secrets.len());
        self.note(&secret);
        secret
    }

    fn note(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    async fn ask(&mut self, request: RequestBuilder) -> Answer {
        let answer = Answer::of(request).await;
        if let Some(cookie) = answer.headers.get(header::SET_COOKIE) {
            let token = cookie.to_str().unwrap().split(['=', ';']).nth(1).unwrap();
            if !token.is_empty() {
                self.note(token);
            }
        }
        if !answer.status.is_success() {
            self.refusals.push(answer.text.clone());
        }
        answer
    }

    async fn post(&mut self, client: &Client, path: &str, body: Value) -> Answer {
        let request = client.request(Method::POST, &format!("/api/v1/{path}"));
        self.ask(request.json(&body)).await
    }

    /// Expects a refusal.
    async fn fail(&mut self, client: &Client, path: &str, body: Value) {
        let answer = self.post(client, path, body).await;
        assert!(
            answer.status.is_client_error(),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
    }

    async fn mailed(&mut self, client: &Client, to: &str, subject: &str) -> String {
        let wanted = |mail: &OutboxMail| mail.to == to && mail.subject == subject;
        let ready = |mails: &OutboxMails| mails.items.iter().any(wanted);
        let mails = client.wait("/api/v1/outbox", ready).await;
        let token = token_of(mails.items.iter().find(|mail| wanted(mail)).unwrap());
        self.note(&token);
        token
    }

    async fn key(&mut self, answer: Answer) -> NewApiKeySecret {
        let key: NewApiKeySecret = answer.data();
        self.note(&key.secret);
        key
    }
}

#[tokio::test]
async fn secrets_stand_nowhere_sqlite() {
    secrets_stand_nowhere(Kind::Sqlite).await;
}

#[tokio::test]
async fn secrets_stand_nowhere_postgres() {
    secrets_stand_nowhere(Kind::Postgres).await;
}

async fn secrets_stand_nowhere(kind: Kind) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = vec![("LOG", LOG.to_owned()), ("OUTBOX", "1".to_owned())];
    let server = ServerProcess::start_with(kind, more, log.reopen().unwrap().into()).await;
    let mut canaries = Canaries::default();
    for email in ["ada@example.org", "grace@example.org"] {
        account(&mut canaries, &server.anonymous(), email).await;
    }
    assert!(canaries.secrets.len() >= 50, "{}", canaries.secrets.len());
    let written = std::fs::read_to_string(log.path()).unwrap();
    assert!(written.contains("answered"), "the log is not at trace level");
    let rows = every_row(&server.database_url()).await;
    assert!(rows.iter().any(|row| row.contains("ada@example.org")));
    let files = files_below(server.data_dir());
    assert_eq!(
        files.iter().any(|(name, _)| name.ends_with("-wal")),
        kind == Kind::Sqlite
    );
    for secret in &canaries.secrets {
        assert!(!written.contains(secret), "the log shows {secret}");
        let refusal = canaries.refusals.iter().find(|text| text.contains(secret));
        assert_eq!(refusal, None, "an answer shows {secret}");
        let row = rows.iter().find(|row| row.contains(&secret.to_lowercase()));
        assert_eq!(row, None, "the database holds {secret}");
        for (name, bytes) in &files {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds {secret}");
        }
    }
    assert!(!written.contains("example.org"), "the log shows an address");
}

/// Everything that somebody does with secrets, and does wrong.
async fn account(canaries: &mut Canaries, nobody: &Client, email: &str) {
    let password = passwords(canaries, nobody, email).await;
    let password = links(canaries, nobody, email, &password).await;
    let answer = canaries
        .post(nobody, "auth/sign-in", json!({"email": email, "password": password}))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let somebody = nobody.with_cookie(answer.session_cookie());
    keys(canaries, nobody, &somebody).await;
    misplaced(canaries, nobody, &somebody).await;
    let ended = somebody.post_nothing("/api/v1/auth/sign-out").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    canaries.ask(somebody.request(Method::GET, "/api/v1/agents")).await;
}

async fn passwords(canaries: &mut Canaries, nobody: &Client, email: &str) -> String {
    let password = canaries.fresh("password");
    let up = json!({"email": email, "password": password, "name": "Somebody"});
    let answer = canaries.post(nobody, "auth/sign-up", up.clone()).await;
    let somebody = nobody.with_cookie(answer.session_cookie());
    canaries.fail(nobody, "auth/sign-up", up).await;
    let short = format!("can{}", canaries.secrets.len());
    canaries.note(&short);
    let long = canaries.fresh("long").repeat(20);
    for bad in [
        json!(short),
        json!(long),
        json!([canaries.fresh("list")]),
        json!(7_345_199_284_u64),
    ] {
        let up = json!({"email": "bob@example.org", "password": bad, "name": "Bob"});
        canaries.fail(nobody, "auth/sign-up", up).await;
    }
    canaries.note("7345199284");
    let wrong = json!({"email": email, "password": canaries.fresh("wrong")});
    canaries.fail(nobody, "auth/sign-in", wrong).await;
    let unknown = json!({"email": "nobody@example.org", "password": canaries.fresh("unknown")});
    canaries.fail(nobody, "auth/sign-in", unknown).await;
    let new = canaries.fresh("changed");
    let wrong = json!({"current_password": canaries.fresh("guess"), "new_password": new});
    canaries.fail(&somebody, "account/password", wrong).await;
    let right = json!({"current_password": password, "new_password": new});
    let answer = canaries.post(&somebody, "account/password", right).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    new
}

async fn links(canaries: &mut Canaries, nobody: &Client, email: &str, password: &str) -> String {
    let verify = canaries.mailed(nobody, email, "Confirm your e-mail address").await;
    canaries
        .fail(nobody, "auth/magic-link/redeem", json!({"token": verify}))
        .await;
    for path in ["auth/magic-link", "auth/password-reset"] {
        let answer = canaries.post(nobody, path, json!({"email": email})).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }
    let magic = canaries.mailed(nobody, email, "Your link to sign in").await;
    let reset = canaries.mailed(nobody, email, "Choose a new password").await;
    let made_up = format!("{:064x}", 0xca_a2e5_u64 + canaries.secrets.len() as u64);
    canaries.note(&made_up);
    for path in ["magic-link", "verification", "email-change"] {
        canaries
            .fail(nobody, &format!("auth/{path}/redeem"), json!({"token": made_up}))
            .await;
    }
    let answer = canaries
        .post(nobody, "auth/magic-link/redeem", json!({"token": magic}))
        .await;
    let somebody = nobody.with_cookie(answer.session_cookie());
    canaries
        .fail(nobody, "auth/magic-link/redeem", json!({"token": magic}))
        .await;
    let wrong = json!({"email": "new@example.org", "password": canaries.fresh("not mine")});
    canaries.fail(&somebody, "account/email", wrong).await;
    let next = format!("new-{email}");
    let change = json!({"email": next, "password": password});
    let answer = canaries.post(&somebody, "account/email", change).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    for (to, subject) in [
        (email, "Your e-mail address is about to change"),
        (next.as_str(), "Confirm your new e-mail address"),
    ] {
        let token = canaries.mailed(nobody, to, subject).await;
        if to == email {
            canaries
                .post(nobody, "auth/email-change/redeem", json!({"token": token}))
                .await;
        }
        canaries
            .fail(
                nobody,
                "auth/password-reset/redeem",
                json!({"token": token, "password": "0123456789"}),
            )
            .await;
    }
    let new = canaries.fresh("reset");
    let body = json!({"token": reset, "password": new});
    let answer = canaries.post(nobody, "auth/password-reset/redeem", body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    canaries.fail(nobody, "auth/password-reset/redeem", body).await;
    new
}

async fn keys(canaries: &mut Canaries, nobody: &Client, somebody: &Client) {
    let answer = canaries.post(somebody, "api-keys", json!({"name": "script"})).await;
    let key = canaries.key(answer).await;
    let script = nobody.with_key(&key.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::OK);
    // What it may not do, and what is not there.
    canaries.ask(script.request(Method::GET, "/api/v1/api-keys")).await;
    canaries.ask(script.request(Method::GET, "/api/v1/nothing")).await;
    canaries.ask(script.request(Method::GET, "/v1/nothing")).await;
    canaries.fail(&script, "jobs", json!({"dataset_id": "no id"})).await;
    let answer = canaries
        .post(somebody, &format!("api-keys/{}/rotate", key.api_key.id), json!({}))
        .await;
    let rotated = canaries.key(answer).await;
    canaries.ask(script.request(Method::GET, "/api/v1/agents")).await;
    let gone = somebody
        .delete(&format!("/api/v1/api-keys/{}", rotated.api_key.id))
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let revoked = nobody.with_key(&rotated.secret);
    canaries
        .ask(revoked.request(Method::POST, "/v1/chat/completions"))
        .await;
    let mut made_up = rotated.secret;
    made_up.replace_range(4..12, "00000000");
    canaries.note(&made_up);
    canaries
        .ask(nobody.with_key(&made_up).request(Method::GET, "/v1/models"))
        .await;
    for secret in [
        canaries.fresh("provider"),
        format!("{} with blanks", canaries.fresh("blank")),
    ] {
        let request = somebody.request(Method::PUT, "/api/v1/provider-keys/huggingface");
        canaries.ask(request.json(&json!({"secret": secret}))).await;
    }
    let team = json!({"name": "Team"});
    let team: Workspace = canaries.post(somebody, "workspaces", team).await.data();
    let new = json!({"email": "friend@example.org", "role": "viewer"});
    let answer = canaries.post(&somebody.within(&team), "invitations", new).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
}

/// Secrets where none belongs.
async fn misplaced(canaries: &mut Canaries, nobody: &Client, somebody: &Client) {
    let secret = canaries.fresh("misplaced");
    let stray = [
        nobody.request(Method::GET, &format!("/api/v1/agents?token={secret}")),
        nobody.request(Method::GET, &format!("/verify-email?token={secret}")),
        nobody.request(Method::GET, &format!("/{secret}")),
        nobody
            .request(Method::POST, "/api/v1/auth/sign-in")
            .body(format!("password={secret}")),
        nobody
            .request(Method::POST, "/api/v1/auth/sign-in")
            .header(header::CONTENT_TYPE, "application/json")
            .body(format!("{{\"email\": \"ada@example.org\", \"password\": {secret}")),
        nobody.request(Method::GET, "/api/v1/agents").bearer_auth(&secret),
        nobody
            .request(Method::GET, "/api/v1/agents")
            .header(header::AUTHORIZATION, format!("Basic {secret}")),
        nobody
            .request(Method::GET, "/api/v1/auth/session")
            .header(header::COOKIE, format!("__Host-cerebros_session={secret}")),
        somebody
            .request(Method::POST, "/api/v1/api-keys")
            .json(&json!({"name": "key", "scopes": [secret]})),
        somebody
            .request(Method::POST, "/api/v1/api-keys")
            .json(&json!({"name": "key", "expires_at": secret})),
        somebody.request(Method::GET, &format!("/api/v1/agents?limit={secret}")),
        somebody.request(Method::GET, &format!("/api/v1/agents/{secret}")),
        somebody
            .request(Method::GET, "/api/v1/agents")
            .header("x-workspace-id", &secret),
        somebody
            .request(Method::DELETE, "/api/v1/agents/x")
            .header(header::IF_MATCH, &secret),
    ];
    for request in stray {
        canaries.ask(request).await;
    }
}

fn files_below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}
