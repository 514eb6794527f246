//! A server per test, and the people who talk to it: `anonymous`, `member`, `stranger`.

use cerebros_api::{Config, Parts, Running, start};
use cerebros_common::{errors::Problem, ids::SessionId, workspaces::Workspace};
use reqwest::{Method, StatusCode, header};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    future::Future,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Long enough for a loaded machine; nothing waits this long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// How often a server in another process is asked.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(25);

/// How often a race is run: more often with `TEST_ROUNDS`.
pub fn rounds() -> usize {
    std::env::var("TEST_ROUNDS").map_or(5, |count| count.parse().unwrap())
}

/// Turns each `async fn(TestServer)` into two tests; settings that differ come first, as a `fn(&mut Config)`.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        on_both_databases!(|_| {}; $($name),+);
    };
    ($change:expr; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() {
                $crate::helpers::run_with($crate::helpers::Kind::Sqlite, $change, super::$name);
            })+
        }
        mod postgres {
            $(#[test] fn $name() {
                $crate::helpers::run_with($crate::helpers::Kind::Postgres, $change, super::$name);
            })+
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

pub fn run<F: Future<Output = ()>>(kind: Kind, test: impl FnOnce(TestServer) -> F) {
    run_with(kind, |_| {}, test);
}

pub fn run_with<F: Future<Output = ()>>(
    kind: Kind,
    change: impl FnOnce(&mut Config),
    test: impl FnOnce(TestServer) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = TestServer::start_with(kind, change).await;
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
    /// Stands in for the model hub.
    pub hub: wiremock::MockServer,
    pub changes: watch::Receiver<u64>,
    running: std::sync::Arc<Mutex<Option<Running>>>,
    _data: std::sync::Arc<TempDir>,
}

