//! The ways of a job: paused, resumed, tried again, and what it leaves on the way.

use crate::{
    helpers::{Client, ServerProcess, TestServer},
    training::{built_in_base, end_of, ready_dataset, rows, start_job},
};
use cerebros_common::{
    datasets::Dataset,
    errors::ErrorCode,
    jobs::{Checkpoint, Job, JobLogLine, JobStatus, MetricPoint},
    models::Model,
    wire::CursorPage,
};
use serde_json::json;

on_both_databases!(
    a_paused_job_resumes_at_its_step_to_the_same_adapter,
    a_pause_survives_a_kill_of_the_server,
    a_queued_job_leaves_the_queue_and_comes_back_at_its_end,
    what_cannot_be_paused_says_why,
    a_failed_job_is_tried_again,
    a_job_is_measured_on_another_dataset,
);

async fn find(client: &Client, job: &Job) -> Job {
    client.get(&path(job)).await.data()
}

pub fn path(job: &Job) -> String {
    format!("/api/v1/jobs/{}", job.id)
}

async fn order(client: &Client, job: &Job, what: &str) -> Job {
    client.post_nothing(&format!("{}/{what}", path(job))).await.data()
}

async fn conflict(client: &Client, job: &Job, what: &str) -> String {
    let problem = client.post_nothing(&format!("{}/{what}", path(job))).await.problem();
    assert_eq!(problem.error, ErrorCode::Conflict);
    problem.detail
}

async fn paused(client: &Client, job: &Job) -> Job {
    let job: Job = client
        .wait(&path(job), |job: &Job| job.status != JobStatus::Running)
        .await;
    assert_eq!(job.status, JobStatus::Paused);
    job
}

async fn adapter_of(client: &Client, job: &Job) -> String {
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    let model = format!("/api/v1/models/{}", job.model_id.unwrap());
    client.get(&model).await.data::<Model>().sha256
}

async fn undisturbed(client: &Client, dataset: &Dataset) -> String {
    let job = start_job(client, dataset, None, 8).await;
    adapter_of(client, &end_of(client, &job).await).await
}

async fn checkpoints(client: &Client, job: &Job) -> Vec<Checkpoint> {
    let page: CursorPage<Checkpoint> = client.get(&format!("{}/checkpoints", path(job))).await.data();
    page.items
}

async fn a_paused_job_resumes_at_its_step_to_the_same_adapter(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let expected = undisturbed(&member, &dataset).await;
    let job = start_job(&member, &dataset, None, 8).await;
    member.wait(&path(&job), |job: &Job| job.step >= 5).await;
    assert_eq!(order(&member, &job, "pause").await.status, JobStatus::Running);
    let at = paused(&member, &job).await;
    assert_eq!((at.model_id, at.finished_at), (None, None));
    assert_eq!(checkpoints(&member, &job).await.last().unwrap().step, at.step);

    // Nobody holds the trainer meanwhile.
    let other = start_job(&member, &dataset, None, 1).await;
    assert_eq!(end_of(&member, &other).await.status, JobStatus::Succeeded);
    assert_eq!(find(&member, &job).await, at);

    assert_eq!(order(&member, &job, "resume").await.status, JobStatus::Queued);
    let job = end_of(&member, &job).await;
    assert_eq!(adapter_of(&member, &job).await, expected);
    let log: CursorPage<JobLogLine> = member.get(&format!("{}/log", path(&job))).await.data();
    let goes_on = format!("goes on from the checkpoint at step {} of", at.step);
    assert!(log.items.iter().any(|line| line.message.contains(&goes_on)), "{log:?}");

    let found = checkpoints(&member, &job).await;
    let total = job.plan.as_ref().unwrap().total_steps;
    assert_eq!(found.last().unwrap().step, total);
    assert!(found.is_sorted_by_key(|checkpoint| checkpoint.step));
    let points: CursorPage<MetricPoint> = member.get(&format!("{}/metrics?limit=2000", path(&job))).await.data();
    for checkpoint in &found {
        let point = points.items.iter().find(|point| point.step == checkpoint.step).unwrap();
        assert_eq!(
            (
                checkpoint.train_loss,
                checkpoint.token_accuracy,
                checkpoint.validation_loss
            ),
            (point.loss, point.token_accuracy, point.validation_loss)
        );
    }
    let last = found.last().unwrap();
    assert!(
        last.validation_loss.is_some() && last.token_accuracy.is_some(),
        "{last:?}"
    );
}

