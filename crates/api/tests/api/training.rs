//! Jobs, models and chat: from a dataset to answers.

use crate::{
    helpers::{Answer, Client, TestServer, TrainerProcess},
    wire::{chunks, completion},
};
use cerebros_common::{
    agents::{Agent, AgentStatus},
    bases::Base,
    chat::{ModelObjectList, WireError},
    dashboard::Dashboard,
    datasets::{Dataset, DatasetStatus},
    errors::ErrorCode,
    jobs::{Job, JobEstimate, JobLogLine, JobSamples, JobStatus, MetricPoint, Precision, TrainingMethod},
    models::{Lineage, Model},
    wire::{CursorPage, Page},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::{Cursor, Read};

on_both_databases!(
    a_job_makes_a_model_that_answers,
    a_cancelled_job_resumes_to_the_same_adapter,
    a_killed_trainer_is_started_again_and_ends_alike,
    a_job_trains_as_its_parameters_say_and_stops_early,
    pairs_of_answers_are_trained_on_by_dpo,
    texts_are_trained_on,
    bad_jobs_are_refused,
    bad_chats_are_refused_as_openai_words_it,
    bases_are_added_by_directory_and_looked_into,
    a_base_comes_from_the_hub,
);

/// Chat rows that a tiny model can learn from.
pub fn rows(count: usize) -> String {
    let row = |index: usize| {
        let row = json!({"messages": [
            {"role": "user", "content": format!("What is stored on shelf {index}?")},
            {"role": "assistant", "content": format!("Shelf {index} holds the binders of the year {}.", 1990 + index)},
        ]});
        format!("{row}\n")
    };
    (0..count).map(row).collect()
}

pub async fn ready_dataset(client: &Client, rows: &str) -> Dataset {
    let dataset: Dataset = client
        .upload("/api/v1/datasets/upload?name=Shelves", "shelves.jsonl", rows)
        .await
        .data();
    let path = format!("/api/v1/datasets/{}", dataset.id);
    let dataset: Dataset = client
        .wait(&path, |dataset: &Dataset| dataset.status != DatasetStatus::Validating)
        .await;
    assert_eq!(dataset.status, DatasetStatus::Ready);
    dataset
}

async fn keep_apart(client: &Client, dataset: &Dataset, validation_fraction: f64) {
    let split = format!("/api/v1/datasets/{}/split", dataset.id);
    let chosen = json!({ "validation_fraction": validation_fraction });
    client.post(&split, chosen).await.data::<Value>();
}

pub async fn built_in_base(client: &Client) -> Base {
    client.get("/api/v1/bases").await.data::<Page<Base>>().items.remove(0)
}

pub async fn start_job(client: &Client, dataset: &Dataset, agent: Option<&Agent>, epochs: u32) -> Job {
    let base = built_in_base(client).await;
    let body = json!({
        "dataset_id": dataset.id, "base_id": base.id, "agent_id": agent.map(|agent| agent.id),
        "parameters": {"rank": 4, "epochs": epochs, "batch_size": 2, "max_seq_length": 128, "learning_rate": 0.003},
    });
    client.post("/api/v1/jobs", body).await.data()
}

pub async fn end_of(client: &Client, job: &Job) -> Job {
    client
        .wait(&format!("/api/v1/jobs/{}", job.id), |job: &Job| job.status.is_over())
        .await
}

async fn model_of(client: &Client, job: &Job) -> Model {
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    client
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data()
}

async fn a_job_makes_a_model_that_answers(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Archivist"})).await.data();
    let dataset = ready_dataset(&member, &rows(20)).await;
    let job = start_job(&member, &dataset, Some(&agent), 3).await;
    let job = end_of(&member, &job).await;
    let model = model_of(&member, &job).await;
    assert!(model.validation_loss.unwrap() < model.initial_validation_loss.unwrap());
    let quality = &model.quality;
    let parts = [quality.loss, quality.token_accuracy, quality.generation];
    assert!(
        parts
            .iter()
            .all(|part| part.is_some_and(|part| (0.0..=1.0).contains(&part))),
        "{quality:?}"
    );
    assert!(
        quality.loss > Some(0.0) && quality.stars.is_some() && quality.missing.is_none(),
        "{quality:?}"
    );

    let points: CursorPage<MetricPoint> = member.get(&format!("/api/v1/jobs/{}/metrics", job.id)).await.data();
    let steps: Vec<u64> = points.items.iter().map(|point| point.step).collect();
    assert_eq!(steps, (0..=job.plan.as_ref().unwrap().total_steps).collect::<Vec<_>>());
    let first: CursorPage<MetricPoint> = member
        .get(&format!("/api/v1/jobs/{}/metrics?limit=2", job.id))
        .await
        .data();
    let cursor = first.next_cursor.unwrap();
    let next = member
        .get(&format!("/api/v1/jobs/{}/metrics?limit=1&cursor={cursor}", job.id))
        .await;
    assert_eq!(next.data::<CursorPage<MetricPoint>>().items[0].step, 2);
    let log: CursorPage<JobLogLine> = member.get(&format!("/api/v1/jobs/{}/log", job.id)).await.data();
    assert!(log.items[0].message.contains("steps"));
    let samples: JobSamples = member.get(&format!("/api/v1/jobs/{}/samples", job.id)).await.data();
    assert_eq!((samples.best.len(), samples.worst.len()), (1, 1));
    assert!(samples.best[0].loss < samples.worst[0].loss);
    assert!(
        samples.worst[0].prompt.contains("What is stored on shelf") && samples.worst[0].answer.starts_with("Shelf")
    );
    let stranger = server.stranger().await;
    let unseen = stranger.get(&format!("/api/v1/jobs/{}/samples", job.id)).await;
    assert_eq!(unseen.problem().error, ErrorCode::NotFound);

    let archive = member.get(&format!("/api/v1/models/{}/adapter", model.id)).await;
    assert_eq!(archive.bytes.len() as u64, model.size_bytes);
    let mut archive = zip::ZipArchive::new(Cursor::new(archive.bytes)).unwrap();
    let mut config = String::new();
    archive
        .by_name("adapter_config.json")
        .unwrap()
        .read_to_string(&mut config)
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&config).unwrap()["peft_type"], "LORA");
    assert!(archive.by_name("adapter_model.safetensors").is_ok());

    let live: Agent = member.get(&format!("/api/v1/agents/{}", agent.id)).await.data();
    assert_eq!((live.status, live.model_id), (AgentStatus::Ready, Some(model.id)));
    chat_answers(&member, &format!("agent:{}", agent.id)).await;
    let lineage: Lineage = member.get(&format!("/api/v1/models/{}/lineage", model.id)).await.data();
    assert_eq!((lineage.job.id, lineage.base.id), (job.id, model.base_id));
    assert_eq!(lineage.dataset.unwrap().sha256, dataset.sha256);
    assert_eq!(
        lineage.agents.iter().map(|agent| agent.id).collect::<Vec<_>>(),
        [agent.id]
    );
    assert!(lineage.exports.is_empty());

    let path = format!("/api/v1/models/{}", model.id);
    assert_eq!(member.delete(&path).await.problem().error, ErrorCode::Conflict);
    let offline = member
        .patch(
            &format!("/api/v1/agents/{}", agent.id),
            live.version,
            json!({"model_id": null}),
        )
        .await;
    assert_eq!(offline.data::<Agent>().model_id, None);
    assert_eq!(member.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path).await.problem().error, ErrorCode::NotFound);
}

