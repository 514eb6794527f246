//! `kill -9` of the whole server at many moments: after a restart the work ends as if nothing had happened.

use crate::{
    batches::setting,
    helpers::{Client, ServerProcess, TestServer, TrainerProcess, fixture},
    training::{built_in_base, end_of, ready_dataset, rows, start_job},
};
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentStatus},
    examples::Example,
    jobs::{Job, JobStatus, MetricPoint},
    models::Model,
    wire::{CursorPage, Page},
};
use serde_json::json;
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

on_both_databases!(
    documents_survive_kills_of_the_server,
    training_survives_kills_of_the_server
);

/// A dead server's work goes on within this time of the restart.
const GOES_ON_WITHIN: Duration = Duration::from_secs(10);

async fn upload_two(client: &Client) -> Agent {
    let agent: Agent = client.post("/api/v1/agents", json!({"name": "Policies"})).await.data();
    for name in ["remote-work-policy.pdf", "project-handbook.docx"] {
        let path = format!("/api/v1/documents?agent_id={}&kind=work_product", agent.id);
        client.upload(&path, name, fixture(name)).await.data::<Document>();
    }
    agent
}

/// Waits until both documents are read and their examples built.
async fn settled(client: &Client, agent: &Agent) -> Vec<Document> {
    let path = format!("/api/v1/documents?agent_id={}", agent.id);
    let done = |page: &Page<Document>| page.items.iter().all(|document| document.examples > 0);
    client.wait(&path, done).await.items
}

async fn examples_of(client: &Client, agent: &Agent) -> Vec<(String, u64, u64)> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/examples?agent_id={}&limit=100{cursor}", agent.id);
        let page: CursorPage<Example> = client.get(&path).await.data();
        found.extend(page.items.into_iter().map(|example| {
            let source = example.source.unwrap();
            (
                format!("{}: {}", source.document_name, example.prompt),
                source.start,
                source.end,
            )
        }));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.sort();
    found
}

async fn documents_survive_kills_of_the_server(server: TestServer) {
    let member = server.member().await;
    let agent = upload_two(&member).await;
    settled(&member, &agent).await;
    let expected = examples_of(&member, &agent).await;

    let process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let agent = upload_two(&client).await;
    let mut process = process;
    for reads in [0, 4, 12, 24, 40] {
        // So that the kills fall on different moments of the work.
        for _ in 0..reads {
            client.get("/api/v1/documents").await.data::<Page<Document>>();
        }
        process = process.kill_and_restart().await;
        client = process.client(&client);
    }
    let documents = settled(&client, &agent).await;
    assert!(
        documents
            .iter()
            .all(|document| document.status == DocumentStatus::Ready)
    );
    let examples = examples_of(&client, &agent).await;
    assert_eq!(
        examples.iter().collect::<HashSet<_>>().len(),
        examples.len(),
        "no example twice"
    );
    assert_eq!(examples, expected);
}

/// `TRAIN_KILLS` says how often, at random steps.
async fn training_survives_kills_of_the_server(server: TestServer) {
    let kills = setting("TRAIN_KILLS", 2);
    let epochs = (kills as u32).clamp(8, 100);
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, epochs).await;
    let job = end_of(&member, &job).await;
    let expected = (adapter_of(&member, &job).await, metrics_of(&member, &job).await);
    let total = job.plan.unwrap().total_steps;
    assert_eq!(expected.1.len() as u64, total + 1);

    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let dataset = ready_dataset(&client, &rows(24)).await;
    assert_eq!(built_in_base(&client).await.name, "cerebros-tiny");
    let job = start_job(&client, &dataset, None, epochs).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    let mut moments: Vec<u64> = (0..kills).map(|_| rand::random_range(1..total - 4)).collect();
    moments.sort_unstable();
    for step in &moments {
        client.wait(&path, |job: &Job| job.step >= *step).await;
        process = process.kill_and_restart().await;
        client = process.client(&client);
        let restarted = Instant::now();
        let running = || async { TrainerProcess::of(&job) };
        while running().await.is_none() {
            // A trainer may reach its end before it notices that its server is gone.
            if client.get(&path).await.data::<Job>().status.is_over() {
                break;
            }
            assert!(restarted.elapsed() < GOES_ON_WITHIN, "training did not go on in time");
            tokio::task::yield_now().await;
        }
    }
    let job = end_of(&client, &job).await;
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    assert_eq!(
        adapter_of(&client, &job).await,
        expected.0,
        "another adapter, killed at {moments:?}"
    );
    assert_eq!(
        metrics_of(&client, &job).await,
        expected.1,
        "other metrics, killed at {moments:?}"
    );
}

async fn adapter_of(client: &Client, job: &Job) -> String {
    let model: Model = client
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data();
    model.sha256
}

/// What does not depend on the machine: step, loss and validation loss, as bits.
async fn metrics_of(client: &Client, job: &Job) -> Vec<(u64, Option<u64>, Option<u64>)> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/jobs/{}/metrics?limit=2000{cursor}", job.id);
        let page: CursorPage<MetricPoint> = client.get(&path).await.data();
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        found.extend(
            page.items
                .iter()
                .map(|point| (point.step, bits(point.loss), bits(point.validation_loss))),
        );
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}