impl TestServer {
    /// The same server with other settings. Whoever asks for it stops it.
    pub async fn restart_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        self.stop().await;
        let mut config = self.config.clone();
        change(&mut config);
        let running = start(config.clone(), Parts::All).await.unwrap();
        Self {
            url: format!("http://{}", running.address),
            config,
            kind: self.kind,
            hub: wiremock::MockServer::start().await,
            changes: running.changes(),
            running: std::sync::Arc::new(Mutex::new(Some(running))),
            _data: self._data.clone(),
        }
    }

    /// The same person after a restart.
    pub fn client(&self, client: &Client) -> Client {
        Client {
            url: self.url.clone(),
            changes: Some(self.changes.clone()),
            ..client.clone()
        }
    }

    /// Another server on the same database. Whoever asks for it stops it.
    pub async fn replica(&self) -> Running {
        start(self.config.clone(), Parts::All).await.unwrap()
    }

    /// A server with other settings, on a database of its own. Whoever asks for it stops it.
    pub async fn start_with(kind: Kind, change: impl FnOnce(&mut Config)) -> Self {
        let data = TempDir::new().unwrap();
        let hub = wiremock::MockServer::start().await;
        let mut config = config(kind, &data).await;
        config.hub_url = hub.uri().parse().unwrap();
        change(&mut config);
        let running = start(config.clone(), Parts::All).await.unwrap();
        Self {
            url: format!("http://{}", running.address),
            config,
            kind,
            hub,
            changes: running.changes(),
            running: std::sync::Arc::new(Mutex::new(Some(running))),
            _data: std::sync::Arc::new(data),
        }
    }

    /// The one number that an SQL query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.unwrap().unwrap();
        let number = row.try_get_by_index(0).unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Reaches around the API.
    pub async fn execute(&self, sql: &str) {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        execute(&connection, sql).await;
        connection.close().await.unwrap();
    }

    /// Waits until something holds that no API tells, looking after every change.
    pub async fn until(&self, holds: impl Fn() -> bool) {
        let mut changes = self.changes.clone();
        let waited = async {
            loop {
                changes.mark_unchanged();
                if holds() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, waited).await.unwrap();
    }

    /// Makes the ended task of a type run once more, and waits for its end.
    pub async fn rerun(&self, task: &str) {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        let sql = format!(
            "update tasks set status = 'queued', lease_token = null, finished_at = null where name = '{task}' and status = 'done'"
        );
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        assert_eq!(connection.execute_raw(statement).await.unwrap().rows_affected(), 1);
        connection.close().await.unwrap();
        self.until_done(task).await;
    }

    /// Waits until no task of a type waits or runs.
    pub async fn until_none_live(&self, task: &str) {
        let sql = format!("select count(*) from tasks where name = '{task}' and status in ('queued', 'running')");
        let none_live = async { while self.number(&sql).await > 0 {} };
        tokio::time::timeout(DEADLINE, none_live).await.unwrap();
    }

    /// Waits for the end of the one task of a type.
    pub async fn until_done(&self, task: &str) {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        let mut changes = self.changes.clone();
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

    /// Waits until no task of a type is waiting or running.
    pub async fn until_idle(&self, task: &str) {
        let connection = Database::connect(&self.config.database_url).await.unwrap();
        let mut changes = self.changes.clone();
        let idle = async {
            loop {
                changes.mark_unchanged();
                let sql = format!("select 1 from tasks where name = '{task}' and status in ('queued', 'running')");
                let statement = Statement::from_string(connection.get_database_backend(), sql);
                if connection.query_one_raw(statement).await.unwrap().is_none() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, idle).await.unwrap();
        connection.close().await.unwrap();
    }

    pub async fn edit_session(&self, column: &str, at: chrono::DateTime<chrono::Utc>, id: SessionId) {
        let id = match self.kind {
            Kind::Sqlite => format!("x'{}'", id.0.simple()),
            Kind::Postgres => format!("'{id}'"),
        };
        let at = at.to_rfc3339();
        self.execute(&format!("update sessions set {column} = '{at}' where id = {id}"))
            .await;
    }

    /// Shuts the server down before the test ends.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
    }

    pub fn anonymous(&self) -> Client {
        self.anonymous_at(&self.url)
    }

    /// Nobody, at a replica.
    pub fn anonymous_at(&self, url: &str) -> Client {
        Client {
            url: url.to_owned(),
            http: reqwest::Client::new(),
            auth: Auth::None,
            workspace: None,
            changes: Some(self.changes.clone()),
        }
    }

    pub async fn member(&self) -> Client {
        self.sign_up("member@example.org").await
    }

    pub async fn stranger(&self) -> Client {
        self.sign_up("stranger@example.org").await
    }

    pub async fn sign_up(&self, email: &str) -> Client {
        self.anonymous().sign_up(email).await
    }
}

/// The built binary, as a process that can be killed.
pub struct ServerProcess {
    url: String,
    child: Child,
    environment: Vec<(&'static str, String)>,
    data: TempDir,
}

impl ServerProcess {
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Vec::new(), Stdio::inherit()).await
    }

    /// With other settings, and somewhere else for its log.
    pub async fn start_with(kind: Kind, more: Vec<(&'static str, String)>, log: Stdio) -> Self {
        let data = TempDir::new().unwrap();
        let config = config(kind, &data).await;
        let mut environment = vec![
            ("DATA_DIR", config.data_dir.display().to_string()),
            ("DATABASE_URL", config.database_url),
            ("BIND", "127.0.0.1:0".to_owned()),
            ("LOG", "error".to_owned()),
            ("RATE_LIMIT_SIGN_IN", NO_LIMIT.to_owned()),
            ("RATE_LIMIT_REQUESTS", NO_LIMIT.to_owned()),
            ("RATE_LIMIT_ADDRESS", NO_LIMIT.to_owned()),
        ];
        environment.extend(more);
        Self::spawn(environment, data, log).await
    }

    async fn spawn(environment: Vec<(&'static str, String)>, data: TempDir, log: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cerebros"))
            .arg("serve")
            .envs(environment.iter().map(|(name, value)| (*name, value.clone())))
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let url = line.rsplit(' ').next().unwrap().to_owned();
        Self {
            url,
            child,
            environment,
            data,
        }
    }

    pub fn data_dir(&self) -> &std::path::Path {
        self.data.path()
    }

    /// The most memory that it has held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    pub async fn kill_and_restart(mut self) -> Self {
        self.child.kill().await.unwrap();
        Self::spawn(self.environment, self.data, Stdio::inherit()).await
    }

    pub fn database_url(&self) -> String {
        let name = |(name, _): &&(&'static str, String)| *name == "DATABASE_URL";
        self.environment.iter().find(name).unwrap().1.clone()
    }

    pub fn anonymous(&self) -> Client {
        Client {
            url: self.url.clone(),
            http: reqwest::Client::new(),
            auth: Auth::None,
            workspace: None,
            changes: None,
        }
    }

    pub async fn member(&self) -> Client {
        self.anonymous().sign_up("member@example.org").await
    }

    /// The same person after a restart.
    pub fn client(&self, client: &Client) -> Client {
        Client {
            url: self.url.clone(),
            ..client.clone()
        }
    }
}

/// A document to upload.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../ingest/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
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
        limit if limit.starts_with("RATE_LIMIT_") => Some(NO_LIMIT.to_owned()),
        _ => None,
    })
    .unwrap()
}