async fn chat_answers(member: &Client, model: &str) {
    let list: ModelObjectList = serde_json::from_str(&member.get("/v1/models").await.text).unwrap();
    assert!(list.data.iter().any(|object| object.id == model));
    let mut body = json!({
        "model": model, "messages": [{"role": "user", "content": "What is stored on shelf 3?"}],
        "max_tokens": 12, "temperature": 0, "a_member_of_the_future": true,
    });
    let whole = completion(member, body.clone()).await;
    assert!(
        whole.choices[0]
            .message
            .content
            .as_ref()
            .is_some_and(|text| !text.is_empty())
    );
    assert_eq!(
        whole.usage.total_tokens,
        whole.usage.prompt_tokens + whole.usage.completion_tokens
    );
    body["stream_options"] = json!({"include_usage": true});
    let chunks = chunks(member, body).await;
    let text: String = chunks
        .iter()
        .flat_map(|chunk| &chunk.choices)
        .filter_map(|choice| choice.delta.content.clone())
        .collect();
    assert_eq!(
        Some(text),
        whole.choices[0].message.content,
        "greedy answers are the same, streamed or not"
    );
    assert_eq!(chunks.last().unwrap().usage, Some(whole.usage));
    let dashboard: Dashboard = member
        .wait("/api/v1/dashboard", |dashboard: &Dashboard| {
            dashboard.calls.value == Some(2.0)
        })
        .await;
    assert_eq!(dashboard.success_rate.value, Some(1.0));
    assert_eq!(dashboard.agents.value, Some(1.0));
}

