//! Batches of generated examples, built from the text itself.

use crate::{
    documents::{agent, ready},
    examples,
    helpers::{Client, ServerProcess, TestServer},
};
use cerebros_common::{
    agents::Agent,
    batches::{Batch, BatchEstimate, BatchItem, BatchItemStatus, BatchStatus, ItemErrorKind, PauseReason},
    documents::{Document, DocumentText},
    errors::ErrorCode,
    examples::{Example, ExampleOrigin, ExampleStatus, Grounding},
    notifications::{Notification, NotificationKind},
    wire::{CursorPage, Page},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::HashSet;

on_both_databases!(
    a_batch_makes_examples_of_every_chunk,
    a_target_is_met_from_all_over_the_documents,
    a_batch_rests_and_goes_on,
    a_cancelled_batch_keeps_what_it_has_made,
    what_failed_is_retried,
    failures_one_after_the_other_stop_a_batch,
    a_batch_ends_without_a_deleted_document,
    a_batch_that_cannot_be_is_refused,
    batches_survive_kills_of_the_server,
);

const BATCHES: &str = "/api/v1/batches";

/// About so many chunks of text.
pub fn text(chunks: usize) -> Vec<u8> {
    let line = |index: usize| {
        format!(
            "Shelf {index} of the northern archive holds the binders of the year {}, which nobody may take home \
             without the consent of keeper number {}.\n\n",
            1950 + index,
            index * 7
        )
    };
    (0..chunks * 27).map(line).collect::<String>().into_bytes()
}

/// A document of which no examples are made by themselves.
pub async fn reference(client: &Client, agent: &Agent, name: &str, chunks: usize) -> Document {
    ready(client, agent, "reference", name, &text(chunks)).await
}

pub fn path(batch: &Batch) -> String {
    format!("{BATCHES}/{}", batch.id)
}

pub async fn start(client: &Client, body: Value) -> Batch {
    let created = client.post(BATCHES, body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    created.data()
}

pub async fn rests(client: &Client, batch: &Batch) -> Batch {
    let at_rest = |batch: &Batch| batch.status != BatchStatus::Running && batch.progress.running == 0;
    client.wait(&path(batch), at_rest).await
}

pub async fn items(client: &Client, batch: &Batch, query: &str) -> Vec<BatchItem> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{}/items?limit=7{query}{cursor}", path(batch));
        let page: CursorPage<BatchItem> = client.get(&path).await.data();
        found.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// A batch of one document that has come to its end.
async fn done(client: &Client, agent: &Agent, document: &Document) -> Batch {
    let body = json!({"agent_id": agent.id, "document_ids": [document.id]});
    let batch = rests(client, &start(client, body).await).await;
    assert_eq!(batch.status, BatchStatus::Done);
    batch
}

/// Puts a batch back to where nothing was done yet.
pub async fn rewind(server: &TestServer, client: &Client, batch: &Batch) -> Batch {
    server.execute("delete from examples").await;
    server
        .execute("update batch_items set status = 'waiting', examples = 0")
        .await;
    let pause = r#"{"reason":"person","message":"For a test."}"#;
    server
        .execute(&format!("update batches set status = 'paused', pause = '{pause}'"))
        .await;
    client.get(&path(batch)).await.data()
}

fn counts(batch: &Batch) -> (u64, u64, u64, u64) {
    let of = &batch.progress;
    assert_eq!(of.total, of.waiting + of.running + of.done + of.failed + of.skipped);
    (of.total, of.done, of.failed, of.skipped)
}

async fn post(client: &Client, batch: &Batch, verb: &str) -> Batch {
    let answer = client.post_nothing(&format!("{}/{verb}", path(batch))).await;
    assert_eq!(answer.status, StatusCode::OK, "{verb}: {}", answer.text);
    answer.data()
}

async fn refused(client: &Client, batch: &Batch, verb: &str) {
    let answer = client.post_nothing(&format!("{}/{verb}", path(batch))).await;
    assert_eq!(answer.problem().error, ErrorCode::Conflict, "{verb}");
}

async fn a_batch_makes_examples_of_every_chunk(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 5).await;
    let body = json!({"agent_id": agent.id, "document_ids": [document.id], "per_chunk": 3, "judge": true});
    let estimate: BatchEstimate = member.post("/api/v1/batches/estimate", body.clone()).await.data();
    assert_eq!(
        (
            estimate.documents,
            estimate.chunks,
            estimate.per_chunk,
            estimate.examples
        ),
        (1, document.chunks, 3, 3 * document.chunks)
    );
    assert_eq!(
        (estimate.model, estimate.calls_max, estimate.cost_micros_max),
        (None, 0, None)
    );
    let none: Page<Batch> = member.get(BATCHES).await.data();
    assert_eq!(none.total, 0, "an estimate starts nothing");

    let started = start(&member, body).await;
    assert_eq!((started.status, started.judge), (BatchStatus::Running, false));
    let batch = rests(&member, &started).await;
    assert_eq!(batch.status, BatchStatus::Done);
    assert_eq!(counts(&batch), (document.chunks, document.chunks, 0, 0));
    assert!(batch.finished_at.is_some() && batch.pause.is_none());
    let made = examples::all(&member, &format!("document_id={}", document.id)).await;
    assert_eq!(made.len() as u64, batch.progress.examples);
    assert!(made.len() as u64 >= document.chunks, "{}", made.len());
    are_grounded(&member, &document, &batch, &made).await;
    let items = items(&member, &batch, "").await;
    assert_eq!(items.len() as u64, document.chunks);
    let chunks: HashSet<_> = items.iter().map(|item| item.chunk_id).collect();
    assert_eq!(chunks.len(), items.len());
    let stored: u64 = items.iter().map(|item| u64::from(item.examples)).sum();
    assert_eq!(stored, batch.progress.examples);
    let told: CursorPage<Notification> = member.get("/api/v1/notifications").await.data();
    assert!(
        told.items
            .iter()
            .any(|one| one.kind == NotificationKind::BatchFinished && one.subject_id == batch.id.0)
    );

    // The same words are not added twice.
    let again = json!({"agent_id": agent.id, "document_ids": [document.id], "per_chunk": 3});
    let again = rests(&member, &start(&member, again).await).await;
    assert_eq!((again.progress.examples, again.progress.done), (0, document.chunks));
    let of_agent: Page<Batch> = member.get(&format!("{BATCHES}?agent_id={}", agent.id)).await.data();
    assert_eq!(
        of_agent.items.iter().map(|one| one.id).collect::<Vec<_>>(),
        [again.id, batch.id]
    );
    let running: Page<Batch> = member.get(&format!("{BATCHES}?status=running")).await.data();
    assert_eq!(running.total, 0);
}

async fn are_grounded(client: &Client, document: &Document, batch: &Batch, made: &[Example]) {
    let path = format!("/api/v1/documents/{}/text?length=100000", document.id);
    let text: DocumentText = client.get(&path).await.data();
    let characters: Vec<char> = text.text.chars().collect();
    for example in made {
        assert_eq!(
            (example.status, example.origin, example.batch_id),
            (ExampleStatus::Pending, ExampleOrigin::Extractive, Some(batch.id))
        );
        let source = example.source.as_ref().unwrap();
        let span: String = characters[source.start as usize..source.end as usize].iter().collect();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&span), words(&source.quote));
        assert_eq!(example.grounding, Grounding::Grounded);
        let lost: u32 = example.findings.iter().map(|finding| u32::from(finding.points)).sum();
        assert_eq!(u32::from(example.score), 100_u32.saturating_sub(lost));
    }
}

