//! OpenAI's fine-tuning jobs, as its SDKs ask for them.

use crate::{
    files::{create, processed},
    helpers::{Client, DEADLINE, TestServer},
    training::{built_in_base, pairs, rows},
    wire::{body, completion, items, refusal, shaped},
};
use cerebros_common::jobs::{Job, JobStatus};
use serde_json::{Value, json};

on_both_databases!(
    a_file_becomes_a_model_that_answers,
    pairs_of_answers_become_a_model_by_dpo,
    a_job_waits_for_its_files,
    a_job_is_paused_resumed_and_cancelled,
    jobs_are_listed_as_the_sdks_page,
    bad_orders_are_refused_as_openai_words_it,
    models_are_found_and_deleted,
);

pub const JOBS: &str = "/v1/fine_tuning/jobs";

/// Small and quick.
pub fn order(file: &str, epochs: u32) -> Value {
    json!({
        "model": "cerebros-tiny", "training_file": file, "a_member_of_the_future": true,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs, "batch_size": 2}}},
    })
}

pub async fn start(client: &Client, order: Value) -> Value {
    shaped("FineTuningJob", body(&client.post(JOBS, order).await))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
}

pub fn path(job: &Value) -> String {
    format!("{JOBS}/{}", text(job, "id"))
}

async fn look(client: &Client, job: &Value) -> Value {
    shaped("FineTuningJob", body(&client.get(&path(job)).await))
}

/// Waits by the native API, which tells of changes, then looks.
pub async fn once(client: &Client, job: &Value, ready: impl Fn(&Job) -> bool) -> Value {
    let native = format!("/api/v1/jobs/{}", text(job, "id").strip_prefix("ftjob-").unwrap());
    client.wait_within(DEADLINE, &native, ready).await;
    look(client, job).await
}

async fn end(client: &Client, job: &Value) -> Value {
    once(client, job, |job| job.status.is_over()).await
}

async fn a_file_becomes_a_model_that_answers(server: TestServer) {
    let member = server.member().await;
    let (file, measured) = (create(&member, &rows(12)).await, create(&member, &rows(4)).await);
    let mut order = order(&file, 3);
    order["validation_file"] = json!(measured);
    order["suffix"] = json!("Shelf helper");
    order["seed"] = json!(7);
    order["metadata"] = json!({"team": "archive"});
    let job = start(&member, order).await;
    let job = end(&member, &job).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(
        (&job["seed"], &job["metadata"]),
        (&json!(7), &json!({"team": "archive"}))
    );
    assert_eq!(
        (&job["training_file"], &job["validation_file"]),
        (&json!(file), &json!(measured))
    );
    let wanted = json!({"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 1.0});
    assert_eq!(
        (&job["hyperparameters"], &job["method"]["supervised"]["hyperparameters"]),
        (&wanted, &wanted)
    );
    assert!(job["trained_tokens"].as_u64().unwrap() > 0);

    let model = text(&job, "fine_tuned_model").to_owned();
    let id = text(&job, "id").strip_prefix("ftjob-").unwrap().to_owned();
    assert_eq!(model, format!("ft:cerebros-tiny:shelf-helper:{id}"));
    let listed = body(&member.get("/v1/models").await);
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|listed| listed["id"] == model.as_str())
    );
    let question = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4});
    assert_eq!(completion(&member, question).await.model, model);

    let (all, _) = items(
        "FineTuningJobEvent",
        &member.get(&format!("{}/events?limit=100", path(&job))).await,
    );
    let metrics: Vec<&Value> = all.iter().filter(|event| event["type"] == "metrics").collect();
    let steps: Vec<u64> = metrics
        .iter()
        .map(|event| event["data"]["step"].as_u64().unwrap())
        .collect();
    assert_eq!(
        steps,
        (1..=18).rev().collect::<Vec<_>>(),
        "12 rows in batches of 2, three times, newest first"
    );
    assert!(all.is_sorted_by(|newer, older| newer["created_at"].as_i64() >= older["created_at"].as_i64()));
    assert!(metrics[0]["data"]["full_valid_loss"].is_number(), "{}", metrics[0]);
    assert!(text(metrics[0], "message").starts_with("Step 18/18: training loss="));
    assert!(all.iter().any(|event| event["message"] == "Training has finished."));
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let (some, has_more) = items(
            "FineTuningJobEvent",
            &member.get(&format!("{}/events?limit=7{after}", path(&job))).await,
        );
        after = format!("&after={}", text(some.last().unwrap(), "id"));
        paged.extend(some);
        if !has_more {
            break;
        }
    }
    assert_eq!(paged, all, "no gap and no repeat");

    let (checkpoints, _) = items(
        "FineTuningJobCheckpoint",
        &member.get(&format!("{}/checkpoints", path(&job))).await,
    );
    assert_eq!(checkpoints[0]["step_number"], 18);
    assert_eq!(checkpoints[0]["fine_tuned_model_checkpoint"], model.as_str());
    assert!(checkpoints[0]["metrics"]["train_mean_token_accuracy"].is_number());

    results(&member, &job).await;
    // The file goes; the model stays.
    shaped(
        "DeleteFileResponse",
        body(&member.delete(&format!("/v1/files/{file}")).await),
    );
    assert_eq!(refusal(&member.get(&format!("/v1/files/{file}/content")).await).0, 404);
    let again = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4});
    completion(&member, again).await;
    look(&member, &job).await;
}