/// The adapter that an undisturbed job makes of the rows.
async fn undisturbed(member: &Client, dataset: &Dataset, epochs: u32) -> String {
    let job = start_job(member, dataset, None, epochs).await;
    let job = end_of(member, &job).await;
    model_of(member, &job).await.sha256
}

async fn a_cancelled_job_resumes_to_the_same_adapter(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let expected = undisturbed(&member, &dataset, 8).await;
    let job = start_job(&member, &dataset, None, 8).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    member.wait(&path, |job: &Job| job.step >= 5).await;
    member.post_nothing(&format!("{path}/cancel")).await.data::<Job>();
    let cancelled = end_of(&member, &job).await;
    assert_eq!((cancelled.status, cancelled.model_id), (JobStatus::Cancelled, None));
    member.post_nothing(&format!("{path}/resume")).await.data::<Job>();
    let job = end_of(&member, &job).await;
    assert_eq!(model_of(&member, &job).await.sha256, expected);
    let over = member.post_nothing(&format!("{path}/cancel")).await.problem();
    assert_eq!(over.error, ErrorCode::Conflict);
}

async fn a_killed_trainer_is_started_again_and_ends_alike(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let expected = undisturbed(&member, &dataset, 8).await;
    let job = start_job(&member, &dataset, None, 8).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    member.wait(&path, |job: &Job| job.step >= 3).await;
    TrainerProcess::of(&job).unwrap().kill();
    let job = end_of(&member, &job).await;
    assert_eq!(model_of(&member, &job).await.sha256, expected);
    let points: CursorPage<MetricPoint> = member.get(&format!("{path}/metrics?limit=2000")).await.data();
    let steps: Vec<u64> = points.items.iter().map(|point| point.step).collect();
    assert_eq!(
        steps,
        (0..=job.plan.unwrap().total_steps).collect::<Vec<_>>(),
        "no gap and no repeat"
    );
}

async fn a_job_trains_as_its_parameters_say_and_stops_early(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(12)).await;
    let base = built_in_base(&member).await;
    let parameters = json!({
        "rank": 4, "alpha": 32, "rank_stabilized": true, "target_modules": ["v_proj", "q_proj"], "schedule": "constant",
        "learning_rate": 0.05, "epochs": 60, "batch_size": 4, "max_seq_length": 128,
        "early_stopping_patience": 1, "precision": "bf16",
    });
    keep_apart(&member, &dataset, 0.25).await;
    let body = json!({"dataset_id": dataset.id, "base_id": base.id, "parameters": parameters});
    let job: Job = member.post("/api/v1/jobs", body).await.data();
    assert_eq!(job.parameters.target_modules.len(), 2);
    let job = end_of(&member, &job).await;
    let model = model_of(&member, &job).await;
    let plan = job.plan.as_ref().unwrap();
    assert!(model.steps < plan.total_steps);
    assert_eq!(plan.precision, Precision::Bf16);
    let points: CursorPage<MetricPoint> = member.get(&format!("/api/v1/jobs/{}/metrics", job.id)).await.data();
    let after_training = points.items.iter().filter(|point| point.step > 0);
    let losses = after_training.filter_map(|point| point.validation_loss);
    assert_eq!(model.validation_loss, losses.min_by(f64::total_cmp));
    assert!(job.validation_loss > model.validation_loss);
    let log: CursorPage<JobLogLine> = member.get(&format!("/api/v1/jobs/{}/log", job.id)).await.data();
    assert!(log.items.iter().any(|line| line.message.starts_with("Stopped early")));
    let archive = member.get(&format!("/api/v1/models/{}/adapter", model.id)).await;
    let mut archive = zip::ZipArchive::new(Cursor::new(archive.bytes)).unwrap();
    let config: Value = serde_json::from_reader(archive.by_name("adapter_config.json").unwrap()).unwrap();
    assert_eq!(config["use_rslora"], true);
    assert_eq!(config["target_modules"], json!(["q_proj", "v_proj"]));
}