async fn a_target_is_met_from_all_over_the_documents(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 20).await;
    let body = json!({"agent_id": agent.id, "document_ids": [document.id], "target_count": 7, "per_chunk": 2});
    let batch = rests(&member, &start(&member, body).await).await;
    assert_eq!((batch.status, batch.progress.examples), (BatchStatus::Done, 7));
    assert!(
        batch.progress.skipped > 5 && batch.progress.failed == 0,
        "{:?}",
        batch.progress
    );
    let made = examples::all(&member, "").await;
    assert_eq!(made.len(), 7);
    let starts: Vec<u64> = made
        .iter()
        .map(|example| example.source.as_ref().unwrap().start)
        .collect();
    let (first, last) = (starts.iter().min().unwrap(), starts.iter().max().unwrap());
    assert!(last - first > document.characters.unwrap() / 2, "{starts:?}");
}

async fn a_batch_rests_and_goes_on(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 120).await;
    let started = start(&member, json!({"agent_id": agent.id, "document_ids": [document.id]})).await;
    refused(&member, &started, "resume").await;
    refused(&member, &started, "retry").await;
    let paused = post(&member, &started, "pause").await;
    assert_eq!(paused.pause.unwrap().reason, PauseReason::Person);
    let resting = rests(&member, &started).await;
    assert_eq!(resting.status, BatchStatus::Paused);
    assert!(resting.progress.waiting > 0);
    refused(&member, &started, "pause").await;
    let resumed = post(&member, &started, "resume").await;
    assert_eq!((resumed.status, resumed.pause), (BatchStatus::Running, None));
    let batch = rests(&member, &started).await;
    assert_eq!(counts(&batch), (document.chunks, document.chunks, 0, 0));
    assert_eq!(examples::all(&member, "").await.len() as u64, batch.progress.examples);
    for verb in ["pause", "resume", "cancel", "retry"] {
        refused(&member, &batch, verb).await;
    }
}