async fn a_pause_survives_a_kill_of_the_server(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let expected = undisturbed(&member, &dataset).await;

    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let dataset = ready_dataset(&client, &rows(24)).await;
    let job = start_job(&client, &dataset, None, 8).await;
    client.wait(&path(&job), |job: &Job| job.step >= 3).await;
    // Once while the trainer is asked to leave, once while nothing runs.
    order(&client, &job, "pause").await;
    process = process.kill_and_restart().await;
    client = process.client(&client);
    let at = paused(&client, &job).await;
    process = process.kill_and_restart().await;
    client = process.client(&client);
    assert_eq!(find(&client, &job).await, at);
    order(&client, &job, "resume").await;
    let job = end_of(&client, &job).await;
    assert_eq!(adapter_of(&client, &job).await, expected);
}

async fn a_queued_job_leaves_the_queue_and_comes_back_at_its_end(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let first = start_job(&member, &dataset, None, 100).await;
    member
        .wait(&path(&first), |job: &Job| job.status == JobStatus::Running)
        .await;
    let second = start_job(&member, &dataset, None, 1).await;
    let third = start_job(&member, &dataset, None, 1).await;
    let place = async |job: &Job| find(&member, job).await.queue_position;
    assert_eq!((place(&second).await, place(&third).await), (Some(1), Some(2)));
    assert_eq!(order(&member, &second, "pause").await.status, JobStatus::Paused);
    assert_eq!((place(&second).await, place(&third).await), (None, Some(1)));
    order(&member, &second, "resume").await;
    assert_eq!((place(&second).await, place(&third).await), (Some(2), Some(1)));

    order(&member, &first, "cancel").await;
    let third = end_of(&member, &third).await;
    let second = end_of(&member, &second).await;
    assert!(third.started_at < second.started_at, "it came back at the end");
    assert_eq!(second.status, JobStatus::Succeeded);
}

async fn what_cannot_be_paused_says_why(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, 100).await;
    member.wait(&path(&job), |job: &Job| job.step >= 1).await;
    order(&member, &job, "pause").await;
    let twice = conflict(&member, &job, "pause").await;
    assert!(twice.contains("already"), "{twice}");
    paused(&member, &job).await;
    assert_eq!(conflict(&member, &job, "pause").await, "This job is paused already.");
    assert!(conflict(&member, &job, "retry").await.contains("failed"));
    // Nobody works on it, so it ends at once.
    assert_eq!(order(&member, &job, "cancel").await.status, JobStatus::Cancelled);
    assert!(conflict(&member, &job, "pause").await.contains("over"));
    assert!(conflict(&member, &job, "retry").await.contains("failed"));
}

async fn a_failed_job_is_tried_again(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let expected = undisturbed(&member, &dataset).await;
    let job = start_job(&member, &dataset, None, 8).await;
    member.wait(&path(&job), |job: &Job| job.step >= 3).await;
    order(&member, &job, "cancel").await;
    end_of(&member, &job).await;
    server
        .execute("update jobs set status = 'failed', failure = '{\"code\":\"internal\",\"message\":\"m\",\"remedy\":\"r\"}' where status = 'cancelled'")
        .await;
    let again = order(&member, &job, "retry").await;
    assert_eq!((again.status, again.failure), (JobStatus::Queued, None));
    let job = end_of(&member, &job).await;
    assert_eq!(adapter_of(&member, &job).await, expected);
}

async fn a_job_is_measured_on_another_dataset(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(12)).await;
    let measured = ready_dataset(&member, &rows(5)).await;
    let body = json!({
        "dataset_id": dataset.id, "validation_dataset_id": measured.id, "base_id": built_in_base(&member).await.id,
        "parameters": {"rank": 4, "epochs": 1, "batch_size": 4, "max_seq_length": 128},
    });
    let job: Job = member.post("/api/v1/jobs", body).await.data();
    let job = end_of(&member, &job).await;
    let plan = job.plan.unwrap();
    assert_eq!(
        (job.status, plan.train_rows, plan.validation_rows),
        (JobStatus::Succeeded, 12, 5)
    );
    assert!(job.validation_loss.is_some());
    // The job stays on the version that it was measured on, which goes for good only after a while.
    let path = format!("/api/v1/datasets/{}", measured.id);
    assert_eq!(member.delete(&path).await.status.as_u16(), 204);
    let told: Job = member.get(&format!("/api/v1/jobs/{}", job.id)).await.data();
    assert_eq!(told.validation_dataset_id, Some(measured.id));
    let body = json!({
        "dataset_id": measured.id, "base_id": built_in_base(&member).await.id, "parameters": {"epochs": 1},
    });
    let refused = member.post("/api/v1/jobs", body).await.problem();
    assert!(refused.detail.contains("deleted"), "{}", refused.detail);
}