/// Pairs of answers as OpenAI's files have them, or TRL's.
pub fn pairs(count: usize, openai: bool) -> String {
    let row = |index: usize| {
        let said = |role: &str, content: String| json!([{"role": role, "content": content}]);
        let prompt = said("user", format!("What is stored on shelf {index}?"));
        let better = said("assistant", format!("Shelf {index} holds binders."));
        let worse = said("assistant", format!("Who knows, {index} is a number."));
        let row = match openai {
            true => {
                json!({"input": {"messages": prompt}, "preferred_output": better, "non_preferred_output": worse})
            }
            false => json!({"prompt": prompt, "chosen": better, "rejected": worse}),
        };
        format!("{row}\n")
    };
    (0..count).map(row).collect()
}

async fn texts_are_trained_on(server: TestServer) {
    let member = server.member().await;
    let base = built_in_base(&member).await;
    let texts: String = (0..10)
        .map(|index| format!("{}\n", json!({"text": format!("Shelf {index} holds binders.")})))
        .collect();
    let dataset = ready_dataset(&member, &texts).await;
    keep_apart(&member, &dataset, 0.2).await;
    let parameters = json!({"rank": 4, "learning_rate": 0.003, "epochs": 3, "batch_size": 2});
    let body = json!({"dataset_id": dataset.id, "base_id": base.id, "parameters": parameters});
    let estimate: JobEstimate = member.post("/api/v1/jobs/estimate", body.clone()).await.data();
    let job: Job = member.post("/api/v1/jobs", body.clone()).await.data();
    let job = end_of(&member, &job).await;
    let model = model_of(&member, &job).await;
    let plan = job.plan.unwrap();
    assert_eq!((plan.method, plan.train_rows), (TrainingMethod::Text, 8));
    assert_eq!(plan.trainable_tokens, plan.train_tokens - 8);
    assert_eq!(plan, estimate.plan);
    assert!(model.validation_loss < model.initial_validation_loss);
    assert!(model.quality.stars.is_none() && model.quality.missing.is_some());

    let mut body = body;
    body["parameters"]["method"] = json!("supervised");
    let problem = member.post("/api/v1/jobs", body).await.problem();
    assert_eq!(problem.details[0].path, "parameters.method");
}

async fn pairs_of_answers_are_trained_on_by_dpo(server: TestServer) {
    let member = server.member().await;
    let base = built_in_base(&member).await;
    let mut adapters = Vec::new();
    for openai in [true, false] {
        let dataset = ready_dataset(&member, &pairs(12, openai)).await;
        keep_apart(&member, &dataset, 0.25).await;
        let parameters = json!({
            "rank": 4, "learning_rate": 0.003, "epochs": 6, "batch_size": 2, "beta": 0.2,
        });
        let body = json!({"dataset_id": dataset.id, "base_id": base.id, "parameters": parameters});
        let job: Job = member.post("/api/v1/jobs", body).await.data();
        let job = end_of(&member, &job).await;
        let plan = job.plan.as_ref().unwrap();
        assert_eq!(
            (plan.method, plan.train_rows, plan.validation_rows),
            (TrainingMethod::Dpo, 9, 3)
        );
        let points: CursorPage<MetricPoint> = member.get(&format!("/api/v1/jobs/{}/metrics", job.id)).await.data();
        let (first, last) = (&points.items[0], points.items.last().unwrap());
        assert!((first.validation_loss.unwrap() - 2.0_f64.ln()).abs() < 1e-6);
        assert_eq!((first.reward_margin, last.token_accuracy), (None, None));
        assert!(last.validation_loss.unwrap() < 0.6, "{last:?}");
        assert!(last.validation_reward_margin.unwrap() > 0.1 && last.reward_margin.unwrap() > 0.1);
        assert_eq!(last.validation_reward_accuracy, Some(1.0));
        let samples: JobSamples = member.get(&format!("/api/v1/jobs/{}/samples", job.id)).await.data();
        assert_eq!(samples.step, Some(plan.total_steps));
        assert_eq!((samples.best.len(), samples.worst.len()), (2, 1));
        assert!(samples.best[0].margin > samples.worst[0].margin);
        assert!(samples.worst[0].rejected.as_ref().unwrap().starts_with("Who knows, "));
        adapters.push(model_of(&member, &job).await.sha256);
    }
    assert_eq!(adapters[0], adapters[1], "the same pairs in either form");

    let pairs = ready_dataset(&member, &pairs(4, true)).await;
    let talks = ready_dataset(&member, &rows(4)).await;
    for (rows, measured, method, path) in [
        (&pairs, None, "supervised", "parameters.method"),
        (&talks, None, "dpo", "parameters.method"),
        (&pairs, Some(&talks), "auto", "validation_dataset_id"),
        (&talks, Some(&pairs), "auto", "validation_dataset_id"),
    ] {
        let body = json!({
            "dataset_id": rows.id, "base_id": base.id, "parameters": {"method": method},
            "validation_dataset_id": measured.map(|measured| measured.id),
        });
        for route in ["/api/v1/jobs", "/api/v1/jobs/estimate"] {
            let problem = member.post(route, body.clone()).await.problem();
            assert_eq!(
                (problem.error, problem.details[0].path.as_str()),
                (ErrorCode::InvalidRequest, path)
            );
        }
    }
}

