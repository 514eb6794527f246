//! `Idempotency-Key`: every operation that documents it, repeated, at once, with other content, and across kills.

use crate::{
    batches, comparisons, concepts, contract, generation,
    helpers::{Answer, Client, DEADLINE, Kind, ServerProcess, TestServer},
    model_exports,
    peer::{Asked, Peer, Turn},
    training::{built_in_base, end_of, ready_dataset, rows, start_job},
    uploads,
};
use cerebros_api::Config;
use cerebros_common::{
    agents::Agent,
    batches::Batch,
    comparisons::Comparison,
    datasets::Dataset,
    diagrams::Diagram,
    documents::{Chunk, Document, DocumentStatus},
    errors::ErrorCode,
    examples::Example,
    jobs::Job,
    models::Model,
    uploads::Upload,
    wire::{CursorPage, Page},
};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use std::collections::HashSet;

on_both_databases!(
    every_operation_has_one_effect_per_key,
    an_unusable_key_is_refused_by_name,
    a_failure_is_not_stored,
    a_key_belongs_to_one_person,
    answers_expire,
    bursts_across_kills_have_one_effect_each,
);

const HEADER: &str = "idempotency-key";
const BURST: usize = 8;
const WITH_MODEL: [&str; 2] = ["judge_comparison", "test_template"];
const NO_ROW: &str = "01900000-0000-7000-8000-000000000000";

/// What requests aim at.
struct Rows {
    agent: Agent,
    /// To be deleted.
    doomed: Agent,
    /// In status `error`.
    document: Document,
    /// With all its parts.
    upload: Upload,
    /// In status `ready`.
    read: Document,
    diagram: Diagram,
    dataset: Dataset,
    /// One of its rows was rejected.
    broken: Dataset,
    base: String,
    model: Model,
    /// With all its answers.
    comparison: Comparison,
    /// Cancelled.
    job: Job,
    /// Failed.
    failed_job: Job,
    /// Cancelled, and of OpenAI's wire.
    wire_job: Job,
    /// Paused.
    paused: Batch,
    /// Done, with a failed item.
    failed: Batch,
    example: Example,
    /// Ready.
    shelves: Document,
    /// One of its chunks.
    chunk: Chunk,
}

/// A request, one with other content, and what the first adds a row to.
struct Case {
    request: RequestBuilder,
    other: RequestBuilder,
    effect: &'static str,
}