/// So high that no test meets it unawares.
const NO_LIMIT: &str = "1000000";

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
    /// Named in each request.
    workspace: Option<String>,
    /// Of a server in this process; that of another process is looked at again and again.
    changes: Option<watch::Receiver<u64>>,
}

impl Client {
    /// Nobody, from the same place.
    pub fn anonymous(&self) -> Self {
        Self {
            auth: Auth::None,
            workspace: None,
            ..self.clone()
        }
    }

    pub async fn sign_up(self, email: &str) -> Self {
        let body = json!({"email": email, "password": "correct horse battery", "name": "Somebody"});
        let answer = self.post("/api/v1/auth/sign-up", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        Self {
            auth: Auth::Cookie(answer.session_cookie()),
            ..self
        }
    }

    /// The same person in one of their workspaces.
    pub fn within(&self, workspace: &Workspace) -> Self {
        Self {
            workspace: Some(workspace.id.to_string()),
            ..self.clone()
        }
    }

    /// The same person in a browser that signed in elsewhere.
    pub fn with_cookie(&self, cookie: String) -> Self {
        Self {
            auth: Auth::Cookie(cookie),
            ..self.clone()
        }
    }

    /// The same person without naming a workspace.
    pub fn anywhere(&self) -> Self {
        Self {
            workspace: None,
            ..self.clone()
        }
    }

    /// The same person at a server that was started again.
    pub fn at_running(&self, running: &Running) -> Self {
        Self {
            url: running.url.clone(),
            changes: Some(running.changes()),
            ..self.clone()
        }
    }

    /// The same browser at another server on the same database.
    pub fn at(&self, server: &TestServer) -> Self {
        Self {
            auth: self.auth.clone(),
            ..server.anonymous()
        }
    }

    /// What the browser or script sends to show who it is, as a header.
    pub fn credentials(&self) -> (&'static str, String) {
        match &self.auth {
            Auth::None => panic!("nobody has credentials"),
            Auth::Cookie(cookie) => ("cookie", cookie.clone()),
            Auth::Key(key) => ("authorization", format!("Bearer {key}")),
        }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self {
            auth: Auth::Key(key.to_owned()),
            ..self.clone()
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = match &self.workspace {
            Some(id) => request.header("x-workspace-id", id),
            None => request,
        };
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
        Answer::of(self.upload_request(path, name, bytes)).await
    }

    pub fn upload_request(&self, path: &str, name: &str, bytes: impl Into<Vec<u8>>) -> reqwest::RequestBuilder {
        self.form_request(path, name, bytes, &[])
    }

    /// A form with some texts before the file.
    pub fn form_request(
        &self,
        path: &str,
        name: &str,
        bytes: impl Into<Vec<u8>>,
        texts: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let boundary = "cerebros-test-boundary";
        let text = |(name, text): &(&str, &str)| {
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let mut body = texts.iter().map(text).collect::<String>().into_bytes();
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&bytes.into());
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        self.request(Method::POST, path)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={boundary}"),
            )
            .body(body)
    }

    /// Reads `path` after every change until `ready` holds.
    pub async fn wait<T: DeserializeOwned>(&self, path: &str, ready: impl Fn(&T) -> bool) -> T {
        self.wait_within(DEADLINE, path, ready).await
    }

    pub async fn wait_within<T: DeserializeOwned>(
        &self,
        deadline: Duration,
        path: &str,
        ready: impl Fn(&T) -> bool,
    ) -> T {
        let mut changes = self.changes.clone();
        let mut last = String::new();
        let waited = tokio::time::timeout(deadline, async {
            loop {
                if let Some(changes) = &mut changes {
                    changes.mark_unchanged();
                }
                let answer = self.get(path).await;
                last.clone_from(&answer.text);
                let value: T = answer.data();
                if ready(&value) {
                    return value;
                }
                match &mut changes {
                    Some(changes) => changes.changed().await.unwrap(),
                    None => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
                }
            }
        });
        match waited.await {
            Ok(value) => value,
            Err(_) => panic!("{path} did not get there in time; last: {last}"),
        }
    }
}

/// A running trainer, found by the job directory in its arguments.
pub struct TrainerProcess(u32);

impl TrainerProcess {
    pub fn of(job: &cerebros_common::jobs::Job) -> Option<Self> {
        let wanted = format!("jobs/{}", job.id);
        std::fs::read_dir("/proc").unwrap().find_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            String::from_utf8_lossy(&arguments)
                .contains(&wanted)
                .then_some(Self(pid))
        })
    }

    pub fn kill(&self) {
        let killed = std::process::Command::new("kill")
            .args(["-9", &self.0.to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
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
        Self::try_of(request).await.unwrap()
    }

    /// From a server that may be killed meanwhile.
    pub async fn try_of(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        Ok(Self {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
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