async fn a_cancelled_batch_keeps_what_it_has_made(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 120).await;
    let body = json!({"agent_id": agent.id, "document_ids": [document.id], "per_chunk": 1});
    let started = start(&member, body).await;
    member
        .wait(&path(&started), |batch: &Batch| batch.progress.done > 0)
        .await;
    let cancelled = post(&member, &started, "cancel").await;
    assert_eq!(
        (cancelled.status, cancelled.progress.waiting),
        (BatchStatus::Cancelled, 0)
    );
    assert!(cancelled.progress.skipped > 0 && cancelled.finished_at.is_some());
    for verb in ["pause", "resume", "cancel", "retry"] {
        refused(&member, &cancelled, verb).await;
    }
    server.until_none_live("run_batch_item").await;
    let after: Batch = member.get(&path(&started)).await.data();
    assert_eq!(after.progress, cancelled.progress);
    assert_eq!(examples::all(&member, "").await.len() as u64, after.progress.examples);
}

/// Makes items point at chunks that are not there, or right again.
async fn break_items(server: &TestServer, which: &str) {
    server
        .execute(&format!("update batch_items set chunk_id = id where {which}"))
        .await;
}

async fn mend_items(server: &TestServer) {
    let sql = "update batch_items set chunk_id = (select chunks.id from chunks \
               where chunks.document_id = batch_items.document_id and chunks.idx = batch_items.idx)";
    server.execute(sql).await;
}

async fn what_failed_is_retried(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 10).await;
    let batch = done(&member, &agent, &document).await;
    let expected = batch.progress.examples;
    rewind(&server, &member, &batch).await;
    break_items(&server, "idx % 3 = 0").await;
    post(&member, &batch, "resume").await;
    let batch = rests(&member, &batch).await;
    let broken = document.chunks.div_ceil(3);
    assert_eq!(counts(&batch), (document.chunks, document.chunks - broken, broken, 0));
    let failed = items(&member, &batch, "&status=failed").await;
    assert_eq!(failed.len() as u64, broken);
    for item in &failed {
        assert_eq!(item.error.as_ref().unwrap().kind, ItemErrorKind::Permanent);
        assert_eq!(
            (item.status, item.round, item.examples),
            (BatchItemStatus::Failed, 1, 0)
        );
    }
    mend_items(&server).await;
    let retried = post(&member, &batch, "retry").await;
    assert_eq!((retried.status, retried.progress.failed), (BatchStatus::Running, 0));
    let batch = rests(&member, &batch).await;
    assert_eq!(counts(&batch), (document.chunks, document.chunks, 0, 0));
    assert_eq!(batch.progress.examples, expected);
    assert_eq!(examples::all(&member, "").await.len() as u64, expected);
    let rounds: u32 = items(&member, &batch, "").await.iter().map(|item| item.round).sum();
    assert_eq!(u64::from(rounds), document.chunks + broken);
}

async fn failures_one_after_the_other_stop_a_batch(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = reference(&member, &agent, "shelves.txt", 40).await;
    let batch = done(&member, &agent, &document).await;
    rewind(&server, &member, &batch).await;
    break_items(&server, "idx >= 0").await;
    post(&member, &batch, "resume").await;
    let batch = rests(&member, &batch).await;
    assert_eq!(batch.status, BatchStatus::Paused);
    assert_eq!(batch.pause.as_ref().unwrap().reason, PauseReason::Failures);
    let progress = &batch.progress;
    assert!(
        (20..24).contains(&progress.failed) && progress.waiting > 0,
        "{progress:?}"
    );
}