async fn rows_of(server: &TestServer, member: &Client) -> Rows {
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Policies"})).await.data();
    let example = json!({"agent_id": agent.id, "prompt": "p", "response": "r"});
    let example: Example = member.post("/api/v1/examples", example).await.data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=reference", agent.id);
    let document: Document = member.upload(&upload, "broken.pdf", "%PDF-1.7\nbroken").await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    let document = member.wait(&path, |document: &Document| document.status == DocumentStatus::Error);
    let document = document.await;
    let dataset = ready_dataset(member, &rows(24)).await;
    let broken = ready_dataset(member, &(rows(1) + "{\n")).await;
    let job = start_job(member, &dataset, None, 100).await;
    member
        .post_nothing(&format!("/api/v1/jobs/{}/cancel", job.id))
        .await
        .data::<Job>();
    let wire_job = start_job(member, &dataset, None, 100).await;
    member
        .post_nothing(&format!("/api/v1/jobs/{}/cancel", wire_job.id))
        .await
        .data::<Job>();
    let failed_job = start_job(member, &dataset, None, 100).await;
    member
        .post_nothing(&format!("/api/v1/jobs/{}/cancel", failed_job.id))
        .await
        .data::<Job>();
    let failed_job = end_of(member, &failed_job).await;
    server
        .execute("update jobs set status = 'failed' where id = (select id from jobs order by id desc limit 1)")
        .await;
    let upload = uploads::begin(member, &agent, "note.txt", b"A note.").await;
    uploads::send_all(member, &upload, b"A note.").await;
    let doomed: Agent = member.post("/api/v1/agents", json!({"name": "Doomed"})).await.data();
    let diagram = json!({"title": "A", "source": "pie\n  \"a\": 1\n", "level": "beginner"});
    let saved = member.request(Method::PATCH, "/api/v1/templates/prose");
    let saved = saved
        .header(header::IF_MATCH, "*")
        .json(&json!({"instructions": "Ask."}));
    assert_eq!(Answer::of(saved).await.status, StatusCode::OK);
    let shelves = batches::reference(member, &agent, "shelves.txt", 1).await;
    let chunks: CursorPage<Chunk> = member
        .get(&format!("/api/v1/documents/{}/chunks", shelves.id))
        .await
        .data();
    let [failed, paused] = [0, 1].map(|_| json!({"agent_id": agent.id, "document_ids": [shelves.id]}));
    let failed = batches::start(member, failed).await;
    let failed = batches::rests(member, &failed).await;
    server.execute("update batch_items set status = 'failed'").await;
    let paused = batches::start(member, paused).await;
    let paused = batches::rests(member, &paused).await;
    server
        .execute("update batches set status = 'paused' where id = (select id from batches order by id desc limit 1)")
        .await;
    let model = model_exports::trained(member).await;
    Rows {
        comparison: comparisons::compared(member, &model, None, &["Shelf 3 holds what?"]).await,
        read: concepts::document(member, "read.txt", "Some words.").await,
        diagram: member.post("/api/v1/diagrams", diagram).await.data(),
        agent,
        doomed,
        document,
        upload,
        base: built_in_base(member).await.id.to_string(),
        model,
        job: end_of(member, &job).await,
        failed_job,
        wire_job: end_of(member, &wire_job).await,
        paused,
        failed,
        example,
        chunk: chunks.items.into_iter().next().unwrap(),
        shelves,
        dataset,
        broken,
    }
}

