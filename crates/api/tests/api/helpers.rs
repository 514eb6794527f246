//! A server per test, and the people who talk to it: `anonymous`, `member`, `stranger`.

use cerebros_api::{Config, Parts, Running, start};
use cerebros_common::errors::Problem;
use reqwest::{Method, StatusCode, header};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell, watch};

/// Long enough for a loaded machine; nothing waits this long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Turns each `async fn(TestServer)` into two tests.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::helpers::run($crate::helpers::Kind::Sqlite, super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::helpers::run($crate::helpers::Kind::Postgres, super::$name); })+
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

pub fn run<F: Future<Output = ()>>(kind: Kind, test: impl FnOnce(TestServer) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = TestServer::start(kind).await;
        let stop = server.running.clone();
        test(server).await;
        if let Some(running) = stop.lock().await.take() {
            running.stop().await;
        }
    });
}

pub struct TestServer {
    pub url: String,
    pub config: Config,
    pub kind: Kind,
    pub changes: watch::Receiver<u64>,
    running: std::sync::Arc<Mutex<Option<Running>>>,
    _data: std::sync::Arc<TempDir>,
}

impl TestServer {
    async fn start(kind: Kind) -> Self {
        Self::start_with(kind, |_| {}).await
    }

    /// A server with other settings, on a database of its own. Whoever asks for it stops it.
    pub async fn start_with(kind: Kind, change: impl FnOnce(&mut Config)) -> Self {
        let data = TempDir::new().unwrap();
        let mut config = config(kind, &data).await;
        change(&mut config);
        let running = start(config.clone(), Parts::All).await.unwrap();
        Self {
            url: running.url.clone(),
            config,
            kind,
            changes: running.changes(),
            running: std::sync::Arc::new(Mutex::new(Some(running))),
            _data: std::sync::Arc::new(data),
        }
    }

    /// Makes the ended task of a type run once more, and waits for its end.
    pub async fn rerun(&self, task: &str) {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        let mut changes = self.changes.clone();
        let sql = format!(
            "update tasks set status = 'queued', lease_token = null, finished_at = null where name = '{task}' and status = 'done'"
        );
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        assert_eq!(connection.execute_raw(statement).await.unwrap().rows_affected(), 1);
        let ended = async {
            loop {
                changes.mark_unchanged();
                let sql = format!("select 1 from tasks where name = '{task}' and status = 'done'");
                let statement = Statement::from_string(connection.get_database_backend(), sql);
                if connection.query_one_raw(statement).await.unwrap().is_some() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, ended).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Shuts the server down before the test ends.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
    }

    pub fn anonymous(&self) -> Client {
        Client {
            url: self.url.clone(),
            http: reqwest::Client::new(),
            auth: Auth::None,
            changes: self.changes.clone(),
        }
    }

    pub async fn member(&self) -> Client {
        self.sign_up("member@example.org").await
    }

    pub async fn stranger(&self) -> Client {
        self.sign_up("stranger@example.org").await
    }

    pub async fn sign_up(&self, email: &str) -> Client {
        let client = self.anonymous();
        let body = json!({"email": email, "password": "correct horse battery", "name": "Somebody"});
        let answer = client.post("/api/v1/auth/sign-up", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        Client {
            auth: Auth::Cookie(answer.session_cookie()),
            ..client
        }
    }
}

/// Settings of a server on a free port with a fresh database.
pub async fn config(kind: Kind, data: &TempDir) -> Config {
    let database_url = match kind {
        Kind::Sqlite => String::new(),
        Kind::Postgres => fresh_postgres().await,
    };
    let directory = data.path().display().to_string();
    Config::read(|name| match name {
        "DATA_DIR" => Some(directory.clone()),
        "BIND" => Some("127.0.0.1:0".to_owned()),
        "DATABASE_URL" => Some(database_url.clone()),
        "DATABASE_CONNECTIONS" => Some("4".to_owned()),
        "CHILD_PROGRAM" => Some(env!("CARGO_BIN_EXE_cerebros").to_owned()),
        _ => None,
    })
    .unwrap()
}

/// A database made from a template that holds the schema.
async fn fresh_postgres() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let base = std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL is not set: run the tests through `cargo run -p xtask -- with-postgres`");
    let server = base.rsplit_once('/').unwrap().0.to_owned();
    let _guard = ONE_AT_A_TIME.lock().await;
    let admin = Database::connect(&base).await.unwrap();
    let template = TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", std::process::id());
            execute(&admin, &format!("create database {name}")).await;
            let url = format!("{server}/{name}");
            let data = TempDir::new().unwrap();
            let directory = data.path().display().to_string();
            let config = Config::read(|key| match key {
                "DATABASE_URL" => Some(url.clone()),
                "DATA_DIR" => Some(directory.clone()),
                _ => None,
            });
            cerebros_api::migrate(&config.unwrap()).await.unwrap();
            name
        })
        .await;
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    execute(&admin, &format!("create database {name} template {template}")).await;
    admin.close().await.unwrap();
    format!("{server}/{name}")
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.unwrap();
}

#[derive(Clone)]
enum Auth {
    None,
    Cookie(String),
    Key(String),
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
    auth: Auth,
    changes: watch::Receiver<u64>,
}

impl Client {
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            auth: Auth::Key(key.to_owned()),
            ..self.clone()
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.auth {
            Auth::None => request,
            Auth::Cookie(cookie) => request.header(header::COOKIE, cookie),
            Auth::Key(key) => request.bearer_auth(key),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn post_nothing(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub async fn patch(&self, path: &str, version: i64, body: Value) -> Answer {
        let request = self
            .request(Method::PATCH, path)
            .header(header::IF_MATCH, format!("\"{version}\""));
        Answer::of(request.json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    pub async fn delete_any_version(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).header(header::IF_MATCH, "*")).await
    }

    /// Sends one file as the form part `file`.
    pub async fn upload(&self, path: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let boundary = "cerebros-test-boundary";
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(&bytes.into());
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let request = self
            .request(Method::POST, path)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={boundary}"),
            )
            .body(body);
        Answer::of(request).await
    }

    /// Reads `path` after every change until `ready` holds.
    pub async fn wait<T: DeserializeOwned>(&self, path: &str, ready: impl Fn(&T) -> bool) -> T {
        let mut changes = self.changes.clone();
        let mut last = String::new();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                changes.mark_unchanged();
                let answer = self.get(path).await;
                last.clone_from(&answer.text);
                let value: T = answer.data();
                if ready(&value) {
                    return value;
                }
                changes.changed().await.unwrap();
            }
        });
        match waited.await {
            Ok(value) => value,
            Err(_) => panic!("{path} did not get there in time; last: {last}"),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub text: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        Self {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }

    /// The data of a successful native answer.
    pub fn data<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        let mut envelope: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(envelope["success"], true, "{}", self.text);
        serde_json::from_value(envelope["data"].take()).unwrap()
    }

    /// The problem document of a refused native request.
    pub fn problem(&self) -> Problem {
        let content_type = self.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(content_type, "application/problem+json", "{}", self.text);
        let problem: Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.request_id, self.headers["x-request-id"].to_str().unwrap());
        problem
    }

    pub fn session_cookie(&self) -> String {
        let cookie = self.headers[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}
