//! Asking a scripted provider.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use super::{Ask, AskError, Reply, ask};
use crate::{Config, Parts, Running, start, state::App};
use cerebros_common::{
    llm_calls::{CallOutcome, Category, LlmCall, LlmCallQuery, Purpose, Severity},
    llm_settings::{LlmProvider, LlmSettingsUpdate},
    wire::CursorPage,
};
use cerebros_db::{self as db, Scope, llm_calls::Begin, llm_calls::Question};
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

/// Answers in turn; the last one again and again.
struct Script {
    answers: Vec<ResponseTemplate>,
    next: AtomicUsize,
}

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let next = self.next.fetch_add(1, Ordering::SeqCst);
        self.answers[next.min(self.answers.len() - 1)].clone()
    }
}

struct Scene {
    running: Running,
    peer: MockServer,
    scope: Scope,
    _data: TempDir,
}

impl Scene {
    async fn new(answers: Vec<ResponseTemplate>) -> Self {
        let data = TempDir::new().unwrap();
        let directory = data.path().display().to_string();
        let config = Config::read(|name| match name {
            "DATA_DIR" => Some(directory.clone()),
            "BIND" => Some("127.0.0.1:0".to_owned()),
            "ALLOWED_NETWORKS" => Some("127.0.0.0/8".to_owned()),
            "LLM_RETRY_WAITS_MS" => Some("0,0,0,0".to_owned()),
            _ => None,
        });
        let running = start(config.unwrap(), Parts::All).await.unwrap();
        let peer = MockServer::start().await;
        let script = Script {
            answers,
            next: AtomicUsize::new(0),
        };
        Mock::given(any()).respond_with(script).mount(&peer).await;
        let workspace = Uuid::now_v7();
        let sql = format!(
            "insert into workspaces (id, name, personal, event_seq, created_at, version) \
             values (x'{}', 'W', false, 0, '2026-01-01T00:00:00+00:00', 1)",
            workspace.simple()
        );
        let app = &running.app;
        app.db.write_connection().execute_unprepared(&sql).await.unwrap();
        let scope = Scope::system(workspace.into());
        let settings = LlmSettingsUpdate {
            provider: LlmProvider::Openai,
            base_url: Some(peer.uri()),
            model: Some("small-1".to_owned()),
            parallel_calls: None,
        };
        let mut write = app.db.write(&scope).await.unwrap();
        db::llm_settings::put(&mut write, None, &settings).await.unwrap();
        write.commit().await.unwrap();
        Self {
            running,
            peer,
            scope,
            _data: data,
        }
    }

    fn app(&self) -> &Arc<App> {
        &self.running.app
    }

    async fn ask(&self, key: &str) -> Result<Reply, AskError> {
        ask(self.app(), &self.scope, &CancellationToken::new(), question(key)).await
    }

    async fn calls(&self) -> Vec<LlmCall> {
        let query = LlmCallQuery::default();
        let page: CursorPage<LlmCall> = db::llm_calls::list(&self.scope, &self.app().db, &query, None, 100)
            .await
            .unwrap();
        page.items
    }

    /// The idempotency keys that the provider got, in their order.
    async fn keys(&self) -> Vec<String> {
        let requests = self.peer.received_requests().await.unwrap();
        let key = |request: &Request| request.headers["idempotency-key"].to_str().unwrap().to_owned();
        requests.iter().map(key).collect()
    }

    /// As if the server had stopped while the question was under way.
    async fn interrupt(&self, key: &str) -> Begin {
        let question = Question {
            key: key.to_owned(),
            purpose: Purpose::Example,
            subject_id: self.scope.workspace_id.0,
            document_id: None,
            provider: LlmProvider::Openai,
            model: "small-1".to_owned(),
        };
        let mut write = self.app().db.write(&self.scope).await.unwrap();
        let begun = db::llm_calls::begin(&mut write, &question).await.unwrap();
        write.commit().await.unwrap();
        begun
    }
}

fn question(key: &str) -> Ask {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    Ask {
        purpose: Purpose::Example,
        subject_id: Uuid::nil(),
        document_id: None,
        key: key.to_owned(),
        system: "Answer.".to_owned(),
        user: "Who?".to_owned(),
        schema: Some(("answer", schema)),
        max_tokens: 50,
    }
}

fn answer(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "choices": [{"finish_reason": "stop", "message": {"content": content}}],
    }))
}

fn ada() -> ResponseTemplate {
    answer("{\"name\": \"Ada\"}")
}