fn case(operation: &str, member: &Client, rows: &Rows) -> Option<Case> {
    let agent = rows.agent.id;
    let json = |path: &str, body: Value, other: Value, effect| {
        let request = |body: Value| member.request(Method::POST, path).json(&body);
        Some(Case {
            request: request(body),
            other: request(other),
            effect,
        })
    };
    let file = |path: &str, name: &str, text: &str, other: &str, effect| {
        Some(Case {
            request: member.upload_request(path, name, text),
            other: member.upload_request(path, name, other),
            effect,
        })
    };
    let nothing = |path: &str, id: String, effect| {
        let request = |id: &str| member.request(Method::POST, &path.replace("{id}", id));
        Some(Case {
            request: request(&id),
            other: request(NO_ROW),
            effect,
        })
    };
    match operation {
        "create_deletion" => json(
            "/api/v1/deletions",
            json!({"subject": "agent", "id": rows.doomed.id, "confirmation": "Doomed"}),
            json!({"subject": "agent", "id": agent, "confirmation": "Policies"}),
            "select count(*) from deletions",
        ),
        "create_agent" => json(
            "/api/v1/agents",
            json!({"name": "A"}),
            json!({"name": "B"}),
            "select count(*) from agents",
        ),
        "create_workspace" => json(
            "/api/v1/workspaces",
            json!({"name": "A"}),
            json!({"name": "B"}),
            "select count(*) from workspaces",
        ),
        "create_document" => file(
            &format!("/api/v1/documents?agent_id={agent}&kind=reference"),
            "notes.txt",
            "Some text.",
            "Another text.",
            "select count(*) from documents",
        ),
        "create_upload" => json(
            "/api/v1/uploads",
            json!({"agent_id": agent, "kind": "reference", "name": "a.txt", "size_bytes": 7}),
            json!({"agent_id": agent, "kind": "reference", "name": "b.txt", "size_bytes": 7}),
            "select count(*) from uploads",
        ),
        "complete_upload" => json(
            &format!("/api/v1/uploads/{}/complete", rows.upload.id),
            json!({}),
            json!({"sha256": "0".repeat(64)}),
            "select count(*) from tasks where name = 'complete_upload'",
        ),
        "retry_document" => nothing(
            "/api/v1/documents/{id}/retry",
            rows.document.id.to_string(),
            "select count(*) from tasks where name = 'extract_document'",
        ),
        "create_example" => json(
            "/api/v1/examples",
            json!({"agent_id": agent, "prompt": "p", "response": "r"}),
            json!({"agent_id": agent, "prompt": "p", "response": "s"}),
            "select count(*) from examples",
        ),
        "create_concept" => json(
            "/api/v1/concepts",
            json!({"document_id": rows.read.id, "name": "A", "level": "beginner", "importance": 1}),
            json!({"document_id": rows.read.id, "name": "B", "level": "beginner", "importance": 1}),
            "select count(*) from concepts",
        ),
        "find_document_concepts" => json(
            "/api/v1/concepts/find",
            json!({"document_id": rows.read.id}),
            json!({"document_id": rows.document.id}),
            "select count(*) from tasks where name = 'find_concepts'",
        ),
        "create_diagram" => json(
            "/api/v1/diagrams",
            json!({"title": "A", "source": "pie\n  \"a\": 1\n", "level": "beginner"}),
            json!({"title": "B", "source": "pie\n  \"a\": 1\n", "level": "beginner"}),
            "select count(*) from diagrams",
        ),
        "create_conversation" => json(
            "/api/v1/conversations",
            json!({"agent_id": agent}),
            json!({"agent_id": agent, "title": "B"}),
            "select count(*) from conversations",
        ),
        "draw_diagrams" => json(
            "/api/v1/diagrams/draw",
            json!({"from": "text", "title": "A", "text": "- a\n- b\n"}),
            json!({"from": "text", "title": "B", "text": "- a\n- b\n"}),
            "select count(*) from diagrams",
        ),
        "retry_diagram" => nothing(
            "/api/v1/diagrams/{id}/retry",
            rows.diagram.id.to_string(),
            "select count(*) from tasks where name = 'draw_diagram'",
        ),
        "split_example" => {
            let path = format!("/api/v1/examples/{}/split", rows.example.id);
            let request = |last: &str| {
                let parts = json!([{"prompt": "a", "response": "b"}, {"prompt": "c", "response": last}]);
                let request = member.request(Method::POST, &path).header(header::IF_MATCH, "*");
                request.json(&json!({"parts": parts}))
            };
            Some(Case {
                request: request("d"),
                other: request("e"),
                effect: "select count(*) from examples",
            })
        }
        "create_dataset" => json(
            "/api/v1/datasets",
            json!({"agent_id": agent, "name": "D"}),
            json!({"agent_id": agent, "name": "E"}),
            "select count(*) from datasets",
        ),
        "upload_dataset" => file(
            "/api/v1/datasets/upload",
            "rows.jsonl",
            "{}",
            "{ }",
            "select count(*) from datasets",
        ),
        "repair_dataset" => nothing(
            "/api/v1/datasets/{id}/repair",
            rows.broken.id.to_string(),
            "select count(*) from datasets",
        ),
        "create_dataset_version" => json(
            &format!("/api/v1/datasets/{}/versions", rows.dataset.id),
            json!({"format": "sharegpt"}),
            json!({"format": "alpaca"}),
            "select count(*) from datasets",
        ),
        "create_base" => json(
            "/api/v1/bases",
            json!({"hub_id": "somebody/something"}),
            json!({"hub_id": "somebody/else"}),
            "select count(*) from bases",
        ),
        "create_job" => json(
            "/api/v1/jobs",
            json!({"dataset_id": rows.dataset.id, "base_id": rows.base}),
            json!({"dataset_id": rows.dataset.id, "base_id": rows.base, "agent_id": agent}),
            "select count(*) from jobs",
        ),
        "create_training" => json(
            &format!("/api/v1/agents/{agent}/training"),
            json!({"base_id": rows.base, "parameters": {"epochs": 100}}),
            json!({"base_id": rows.base, "parameters": {"epochs": 99}}),
            "select count(*) from trainings",
        ),
        "create_model_export" => json(
            &format!("/api/v1/models/{}/exports", rows.model.id),
            json!({"kind": "peft"}),
            json!({"kind": "gguf"}),
            "select count(*) from model_exports",
        ),
        "create_comparison" => json(
            "/api/v1/comparisons",
            json!({"model_id": rows.model.id, "prompts": ["a"]}),
            json!({"model_id": rows.model.id, "prompts": ["b"]}),
            "select count(*) from comparisons",
        ),
        "judge_comparison" => nothing(
            "/api/v1/comparisons/{id}/judge",
            rows.comparison.id.to_string(),
            "select count(*) from tasks where name = 'judge_comparison'",
        ),
        "create_batch" => json(
            "/api/v1/batches",
            json!({"agent_id": agent, "document_ids": [rows.shelves.id]}),
            json!({"agent_id": agent, "document_ids": [rows.shelves.id], "per_chunk": 1}),
            "select count(*) from batches",
        ),
        "resume_batch" => nothing(
            "/api/v1/batches/{id}/resume",
            rows.paused.id.to_string(),
            "select count(*) from audit where noun = 'batch' and action = 'resumed'",
        ),
        "retry_batch" => nothing(
            "/api/v1/batches/{id}/retry",
            rows.failed.id.to_string(),
            "select count(*) from audit where noun = 'batch' and action = 'retried'",
        ),
        "test_template" => json(
            "/api/v1/templates/prose/test",
            json!({"chunk_id": rows.chunk.id}),
            json!({"chunk_id": rows.chunk.id, "instructions": "Ask why."}),
            "select count(*) from llm_calls where purpose = 'example'",
        ),
        "restore_template" => json(
            "/api/v1/templates/prose/restore",
            json!({"version": 1}),
            json!({"version": 2}),
            "select count(*) from template_versions",
        ),
        "create_file" => {
            let request =
                |text: &str| member.form_request("/v1/files", "rows.jsonl", text, &[("purpose", "fine-tune")]);
            Some(Case {
                request: request("{}"),
                other: request("{ }"),
                effect: "select count(*) from datasets",
            })
        }
        "create_fine_tuning_job" => {
            let order = |suffix: &str| {
                let (model, file) = (format!("base:{}", rows.base), format!("file-{}", rows.dataset.id));
                json!({"model": model, "training_file": file, "suffix": suffix})
            };
            json(
                "/v1/fine_tuning/jobs",
                order("a"),
                order("b"),
                "select count(*) from jobs",
            )
        }
        "resume_fine_tuning_job" => nothing(
            "/v1/fine_tuning/jobs/ftjob-{id}/resume",
            rows.wire_job.id.to_string(),
            "select count(*) from tasks where name = 'train_job'",
        ),
        "retry_job" => nothing(
            "/api/v1/jobs/{id}/retry",
            rows.failed_job.id.to_string(),
            "select count(*) from tasks where name = 'train_job'",
        ),
        "resume_job" => nothing(
            "/api/v1/jobs/{id}/resume",
            rows.job.id.to_string(),
            "select count(*) from tasks where name = 'train_job'",
        ),
        _ => None,
    }
}