async fn bad_jobs_are_refused(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(4)).await;
    let base = built_in_base(&member).await;
    let good = json!({"dataset_id": dataset.id, "base_id": base.id});
    for (pointer, value, path) in [
        ("rank", json!(0), "parameters.rank"),
        ("beta", json!(0), "parameters.beta"),
        ("method", json!("ppo"), "parameters.method"),
        ("dropout", json!(0.9), "parameters.dropout"),
        ("learning_rate", json!("fast"), "parameters.learning_rate"),
        ("colour", json!("red"), "parameters.colour"),
        ("schedule", json!("slow"), "parameters.schedule"),
        ("precision", json!("fp8"), "parameters.precision"),
        ("quantization", json!("int3"), "parameters.quantization"),
        (
            "gradient_checkpointing",
            json!("sometimes"),
            "parameters.gradient_checkpointing",
        ),
        ("target_modules", json!([]), "parameters.target_modules"),
        (
            "early_stopping_patience",
            json!(0),
            "parameters.early_stopping_patience",
        ),
    ] {
        let mut body = good.clone();
        body["parameters"] = json!({pointer: value});
        let problem = member.post("/api/v1/jobs", body).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, path)
        );
    }
    let whole = ready_dataset(&member, &rows(5)).await;
    keep_apart(&member, &whole, 0.0).await;
    let mut unmeasured = good.clone();
    unmeasured["dataset_id"] = json!(whole.id);
    unmeasured["parameters"] = json!({"early_stopping_patience": 2});
    let problem = member.post("/api/v1/jobs", unmeasured).await.problem();
    assert_eq!(problem.details[0].path, "parameters.early_stopping_patience");
    let stranger = server.stranger().await;
    assert_eq!(
        stranger.post("/api/v1/jobs", good.clone()).await.problem().error,
        ErrorCode::NotFound
    );
    let job = start_job(&member, &dataset, None, 1).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    for (method, path) in [(Method::GET, path.clone()), (Method::POST, format!("{path}/cancel"))] {
        let answer = Answer::of(stranger.request(method, &path)).await;
        assert_eq!(answer.problem().error, ErrorCode::NotFound);
    }
    end_of(&member, &job).await;
}