async fn pairs_of_answers_become_a_model_by_dpo(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &pairs(8, true)).await;
    let wanted = json!({"beta": 0.3, "n_epochs": 2, "batch_size": 2, "learning_rate_multiplier": 5.0});
    let method = json!({"type": "dpo", "dpo": {"hyperparameters": wanted}});
    let job = start(
        &member,
        json!({"model": "cerebros-tiny", "training_file": file, "method": method}),
    )
    .await;
    assert_eq!(job["method"], method);
    let job = end(&member, &job).await;
    assert_eq!(
        (&job["status"], &job["method"]),
        (&json!("succeeded"), &method),
        "{job}"
    );

    // Without a method it follows from the rows; a method that does not suit them is refused, at once or once they are known.
    let told = start(&member, json!({"model": "cerebros-tiny", "training_file": file})).await;
    assert_eq!(told["method"]["type"], "dpo");
    let answer = member.post(JOBS, order(&file, 1)).await;
    assert_eq!(refusal(&answer), (400, Some("method.type".to_owned())));
    let talks = create(&member, &rows(2000)).await;
    let late = json!({"model": "cerebros-tiny", "training_file": talks, "method": {"type": "dpo"}});
    let answer = member.post(JOBS, late).await;
    if answer.status.is_client_error() {
        assert_eq!(refusal(&answer), (400, Some("method.type".to_owned())));
    } else {
        let job = end(&member, &shaped("FineTuningJob", body(&answer))).await;
        assert_eq!(
            (&job["status"], &job["error"]["param"]),
            (&json!("failed"), &json!("training_file"))
        );
    }
    end(&member, &told).await;
}

/// The table of the steps, as a file.
async fn results(member: &Client, job: &Value) {
    let [id] = &job["result_files"].as_array().unwrap()[..] else {
        panic!("{job}")
    };
    let path = format!("/v1/files/{}", id.as_str().unwrap());
    let file = shaped("OpenAIFile", body(&member.get(&path).await));
    assert_eq!(
        (&file["purpose"], &file["filename"]),
        (&json!("fine-tune-results"), &json!("step_metrics.csv"))
    );
    let table = member.get(&format!("{path}/content")).await.text;
    assert_eq!(file["bytes"], table.len());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    );
    assert_eq!(lines.len(), 19);
    let last: Vec<f64> = lines[18].split(',').map(|cell| cell.parse().unwrap()).collect();
    assert_eq!(last[0], 18.0);
    let (listed, _) = items("OpenAIFile", &member.get("/v1/files?purpose=fine-tune-results").await);
    assert_eq!(listed, [file]);
    shaped("DeleteFileResponse", body(&member.delete(&path).await));
    assert_eq!(look(member, job).await["result_files"], json!([]));
}