fn again(request: &RequestBuilder, key: &str) -> RequestBuilder {
    request.try_clone().unwrap().header(HEADER, key)
}

/// Status, headers and bytes that a repeated request gets again.
fn essence(answer: &Answer) -> (StatusCode, Vec<Option<String>>, Vec<u8>) {
    let names = ["content-type", "location", "etag"];
    let headers = names.map(|name| answer.header(name).map(str::to_owned));
    (answer.status, headers.to_vec(), answer.bytes.clone())
}

/// On both surfaces.
fn refusal(answer: &Answer) -> ErrorCode {
    let refused: Value = serde_json::from_str(&answer.text).unwrap();
    match &refused["error"] {
        Value::Object(error) => serde_json::from_value(error["code"].clone()).unwrap(),
        _ => answer.problem().error,
    }
}

async fn every_operation_has_one_effect_per_key(server: TestServer) {
    let reach = |config: &mut Config| config.networks = vec!["127.0.0.0/8".parse().unwrap()];
    let server = server.restart_with(reach).await;
    // It writes examples, and judges nothing.
    let plan = |asked: &Asked| match asked.user.starts_with("=====PASSAGE") {
        true => Turn::Good,
        false => Turn::Refused,
    };
    let peer = Peer::start(plan, generation::write).await;
    let member = server.member().await;
    let rows = rows_of(&server, &member).await;
    server
        .execute("update diagrams set status = 'failed', origin = 'extractive'")
        .await;
    let documented = contract::operations(&contract::document())
        .into_iter()
        .filter(|(_, _, operation)| {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.any(|parameter| parameter["name"] == "Idempotency-Key")
        });
    let ids = documented.map(|(_, _, operation)| (operation["operationId"].as_str().unwrap().to_owned(), operation));
    // Those last that need a language model: the others do without.
    let (last, first): (Vec<_>, Vec<_>) = ids.partition(|(id, _)| WITH_MODEL.contains(&id.as_str()));
    let mut seen = 0;
    for (id, operation) in first.iter().chain(&last) {
        if seen == first.len() {
            generation::use_model(&member, &server.config.database_url, &peer).await;
        }
        let case = case(id, &member, &rows).unwrap_or_else(|| panic!("{id} has no entry in the idempotency test"));
        assert!(operation["responses"]["422"].is_object(), "{id} does not document 422");
        let before = server.number(case.effect).await;
        let burst = join_all((0..BURST).map(|_| Answer::of(again(&case.request, id)))).await;
        let (answered, refused): (Vec<_>, Vec<_>) = burst.iter().partition(|answer| answer.status.is_success());
        let first = essence(answered.first().unwrap_or_else(|| panic!("{id}: {}", burst[0].text)));
        assert!(
            answered.iter().all(|answer| essence(answer) == first),
            "{id}: other bytes"
        );
        let worked = answered
            .iter()
            .filter(|answer| answer.header("idempotency-replayed").is_none());
        assert_eq!(worked.count(), 1, "{id}");
        for answer in refused {
            assert_eq!(refusal(answer), ErrorCode::InFlight, "{id}: {}", answer.text);
            assert_eq!(answer.header("retry-after"), Some("1"), "{id}");
        }
        let repeated = Answer::of(again(&case.request, id)).await;
        assert_eq!(
            repeated.header("idempotency-replayed"),
            Some("true"),
            "{id}: {}",
            repeated.text
        );
        assert_eq!(essence(&repeated), first, "{id}");
        let other = Answer::of(again(&case.other, id)).await;
        assert_eq!(refusal(&other), ErrorCode::IdempotencyKeyReused, "{id}");
        assert_eq!(server.number(case.effect).await, before + 1, "{id}: {}", case.effect);
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
    server.stop().await;
}

async fn an_unusable_key_is_refused_by_name(server: TestServer) {
    let member = server.member().await;
    let create = |keys: &[&str]| {
        let request = member
            .request(Method::POST, "/api/v1/agents")
            .json(&json!({"name": "A"}));
        keys.iter().fold(request, |request, key| request.header(HEADER, *key))
    };
    for keys in [&[""][..], &["two words"], &["ä"], &[&"k".repeat(256)], &["one", "two"]] {
        let problem = Answer::of(create(keys)).await.problem();
        assert_eq!(problem.details[0].path, "Idempotency-Key", "{keys:?}");
    }
    assert_eq!(
        Answer::of(create(&[&"k".repeat(255)])).await.status,
        StatusCode::CREATED
    );
}

async fn a_failure_is_not_stored(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let build = || {
        let body = json!({"agent_id": agent.id, "name": "D"});
        Answer::of(
            member
                .request(Method::POST, "/api/v1/datasets")
                .json(&body)
                .header(HEADER, "build"),
        )
    };
    assert_eq!(build().await.problem().error, ErrorCode::Conflict);
    let example = json!({"agent_id": agent.id, "prompt": "p", "response": "r"});
    member.post("/api/v1/examples", example).await.data::<Example>();
    let built = build().await;
    assert_eq!(
        (built.status, built.header("idempotency-replayed")),
        (StatusCode::CREATED, None)
    );
}

async fn a_key_belongs_to_one_person(server: TestServer) {
    let create = async |client: &Client| {
        let request = client
            .request(Method::POST, "/api/v1/agents")
            .json(&json!({"name": "A"}));
        Answer::of(request.header(HEADER, "same")).await
    };
    let (member, stranger) = (server.member().await, server.stranger().await);
    let (first, second) = (create(&member).await, create(&stranger).await);
    assert_eq!(second.header("idempotency-replayed"), None);
    assert_ne!(
        first.header(header::LOCATION.as_str()),
        second.header(header::LOCATION.as_str())
    );
}

async fn answers_expire(server: TestServer) {
    let member = server.member().await;
    for key in ["old", "young"] {
        let request = member
            .request(Method::POST, "/api/v1/agents")
            .json(&json!({"name": key}));
        assert_eq!(
            Answer::of(request.header(HEADER, key)).await.status,
            StatusCode::CREATED
        );
    }
    let age = "update idempotency_keys set created_at = '2020-01-01 00:00:00+00:00' where key = 'old'";
    server.execute(age).await;
    let id = match server.kind {
        Kind::Sqlite => "x'01900000000070008000000000000000'".to_owned(),
        Kind::Postgres => format!("'{NO_ROW}'"),
    };
    let tidy = format!(
        "insert into tasks (id, queue, name, payload, status, run_at, attempts, max_attempts, created_at) \
         values ({id}, 'default', 'tidy', '{{}}', 'queued', 0, 0, 3, 0)"
    );
    server.execute(&tidy).await;
    // Tidying up changes nothing that clients hear of.
    let gone = async {
        while server
            .number("select count(*) from idempotency_keys where key = 'old'")
            .await
            > 0
        {}
    };
    tokio::time::timeout(DEADLINE, gone).await.unwrap();
    assert_eq!(server.number("select count(*) from idempotency_keys").await, 1);
}

/// How many bursts; set it to 1000 for a long run.
fn bursts() -> usize {
    std::env::var("IDEMPOTENCY_BURSTS").map_or(4, |count| count.parse().unwrap())
}

async fn bursts_across_kills_have_one_effect_each(server: TestServer) {
    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    for burst in 0..bursts() {
        let name = format!("burst {burst}");
        let create = |client: &Client| {
            let request = client
                .request(Method::POST, "/api/v1/agents")
                .json(&json!({"name": name}));
            request.header(HEADER, format!("burst-{burst}"))
        };
        let mut sent: Vec<_> = (0..BURST)
            .map(|_| tokio::spawn(Answer::try_of(create(&client))))
            .collect();
        let mut answers = Vec::new();
        // So that the kills fall on different moments of the work.
        for answer in sent.drain(..burst % (BURST + 1)) {
            answers.push(answer.await.unwrap());
        }
        process = process.kill_and_restart().await;
        for answer in sent {
            answers.push(answer.await.unwrap());
        }
        client = process.client(&client);
        answers.extend(join_all((0..BURST).map(|_| Answer::try_of(create(&client)))).await);
        answers.push(Answer::try_of(create(&client)).await);
        let last = answers.last().unwrap().as_ref().unwrap();
        assert_eq!(last.status, StatusCode::CREATED, "{}", last.text);
        let mut bytes = HashSet::new();
        for answer in answers.iter().flatten() {
            match answer.status {
                StatusCode::CREATED => drop(bytes.insert(essence(answer).2)),
                _ => assert_eq!(answer.problem().error, ErrorCode::InFlight),
            }
        }
        assert_eq!(bytes.len(), 1, "{name}: answers differ");
        let path = format!("/api/v1/agents?search=burst%20{burst}&limit=100");
        let found: Page<Agent> = client.get(&path).await.data();
        let count = found.items.iter().filter(|agent| agent.name == name).count();
        assert_eq!(count, 1, "{name}");
    }
}