async fn bad_chats_are_refused_as_openai_words_it(server: TestServer) {
    let member = server.member().await;
    let base = built_in_base(&member).await;
    let good = json!({"model": format!("base:{}", base.id), "messages": [{"role": "user", "content": "Hi"}]});
    let long = json!([{"role": "user", "content": "long ".repeat(2000)}]);
    for (field, value, status, param) in [
        ("model", json!("gpt-4"), 404, "model"),
        ("temperature", json!(3), 400, "temperature"),
        ("top_p", json!(0), 400, "top_p"),
        ("n", json!(9), 400, "n"),
        ("frequency_penalty", json!(2.5), 400, "frequency_penalty"),
        ("presence_penalty", json!(-3), 400, "presence_penalty"),
        ("top_logprobs", json!(3), 400, "top_logprobs"),
        ("logit_bias", json!({"50256": -100}), 400, "logit_bias"),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "not a name"}}]),
            400,
            "tools[0].function.name",
        ),
        ("tool_choice", json!("required"), 400, "tool_choice"),
        ("tool_choice", json!({"type": "allowed_tools"}), 400, "tool_choice"),
        (
            "messages",
            json!([{"role": "user", "content": null}]),
            400,
            "messages[0].content",
        ),
        (
            "messages",
            json!([{"role": "tool", "content": "4"}]),
            400,
            "messages[0].tool_call_id",
        ),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "no such type"}}}),
            400,
            "response_format",
        ),
        ("messages", json!([]), 400, "messages"),
        ("messages", long, 400, "messages"),
        ("stop", json!(["a", "b", "c", "d", "e"]), 400, "stop"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = member.post("/v1/chat/completions", body).await;
        let error: WireError = serde_json::from_str(&answer.text).unwrap();
        assert!(!error.error.message.contains("does not fit"), "{}", answer.text);
        assert_eq!(
            (answer.status.as_u16(), error.error.param.as_deref()),
            (status, Some(param)),
            "{}",
            answer.text
        );
    }
    let stranger = server.stranger().await;
    assert_eq!(
        stranger.post("/v1/chat/completions", good.clone()).await.status,
        StatusCode::NOT_FOUND
    );
    let nobody = server.anonymous().post("/v1/chat/completions", good).await;
    let error: WireError = serde_json::from_str(&nobody.text).unwrap();
    assert_eq!(
        (nobody.status.as_u16(), error.error.code.as_deref()),
        (401, Some("invalid_api_key"))
    );
}

async fn bases_are_added_by_directory_and_looked_into(server: TestServer) {
    let member = server.member().await;
    let directory = server.config.data_dir.join("bases/cerebros-tiny");
    let added: Base = member
        .post("/api/v1/bases", json!({"directory": directory}))
        .await
        .data();
    assert_eq!(added.parameters, built_in_base(&member).await.parameters);
    let again = member
        .post("/api/v1/bases", json!({"directory": directory}))
        .await
        .problem();
    assert_eq!(again.error, ErrorCode::Conflict);
    for directory in [
        server.config.data_dir.display().to_string(),
        "/no/such/place".to_owned(),
        "here".to_owned(),
    ] {
        let problem = member
            .post("/api/v1/bases", json!({"directory": directory}))
            .await
            .problem();
        assert_eq!(problem.details[0].path, "directory", "{problem:?}");
    }
    assert_eq!(
        member.delete(&format!("/api/v1/bases/{}", added.id)).await.status,
        StatusCode::NO_CONTENT
    );
    let built_in = format!("/api/v1/bases/{}", built_in_base(&member).await.id);
    assert_eq!(member.delete(&built_in).await.problem().error, ErrorCode::Conflict);
}

async fn a_base_comes_from_the_hub(server: TestServer) {
    use wiremock::{
        Mock, ResponseTemplate,
        matchers::{method, path},
    };
    let hub = &server.hub;
    let directory = server.config.data_dir.join("bases/cerebros-tiny");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let answer = ResponseTemplate::new(200).set_body_bytes(std::fs::read(entry.path()).unwrap());
        Mock::given(method("GET"))
            .and(path(format!("/acme/tiny/resolve/main/{name}")))
            .respond_with(answer)
            .mount(hub)
            .await;
        names.push(json!({"rfilename": name}));
    }
    names.push(json!({"rfilename": "../../escape.safetensors"}));
    let listing = ResponseTemplate::new(200).set_body_json(json!({"siblings": names}));
    Mock::given(method("GET"))
        .and(path("/api/models/acme/tiny"))
        .respond_with(listing)
        .mount(hub)
        .await;
    let member = server.member().await;
    let base: Base = member
        .post("/api/v1/bases", json!({"hub_id": "acme/tiny"}))
        .await
        .data();
    use cerebros_common::bases::BaseStatus;
    let over = |base: &Base| base.status != BaseStatus::Downloading;
    let base: Base = member.wait(&format!("/api/v1/bases/{}", base.id), over).await;
    assert_eq!(
        (base.status, base.parameters),
        (BaseStatus::Ready, built_in_base(&member).await.parameters)
    );
    let absent: Base = member
        .post("/api/v1/bases", json!({"hub_id": "acme/absent"}))
        .await
        .data();
    let absent: Base = member.wait(&format!("/api/v1/bases/{}", absent.id), over).await;
    assert!(absent.error.unwrap().contains("no public model"));
    let problem = member
        .post("/api/v1/bases", json!({"hub_id": "../etc"}))
        .await
        .problem();
    assert_eq!(problem.details[0].path, "hub_id");
}
