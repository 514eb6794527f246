//! Checkpoints whose adapters are kept: downloaded, and answering under their names on OpenAI's wire.

use crate::{
    files::create,
    fine_tuning::{JOBS, once, order, path, start},
    helpers::{Client, TestServer},
    jobs,
    training::{end_of, ready_dataset, rows, start_job},
    wire::{body, completion, items, refusal, shaped},
};
use cerebros_common::{
    errors::ErrorCode,
    jobs::{Checkpoint, Job, JobStatus, KEPT_ADAPTERS},
    models::Model,
    wire::CursorPage,
};
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{Cursor, Read};

on_both_databases!(
    adapters_are_kept_and_go_with_the_model,
    a_checkpoint_answers_before_its_job_is_over,
    nothing_is_kept_of_a_job_that_is_cancelled,
);

async fn list(client: &Client, job: &Job) -> Vec<Checkpoint> {
    let found = client.get(&format!("{}/checkpoints", jobs::path(job))).await;
    found.data::<CursorPage<Checkpoint>>().items
}

pub fn adapter(job: &Job, checkpoint: &Checkpoint) -> String {
    format!("{}/checkpoints/{}/adapter", jobs::path(job), checkpoint.step)
}

/// Those of a job whose adapter is kept.
pub async fn kept(client: &Client, job: &Job) -> Vec<Checkpoint> {
    let mut found = list(client, job).await;
    found.retain(|checkpoint| checkpoint.adapter_bytes.is_some());
    found
}

async fn adapters_are_kept_and_go_with_the_model(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, 16).await;
    let job = end_of(&member, &job).await;
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    let (all, some) = (list(&member, &job).await, kept(&member, &job).await);
    assert!(all.len() > KEPT_ADAPTERS && (1..=KEPT_ADAPTERS).contains(&some.len()));
    // The last one is the model.
    assert_eq!(all.last(), some.last());
    let last = some.last().unwrap();
    let path = adapter(&job, last);
    let archive = member.get(&path).await;
    assert_eq!(Some(archive.bytes.len() as u64), last.adapter_bytes);
    let mut archive = zip::ZipArchive::new(Cursor::new(archive.bytes)).unwrap();
    let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors"]);
    let mut weights = Vec::new();
    let mut file = archive.by_name("adapter_model.safetensors").unwrap();
    file.read_to_end(&mut weights).unwrap();
    let model: Model = member
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data();
    assert_eq!(hex::encode(Sha256::digest(&weights)), model.sha256);

    let thinned = all
        .iter()
        .find(|checkpoint| checkpoint.adapter_bytes.is_none())
        .unwrap();
    let missing = member.get(&adapter(&job, thinned)).await.problem();
    assert_eq!(missing.error, ErrorCode::NotFound);
    assert!(missing.detail.contains("is not kept"), "{}", missing.detail);
    let stranger = server.stranger().await;
    assert_eq!(stranger.get(&path).await.problem().error, ErrorCode::NotFound);

    let blobs = server.config.data_dir.join("blobs/checkpoints");
    let stored = || {
        let workspaces = std::fs::read_dir(&blobs).unwrap();
        let files = workspaces.flat_map(|workspace| std::fs::read_dir(workspace.unwrap().path()).unwrap());
        files.count()
    };
    assert_eq!(stored(), some.len(), "what is thinned out is removed");
    let deleted = member.delete(&format!("/api/v1/models/{}", model.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!((stored(), kept(&member, &job).await.len()), (0, 0));
    assert_eq!(member.get(&path).await.problem().error, ErrorCode::NotFound);
}

async fn a_checkpoint_answers_before_its_job_is_over(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &rows(48)).await;
    let job = start(&member, order(&file, 50)).await;
    once(&member, &job, |job| job.step >= 2).await;
    member.post_nothing(&format!("{}/pause", path(&job))).await;
    once(&member, &job, |job| job.status == JobStatus::Paused).await;
    let (found, _) = items(
        "FineTuningJobCheckpoint",
        &member.get(&format!("{}/checkpoints", path(&job))).await,
    );
    let name = found[0]["fine_tuned_model_checkpoint"].as_str().unwrap();
    assert!(
        name.ends_with(&format!(":ckpt-step-{}", found[0]["step_number"])),
        "{name}"
    );
    let model = shaped("Model", body(&member.get(&format!("/v1/models/{name}")).await));
    assert_eq!(
        (&model["id"], &model["created"]),
        (&json!(name), &found[0]["created_at"])
    );
    let question = json!({"model": name, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4});
    assert_eq!(completion(&member, question.clone()).await.model, name);

    let stranger = server.stranger().await;
    let unknown = (404, Some("model".to_owned()));
    assert_eq!(
        refusal(&stranger.post("/v1/chat/completions", question.clone()).await),
        unknown
    );
    let mut other = question;
    other["model"] = json!(name.replace(":ckpt-step-", ":ckpt-step-9"));
    assert_eq!(refusal(&member.post("/v1/chat/completions", other).await), unknown);
    assert_eq!(refusal(&member.delete(&format!("/v1/models/{name}")).await).0, 409);
    body(
        &member
            .post_nothing(&format!("{JOBS}/{}/cancel", job["id"].as_str().unwrap()))
            .await,
    );
}

async fn nothing_is_kept_of_a_job_that_is_cancelled(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, 100).await;
    member.wait(&jobs::path(&job), |job: &Job| job.step >= 2).await;
    member.post_nothing(&format!("{}/cancel", jobs::path(&job))).await;
    let job = end_of(&member, &job).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert_eq!(list(&member, &job).await.last().unwrap().step, job.step);
    // What was written every 20 steps before is still there; the one that it left with is not.
    let kept = kept(&member, &job).await;
    assert!(
        kept.iter().all(|checkpoint| checkpoint.step.is_multiple_of(20)),
        "{kept:?}"
    );
}
