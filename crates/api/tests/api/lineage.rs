//! Jobs that go on from a model, and what is known of models before and after one.

use crate::{
    helpers::{Client, TestServer},
    model_exports::trained,
    training::{end_of, ready_dataset, rows},
};
use cerebros_common::{
    errors::ErrorCode,
    jobs::{Job, JobEstimate, JobStatus, MetricPoint},
    models::{Lineage, Model},
    wire::CursorPage,
};
use serde_json::{Value, json};

on_both_databases!(
    a_job_goes_on_from_a_model,
    what_does_not_fit_the_model_is_refused,
    openai_clients_go_on_from_a_model,
);

/// Of the shape that `trained` gives its adapter.
fn order(model: &Model) -> Value {
    json!({
        "dataset_id": model.dataset_id, "base_id": model.base_id, "initial_model_id": model.id,
        "parameters": {"rank": 4, "epochs": 1, "batch_size": 2, "max_seq_length": 128, "learning_rate": 0.003},
    })
}

async fn find(client: &Client, job: &Job) -> Model {
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    client
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data()
}

async fn lineage(client: &Client, model: &Model) -> Lineage {
    client.get(&format!("/api/v1/models/{}/lineage", model.id)).await.data()
}

async fn a_job_goes_on_from_a_model(server: TestServer) {
    let member = server.member().await;
    let first = trained(&member).await;
    let estimate: JobEstimate = member.post("/api/v1/jobs/estimate", order(&first)).await.data();
    let job: Job = member.post("/api/v1/jobs", order(&first)).await.data();
    assert_eq!(job.initial_model_id, Some(first.id));
    let job = end_of(&member, &job).await;
    assert_eq!(job.plan, Some(estimate.plan));
    let second = find(&member, &job).await;
    // It knows before its first step what the first one knew at its end.
    let path = format!("/api/v1/jobs/{}/metrics", job.id);
    let points: CursorPage<MetricPoint> = member.get(&path).await.data();
    assert_eq!((points.items[0].step, points.items[0].loss), (0, None));
    assert_eq!(points.items[0].validation_loss, first.validation_loss);
    assert!(second.validation_loss < first.validation_loss);
    assert_ne!(second.sha256, first.sha256);

    let job: Job = member.post("/api/v1/jobs", order(&second)).await.data();
    let third = find(&member, &end_of(&member, &job).await).await;
    let of_third = lineage(&member, &third).await;
    assert_eq!(of_third.earlier, [second.clone(), first.clone()]);
    assert!(of_third.later.is_empty());
    let of_first = lineage(&member, &first).await;
    assert!(of_first.earlier.is_empty());
    assert_eq!(of_first.later, std::slice::from_ref(&second));

    // Without the one between, what is before it is not known any more; what comes after it stays.
    let deleted = member.delete(&format!("/api/v1/models/{}", second.id)).await;
    assert_eq!(deleted.status, 204);
    assert!(lineage(&member, &third).await.earlier.is_empty());
    let job: Job = member.get(&format!("/api/v1/jobs/{}", job.id)).await.data();
    assert_eq!(job.initial_model_id, None);
}

async fn what_does_not_fit_the_model_is_refused(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    for (name, value, told) in [
        ("rank", json!(8), "must be 4,"),
        ("alpha", json!(64), "must be 32,"),
        ("rank_stabilized", json!(true), "must be false,"),
        ("target_modules", json!(["q_proj"]), "must be [\"q_proj\",\"k_proj\","),
    ] {
        let mut body = order(&model);
        body["parameters"][name] = value;
        for path in ["/api/v1/jobs", "/api/v1/jobs/estimate"] {
            let problem = member.post(path, body.clone()).await.problem();
            assert_eq!(problem.error, ErrorCode::InvalidRequest);
            let fault = &problem.details[0];
            assert_eq!(fault.path, format!("parameters.{name}"));
            assert!(fault.message.starts_with(told), "{}", fault.message);
        }
    }
    let stranger = server.stranger().await;
    let theirs = ready_dataset(&stranger, &rows(12)).await;
    let mut body = order(&model);
    body["dataset_id"] = json!(theirs.id);
    body["base_id"] = json!(crate::training::built_in_base(&stranger).await.id);
    let problem = stranger.post("/api/v1/jobs", body).await.problem();
    assert_eq!(problem.error, ErrorCode::NotFound);

    // A model that a job is to go on from stays until then.
    let before: Job = member.post("/api/v1/jobs", order(&model)).await.data();
    let paused: Job = member
        .post_nothing(&format!("/api/v1/jobs/{}/pause", before.id))
        .await
        .data();
    assert!(!paused.status.is_over());
    let refused = member.delete(&format!("/api/v1/models/{}", model.id)).await.problem();
    assert_eq!(refused.error, ErrorCode::Conflict);
    assert!(refused.detail.contains("goes on from this model"), "{}", refused.detail);
    let path = format!("/api/v1/jobs/{}", before.id);
    member.wait(&path, |job: &Job| job.status != JobStatus::Running).await;
    let cancelled: Job = member.post_nothing(&format!("{path}/cancel")).await.data();
    assert_eq!(cancelled.status, JobStatus::Cancelled);
    let deleted = member.delete(&format!("/api/v1/models/{}", model.id)).await;
    assert_eq!(deleted.status, 204);
    let refused = member.post_nothing(&format!("{path}/resume")).await.problem();
    assert!(refused.detail.contains("was deleted"), "{}", refused.detail);
}

async fn openai_clients_go_on_from_a_model(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    let name = format!("ft:cerebros-tiny:whatever:{}", model.id);
    let order = json!({
        "model": name, "training_file": format!("file-{}", model.dataset_id),
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 2}}},
    });
    let answer = member.post("/v1/fine_tuning/jobs", order.clone()).await;
    let told: Value = serde_json::from_str(&answer.text).unwrap();
    assert!(
        told["model"].as_str().unwrap().ends_with(&model.id.to_string()),
        "{told}"
    );
    let id = told["id"].as_str().unwrap().strip_prefix("ftjob-").unwrap();
    let job: Job = member.get(&format!("/api/v1/jobs/{id}")).await.data();
    assert_eq!((job.initial_model_id, job.parameters.rank), (Some(model.id), 4));
    let job = end_of(&member, &job).await;
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);

    let mut gone = order;
    gone["model"] = json!(format!("ft:cerebros-tiny:whatever:{}", model.job_id).replace('0', "1"));
    let answer = member.post("/v1/fine_tuning/jobs", gone).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
}