async fn a_batch_ends_without_a_deleted_document(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let gone = reference(&member, &agent, "gone.txt", 4).await;
    let stays = ready(&member, &agent, "reference", "stays.txt", &text(5)[1..]).await;
    let body = json!({"agent_id": agent.id, "document_ids": [gone.id, stays.id]});
    let batch = rests(&member, &start(&member, body).await).await;
    rewind(&server, &member, &batch).await;
    let deletion = json!({"subject": "document", "id": gone.id, "confirmation": "gone.txt"});
    assert_eq!(
        member.post("/api/v1/deletions", deletion).await.status,
        StatusCode::CREATED
    );
    let left: Batch = member.get(&path(&batch)).await.data();
    assert_eq!(left.progress.total, stays.chunks);
    post(&member, &batch, "resume").await;
    let batch = rests(&member, &batch).await;
    assert_eq!(counts(&batch), (stays.chunks, stays.chunks, 0, 0));
    let deletion = json!({"subject": "agent", "id": agent.id, "confirmation": agent.name});
    assert_eq!(
        member.post("/api/v1/deletions", deletion).await.status,
        StatusCode::CREATED
    );
    assert_eq!(member.get(&path(&batch)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.number("select count(*) from batch_items").await, 0);
}

async fn a_batch_that_cannot_be_is_refused(server: TestServer) {
    let member = server.member().await;
    let (mine, other) = (agent(&member).await, agent(&member).await);
    let nothing = member.post(BATCHES, json!({"agent_id": mine.id})).await.problem();
    assert_eq!(nothing.error, ErrorCode::Conflict, "{}", nothing.detail);
    let document = reference(&member, &other, "shelves.txt", 1).await;
    let foreign = json!({"agent_id": mine.id, "document_ids": [document.id]});
    assert_eq!(member.post(BATCHES, foreign).await.problem().error, ErrorCode::NotFound);
    server.execute("update documents set status = 'processing'").await;
    let unready = json!({"agent_id": other.id, "document_ids": [document.id]});
    let problem = member.post(BATCHES, unready).await.problem();
    assert_eq!(problem.error, ErrorCode::Conflict);
    assert!(problem.detail.contains("shelves.txt"), "{}", problem.detail);
    for (field, value) in [
        ("document_ids", json!([])),
        ("target_count", json!(0)),
        ("target_count", json!(100_001)),
        ("per_chunk", json!(0)),
        ("per_chunk", json!(21)),
    ] {
        let mut body = json!({"agent_id": mine.id});
        body[field] = value;
        for path in [BATCHES, "/api/v1/batches/estimate"] {
            let problem = member.post(path, body.clone()).await.problem();
            assert_eq!(
                (problem.error, problem.details[0].path.as_str()),
                (ErrorCode::InvalidRequest, field)
            );
        }
    }
    let cursor = format!("{BATCHES}/01900000-0000-7000-8000-000000000000/items?cursor=x");
    assert_eq!(member.get(&cursor).await.problem().details[0].path, "cursor");
}

/// A number from the environment, for a long run.
pub fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

async fn batches_survive_kills_of_the_server(server: TestServer) {
    let member = server.member().await;
    let of = agent(&member).await;
    let document = reference(&member, &of, "shelves.txt", setting("BATCH_ITEMS", 30)).await;
    done(&member, &of, &document).await;
    let essence = async |client: &Client| {
        let all = examples::all(client, "").await.into_iter();
        let mut all: Vec<_> = all.map(|one| (one.prompt, one.response)).collect();
        all.sort();
        all
    };
    let expected = essence(&member).await;

    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let of = agent(&client).await;
    let document = reference(&client, &of, "shelves.txt", setting("BATCH_ITEMS", 30)).await;
    let batch = start(&client, json!({"agent_id": of.id, "document_ids": [document.id]})).await;
    let kills = setting("BATCH_KILLS", 3) as u64;
    for kill in 1..=kills {
        let part = document.chunks * kill / (kills + 1);
        client
            .wait(&path(&batch), |batch: &Batch| batch.progress.done >= part)
            .await;
        process = process.kill_and_restart().await;
        client = process.client(&client);
    }
    let batch = rests(&client, &batch).await;
    assert_eq!(batch.status, BatchStatus::Done);
    assert_eq!(counts(&batch), (document.chunks, document.chunks, 0, 0));
    assert_eq!(essence(&client).await, expected);
}