async fn a_job_waits_for_its_files(server: TestServer) {
    let member = server.member().await;
    // Nothing is waited for: this is how OpenAI's own examples begin.
    let file = create(&member, &rows(2000)).await;
    let job = start(&member, order(&file, 1)).await;
    let first = text(&job, "status").to_owned();
    assert!(["validating_files", "queued"].contains(&first.as_str()), "{first}");
    once(&member, &job, |job| job.step > 0).await;
    body(&member.post_nothing(&format!("{}/cancel", path(&job))).await);
    assert_eq!(end(&member, &job).await["status"], "cancelled");

    let useless = "{\"messages\": []}\n".repeat(3000);
    let file = create(&member, &useless).await;
    let answer = member.post(JOBS, order(&file, 1)).await;
    if answer.status.is_client_error() {
        // It was validated in the meantime.
        assert_eq!(refusal(&answer), (400, Some("training_file".to_owned())));
        return;
    }
    let job = end(&member, &shaped("FineTuningJob", body(&answer))).await;
    assert_eq!(job["status"], "failed");
    assert_eq!(
        (&job["error"]["code"], &job["error"]["param"]),
        (&json!("invalid_training_file"), &json!("training_file"))
    );
}

async fn a_job_is_paused_resumed_and_cancelled(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &rows(48)).await;
    processed(&member, &file).await;
    let job = start(&member, order(&file, 50)).await;
    once(&member, &job, |job| job.step >= 2).await;
    let order = async |what: &str| member.post_nothing(&format!("{}/{what}", path(&job))).await;
    shaped("FineTuningJob", body(&order("pause").await));
    let paused = once(&member, &job, |job| job.status == JobStatus::Paused).await;
    assert_eq!(
        (&paused["status"], &paused["finished_at"]),
        (&json!("queued"), &Value::Null)
    );
    let works = member.delete(&format!("/v1/files/{file}")).await;
    assert_eq!(refusal(&works).0, 409, "a job waits for it");
    let (events, _) = items(
        "FineTuningJobEvent",
        &member.get(&format!("{}/events", path(&job))).await,
    );
    assert_eq!(events[0]["message"], "Training is paused.");
    assert_eq!(
        shaped("FineTuningJob", body(&order("resume").await))["status"],
        "queued"
    );
    once(&member, &job, |job| job.status == JobStatus::Running).await;
    shaped("FineTuningJob", body(&order("cancel").await));
    assert_eq!(end(&member, &job).await["status"], "cancelled");
    assert_eq!(refusal(&order("cancel").await).0, 409);
    assert_eq!(refusal(&order("pause").await).0, 409);
}

async fn jobs_are_listed_as_the_sdks_page(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &rows(48)).await;
    processed(&member, &file).await;
    let mut made = Vec::new();
    for index in 0..5 {
        let mut order = order(&file, 50);
        order["metadata"] = json!({"odd": (index % 2).to_string(), "all": "a&b"});
        made.push(text(&start(&member, order).await, "id").to_owned());
    }
    for id in &made {
        body(&member.post_nothing(&format!("{JOBS}/{id}/cancel")).await);
    }
    made.reverse();
    let walk = async |query: &str| {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let (some, has_more) = items(
                "FineTuningJob",
                &member.get(&format!("{JOBS}?limit=2{query}{after}")).await,
            );
            found.extend(some.iter().map(|job| text(job, "id").to_owned()));
            after = format!("&after={}", found.last().map_or("", String::as_str));
            if !has_more {
                return found;
            }
        }
    };
    assert_eq!(walk("").await, made);
    assert_eq!(walk("&metadata%5Ball%5D=a%26b").await, made);
    assert_eq!(
        walk("&metadata[odd]=1&metadata[all]=a%26b").await,
        [made[1].clone(), made[3].clone()]
    );
    assert!(walk("&metadata[odd]=2").await.is_empty());
    let stranger = server.stranger().await;
    assert!(items("FineTuningJob", &stranger.get(JOBS).await).0.is_empty());
    for id in &made {
        end(&member, &json!({"id": id})).await;
    }
}