fn error(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

#[tokio::test]
async fn a_question_is_paid_once_however_often_it_is_asked() {
    let scene = Scene::new(vec![ada()]).await;
    let (a, b, c) = tokio::join!(scene.ask("one"), scene.ask("one"), scene.ask("one"));
    for reply in [a, b, c, scene.ask("one").await] {
        assert_eq!(reply.unwrap().value, Some(json!({"name": "Ada"})));
    }
    assert_eq!(scene.keys().await.len(), 1);
    scene.ask("two").await.unwrap();
    assert_eq!(scene.keys().await.len(), 2);
}

#[tokio::test]
async fn every_attempt_is_on_record() {
    let script = vec![error(429), error(500), answer("{\"name\": \"Ad"), answer("{}"), ada()];
    let scene = Scene::new(script).await;
    let reply = scene.ask("one").await.unwrap();
    assert_eq!(
        (reply.usage.prompt_tokens, reply.usage.completion_tokens),
        (30, 15),
        "of all answers"
    );
    let call = &scene.calls().await[0];
    assert_eq!(
        (call.outcome, call.maybe_paid_twice, &call.error),
        (CallOutcome::Answered, false, &None)
    );
    let statuses: Vec<_> = call.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(429), Some(500), Some(200), Some(200), None]);
    let keys = scene.keys().await;
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "no answer came yet: {keys:?}");
    assert!(keys[2] != keys[3] && keys[3] != keys[4], "an answer came: {keys:?}");
}

#[tokio::test]
async fn a_failed_question_may_be_asked_again() {
    let scene = Scene::new(vec![error(401), ada()]).await;
    let AskError::Failed { category, severity, .. } = scene.ask("one").await.unwrap_err() else {
        panic!()
    };
    assert_eq!((category, severity), (Category::Authentication, Severity::Critical));
    assert_eq!(scene.calls().await[0].outcome, CallOutcome::Failed);
    scene.ask("one").await.unwrap();
    assert_eq!(scene.calls().await[0].attempts.len(), 2);
}

#[tokio::test]
async fn what_was_under_way_at_a_crash_is_asked_once_more() {
    let scene = Scene::new(vec![ada()]).await;
    let Begin::Send(begun) = scene.interrupt("one").await else {
        panic!()
    };
    scene.ask("one").await.unwrap();
    assert_eq!(scene.keys().await, [begun.idempotency_key]);
    let call = &scene.calls().await[0];
    assert!(call.maybe_paid_twice && call.outcome == CallOutcome::Answered && call.attempts.len() == 2);
    // Twice interrupted, it waits for a person.
    scene.interrupt("two").await;
    scene.interrupt("two").await;
    let failed = scene.ask("two").await.unwrap_err();
    assert!(
        matches!(
            failed,
            AskError::Failed {
                category: Category::Permanent,
                ..
            }
        ),
        "{failed:?}"
    );
    assert_eq!(scene.keys().await.len(), 1);
    scene.ask("two").await.unwrap();
}

#[tokio::test]
async fn an_answer_is_stored_though_nobody_waits_for_it() {
    let scene = Scene::new(vec![ada().set_delay(Duration::from_millis(300))]).await;
    let token = CancellationToken::new();
    let (interrupted, ()) = tokio::join!(ask(scene.app(), &scene.scope, &token, question("one")), async {
        while scene.keys().await.is_empty() {
            tokio::task::yield_now().await;
        }
        token.cancel();
    });
    assert!(matches!(interrupted, Err(AskError::Interrupted)));
    scene.ask("one").await.unwrap();
    assert_eq!(scene.keys().await.len(), 1);
    assert!(!scene.calls().await[0].maybe_paid_twice);
}

#[tokio::test]
async fn calls_wait_where_the_provider_would_refuse_them() {
    let limited = ada()
        .insert_header("x-ratelimit-limit-requests", "10")
        .insert_header("x-ratelimit-remaining-requests", "0")
        .insert_header("x-ratelimit-reset-requests", "400ms");
    let scene = Scene::new(vec![limited, ada()]).await;
    scene.ask("one").await.unwrap();
    let since = Instant::now();
    scene.ask("two").await.unwrap();
    assert!(since.elapsed() >= Duration::from_millis(200), "{:?}", since.elapsed());
}

#[tokio::test]
async fn without_a_model_nothing_is_asked() {
    let scene = Scene::new(vec![ada()]).await;
    let settings = LlmSettingsUpdate {
        provider: LlmProvider::Extractive,
        base_url: None,
        model: None,
        parallel_calls: None,
    };
    let mut write = scene.app().db.write(&scene.scope).await.unwrap();
    db::llm_settings::put(&mut write, None, &settings).await.unwrap();
    write.commit().await.unwrap();
    assert!(matches!(scene.ask("one").await, Err(AskError::NoModel)));
    assert!(super::chosen(scene.app(), &scene.scope).await.unwrap().is_none());
    assert!(scene.calls().await.is_empty());
}