async fn bad_orders_are_refused_as_openai_words_it(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &rows(4)).await;
    processed(&member, &file).await;
    let useless = create(&member, "{}\n").await;
    processed(&member, &useless).await;
    let hyper =
        |name: &str, value: Value| json!({"type": "supervised", "supervised": {"hyperparameters": {name: value}}});
    for (field, value, status, param) in [
        ("model", json!("gpt-4o-mini"), 404, "model"),
        ("model", json!(7), 400, "model"),
        ("training_file", json!("file-abc"), 404, "training_file"),
        ("training_file", json!(useless), 400, "training_file"),
        ("validation_file", json!("file-abc"), 404, "validation_file"),
        ("suffix", json!(""), 400, "suffix"),
        ("suffix", json!("x".repeat(65)), 400, "suffix"),
        ("seed", json!(-1), 400, "seed"),
        ("metadata", json!({"a": "x".repeat(513)}), 400, "metadata"),
        ("integrations", json!([{"type": "wandb"}]), 400, "integrations"),
        ("method", json!({"type": "dpo"}), 400, "method.type"),
        ("method", json!({"type": "reinforcement"}), 400, "method.type"),
        (
            "method",
            json!({"type": "dpo", "dpo": {"hyperparameters": {"beta": 0}}}),
            400,
            "hyperparameters.beta",
        ),
        ("method", hyper("n_epochs", json!(0)), 400, "hyperparameters.n_epochs"),
        (
            "method",
            hyper("batch_size", json!("big")),
            400,
            "hyperparameters.batch_size",
        ),
    ] {
        let mut order = order(&file, 1);
        order[field] = value;
        let answer = member.post(JOBS, order).await;
        assert_eq!(refusal(&answer), (status, Some(param.to_owned())), "{}", answer.text);
    }
    let stranger = server.stranger().await;
    assert_eq!(refusal(&stranger.post(JOBS, order(&file, 1)).await).0, 404);
    assert!(items("FineTuningJob", &member.get(JOBS).await).0.is_empty());
    for path in ["ftjob-7", "ftjob-01900000-0000-7000-8000-000000000000/events"] {
        let answer = member.get(&format!("{JOBS}/{path}")).await;
        assert_eq!(refusal(&answer), (404, Some("fine_tuning_job_id".to_owned())));
    }
}

async fn models_are_found_and_deleted(server: TestServer) {
    let member = server.member().await;
    let file = create(&member, &rows(4)).await;
    let job = end(&member, &start(&member, order(&file, 1)).await).await;
    let model = text(&job, "fine_tuned_model").to_owned();
    let list = body(&member.get("/v1/models").await);
    for listed in shaped("ListModelsResponse", list)["data"].as_array().unwrap() {
        let id = text(listed, "id");
        let found = shaped("Model", body(&member.get(&format!("/v1/models/{id}")).await));
        assert_eq!(&found, listed);
        let escaped = id.replace(':', "%3A");
        assert_eq!(body(&member.get(&format!("/v1/models/{escaped}")).await), found);
        let question = json!({"model": id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2});
        completion(&member, question).await;
    }
    let path = format!("/v1/models/{model}");
    let stranger = server.stranger().await;
    assert_eq!(refusal(&stranger.delete(&path).await), (404, Some("model".to_owned())));
    let base = format!("/v1/models/base:{}", built_in_base(&member).await.id);
    assert_eq!(refusal(&member.delete(&base).await), (409, Some("model".to_owned())));
    assert_eq!(
        refusal(&member.delete("/v1/models/gpt-4").await),
        (404, Some("model".to_owned()))
    );
    let gone = shaped("DeleteModelResponse", body(&member.delete(&path).await));
    assert_eq!(gone["id"], model.as_str());
    assert_eq!(refusal(&member.get(&path).await), (404, Some("model".to_owned())));
    assert_eq!(look(&member, &job).await["fine_tuned_model"], Value::Null);
}
