//! The training of an agent in five stages, on one adapter.

use crate::{
    deletions::{delete, done},
    documents::ready,
    exports::{exported, imported, workspace},
    helpers::{Client, ServerProcess, TestServer, TrainerProcess},
    training::built_in_base,
};
use cerebros_common::{
    accounts::Session,
    agents::{Agent, AgentStatus},
    datasets::{Dataset, DatasetSource, RowsKind},
    errors::ErrorCode,
    examples::Example,
    jobs::{Job, JobStatus, TrainingMethod},
    models::{Lineage, Model},
    trainings::{StageKind, StageStatus, Training, TrainingStatus},
    wire::Page,
};
use serde_json::{Value, json};

on_both_databases!(
    |config| config.training_prices.0 = vec![("*".to_owned(), 3_600_000_000)];
    the_stages_follow_each_other_on_one_adapter,
    a_stage_with_nothing_to_learn_from_is_skipped,
    what_cannot_be_trained_is_refused,
    a_stage_that_fails_is_tried_again_and_the_next_ones_follow,
    a_cancelled_training_ends_and_makes_room,
    a_training_survives_kills_of_the_server,
    a_training_goes_with_its_agent_and_stops_with_its_documents,
    an_export_takes_a_training_along,
);

/// An assistant with something for each stage.
async fn agent(client: &Client) -> Agent {
    let agent: Agent = client.post("/api/v1/agents", json!({"name": "Archivist"})).await.data();
    let text = |what: &str| {
        let line = |index| format!("{what} {index} is about the binders of the year {}.\n\n", 1990 + index);
        (0..8).map(line).collect::<String>().into_bytes()
    };
    ready(client, &agent, "work_product", "report.txt", &text("Report")).await;
    ready(client, &agent, "communication", "letters.txt", &text("Letter")).await;
    ready(client, &agent, "reference", "rules.txt", &text("Rule")).await;
    example(client, &agent).await;
    agent
}

/// Written by hand, it is approved.
async fn example(client: &Client, agent: &Agent) {
    for shelf in 0..4 {
        let body =
            json!({"agent_id": agent.id, "prompt": format!("What is on shelf {shelf}?"), "response": "Binders."});
        client.post("/api/v1/examples", body).await.data::<Example>();
    }
}

fn path(agent: &Agent) -> String {
    format!("/api/v1/agents/{}/training", agent.id)
}

async fn order(client: &Client, epochs: u32) -> Value {
    let parameters = json!({
        "rank": 4, "epochs": epochs, "batch_size": 4, "max_seq_length": 128, "learning_rate": 0.003,
        "early_stopping_patience": 50,
    });
    json!({"base_id": built_in_base(client).await.id, "parameters": parameters})
}

pub async fn begin(client: &Client, agent: &Agent, epochs: u32) -> Training {
    let answer = client.post(&path(agent), order(client, epochs).await).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("location"), Some(path(agent).as_str()));
    answer.data()
}

/// The training once nothing of it is under way.
async fn rest(client: &Client, agent: &Agent) -> Training {
    client
        .wait(&path(agent), |training: &Training| {
            training.status != TrainingStatus::Running
        })
        .await
}

pub async fn cancel(client: &Client, agent: &Agent) -> Training {
    let path = path(agent);
    client.post_nothing(&format!("{path}/cancel")).await.data::<Training>();
    let still = |training: &Training| training.stages.iter().all(|stage| stage.status != StageStatus::Running);
    client.wait(&path, still).await
}

fn statuses(training: &Training) -> Vec<StageStatus> {
    training.stages.iter().map(|stage| stage.status).collect()
}

fn job(training: &Training, kind: StageKind) -> &Job {
    let stage = training.stages.iter().find(|stage| stage.kind == kind).unwrap();
    stage.job.as_ref().unwrap()
}

async fn model(client: &Client, job: &Job) -> Model {
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    let id = job.model_id.unwrap();
    client.get(&format!("/api/v1/models/{id}")).await.data()
}

async fn the_stages_follow_each_other_on_one_adapter(server: TestServer) {
    use StageStatus::{Succeeded, Waiting};
    let member = server.member().await;
    let agent = agent(&member).await;
    let begun = begin(&member, &agent, 1).await;
    assert_eq!(begun.status, TrainingStatus::Running);
    assert_eq!(
        begun.stages.iter().map(|stage| stage.kind).collect::<Vec<_>>(),
        StageKind::ALL
    );
    assert_eq!(
        statuses(&begun),
        [StageStatus::Queued, Waiting, Waiting, Waiting, Waiting]
    );
    let why = begun.stages[1].reason.as_deref();
    assert_eq!(why, Some("Starts once stage I has ended."));
    let at = format!("/api/v1/agents/{}", agent.id);
    let seen: Agent = member.get(&at).await.data();
    let third = |training: &Training| training.stages[1].status == Succeeded;
    member.wait(&path(&agent), third).await;
    let later: Agent = member.get(&at).await.data();
    // Unless it was faster than the reader.
    assert!(
        matches!(
            (seen.status, later.status),
            (
                AgentStatus::Stage1Training | AgentStatus::Stage2Training,
                AgentStatus::Stage3Training | AgentStatus::Stage4Training | AgentStatus::Stage5Personalization
            ) | (_, AgentStatus::Ready)
        ),
        "{seen:?} {later:?}"
    );
    let training = rest(&member, &agent).await;
    assert_eq!(
        (training.status, statuses(&training)),
        (TrainingStatus::Succeeded, vec![Succeeded; 5])
    );

    let mut before: Option<Model> = None;
    for stage in &training.stages {
        let job = stage.job.as_ref().unwrap();
        assert_eq!(job.initial_model_id, before.as_ref().map(|model| model.id));
        assert_eq!(
            (job.stage, Some(job.dataset_id)),
            (Some(stage.kind.number()), stage.dataset_id)
        );
        assert!(stage.reason.is_none() && stage.cost_micros >= Some(0));
        let (plan, dataset) = (
            job.plan.as_ref().unwrap(),
            format!("/api/v1/datasets/{}", job.dataset_id),
        );
        let dataset: Dataset = member.get(&dataset).await.data();
        assert_eq!(dataset.report.unwrap().rows_accepted, stage.rows);
        assert_eq!(
            (plan.truncated_rows, plan.dropped_rows),
            match stage.kind {
                // Some of the instructions are longer than this test's rows may be.
                StageKind::Instructions => (plan.truncated_rows, plan.dropped_rows),
                _ => (0, 0),
            }
        );
        let expected = match stage.kind {
            StageKind::Instructions => (
                DatasetSource::Instructions,
                RowsKind::Conversations,
                TrainingMethod::Supervised,
            ),
            StageKind::Personalization => (
                DatasetSource::Examples,
                RowsKind::Conversations,
                TrainingMethod::Supervised,
            ),
            _ => (DatasetSource::Documents, RowsKind::Texts, TrainingMethod::Text),
        };
        assert_eq!((dataset.source, dataset.rows_kind.unwrap(), plan.method), expected);
        before = Some(model(&member, job).await);
    }
    // All documents' text, each kind's alone, what comes with the product, and the examples.
    let rows: Vec<u64> = training.stages.iter().map(|stage| stage.rows).collect();
    assert!(rows[0] > rows[1] + rows[2] && rows[1] > 1, "{rows:?}");
    assert!(rows[3] >= 40 && rows[4] == 4, "{rows:?}");
    let last = before.unwrap();
    let lineage: Lineage = member.get(&format!("/api/v1/models/{}/lineage", last.id)).await.data();
    let names: Vec<&str> = lineage.earlier.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Archivist, stage IV",
            "Archivist, stage III",
            "Archivist, stage II",
            "Archivist, stage I"
        ]
    );
    let live: Agent = member.get(&at).await.data();
    assert_eq!(
        (live.status, live.model_id, last.name.as_str()),
        (AgentStatus::Ready, Some(last.id), "Archivist")
    );
    assert!(
        job(&training, StageKind::Instructions)
            .plan
            .as_ref()
            .unwrap()
            .train_rows
            > 30
    );

    // Another one takes the same instructions, and leaves the live model alone until its end.
    let again = begin(&member, &agent, 1).await;
    assert_ne!(again.id, training.id);
    assert_eq!(again.stages[3].dataset_id, training.stages[3].dataset_id);
    assert_ne!(again.stages[4].dataset_id, training.stages[4].dataset_id);
    member
        .wait(&path(&agent), |training: &Training| {
            training.stages[0].status == Succeeded
        })
        .await;
    cancel(&member, &agent).await;
    let live: Agent = member.get(&at).await.data();
    assert_eq!((live.status, live.model_id), (AgentStatus::Ready, Some(last.id)));
}

async fn a_stage_with_nothing_to_learn_from_is_skipped(server: TestServer) {
    use StageStatus::{Skipped, Succeeded};
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    example(&member, &agent).await;
    begin(&member, &agent, 1).await;
    let training = rest(&member, &agent).await;
    assert_eq!(training.status, TrainingStatus::Succeeded);
    assert_eq!(statuses(&training), [Skipped, Skipped, Skipped, Succeeded, Succeeded]);
    let reasons: Vec<&str> = training
        .stages
        .iter()
        .filter_map(|stage| stage.reason.as_deref())
        .collect();
    assert_eq!(
        reasons,
        [
            "The assistant had no document with text.",
            "The assistant had no communication with text.",
            "The assistant had no work product with text.",
        ]
    );
    assert_eq!(job(&training, StageKind::Instructions).initial_model_id, None);
    let first = job(&training, StageKind::Instructions).model_id;
    assert_eq!(job(&training, StageKind::Personalization).initial_model_id, first);
}

async fn what_cannot_be_trained_is_refused(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "A"})).await.data();
    assert_eq!(member.get(&path(&agent)).await.problem().error, ErrorCode::NotFound);
    let cancelled = member.post_nothing(&format!("{}/cancel", path(&agent))).await.problem();
    assert_eq!(cancelled.error, ErrorCode::NotFound);
    let nothing = member.post(&path(&agent), order(&member, 1).await).await.problem();
    assert_eq!(nothing.error, ErrorCode::Conflict);
    assert!(
        nothing.detail.contains("nothing of this assistant's"),
        "{}",
        nothing.detail
    );
    assert_eq!(server.number("select count(*) from datasets").await, 0);
    example(&member, &agent).await;
    let mut body = order(&member, 1).await;
    body["parameters"]["method"] = json!("dpo");
    let method = member.post(&path(&agent), body).await.problem();
    assert_eq!(method.details[0].path, "parameters.method");
    let mut body = order(&member, 1).await;
    body["stages"] = json!([1]);
    assert_eq!(
        member.post(&path(&agent), body).await.problem().details[0].path,
        "stages"
    );

    // One at a time, whoever comes first.
    let body = order(&member, 100).await;
    let at = path(&agent);
    let (one, two) = tokio::join!(member.post(&at, body.clone()), member.post(&at, body.clone()));
    let mut answers = [one.status.as_u16(), two.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [201, 409]);
    let third = member.post(&path(&agent), body).await.problem();
    assert!(third.detail.contains("being trained already"), "{}", third.detail);
    assert_eq!(server.number("select count(*) from trainings").await, 1);
    let kept = std::fs::read_dir(server.config.data_dir.join("blobs/datasets")).unwrap();
    let of_workspace = kept.flatten().next().unwrap().path();
    let files = std::fs::read_dir(of_workspace).unwrap().count();
    assert_eq!(files as i64, server.number("select count(*) from datasets").await);
    cancel(&member, &agent).await;
}

async fn a_stage_that_fails_is_tried_again_and_the_next_ones_follow(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let begun = begin(&member, &agent, 20).await;
    let second = |training: &Training| training.stages[1].job.is_some();
    let training: Training = member.wait(&path(&agent), second).await;
    let second = format!("/api/v1/jobs/{}", job(&training, StageKind::Communications).id);
    member.post_nothing(&format!("{second}/cancel")).await.data::<Job>();
    let halted = rest(&member, &agent).await;
    assert_eq!(halted.status, TrainingStatus::Halted);
    assert_eq!(halted.stages[1].status, StageStatus::Cancelled);
    let why = halted.stages[2].reason.clone().unwrap();
    assert!(why.contains("stage II was cancelled. Resume that"), "{why}");
    server
        .execute("update jobs set status = 'failed', failure = '{\"code\":\"internal\",\"message\":\"m\",\"remedy\":\"r\"}' where status = 'cancelled'")
        .await;
    let failed: Training = member.get(&path(&agent)).await.data();
    assert_eq!(
        (failed.status, failed.stages[1].status),
        (TrainingStatus::Halted, StageStatus::Failed)
    );
    let why = failed.stages[2].reason.clone().unwrap();
    assert!(why.contains("stage II has failed. Try that again"), "{why}");

    member.post_nothing(&format!("{second}/retry")).await.data::<Job>();
    let paused = |training: &Training| training.stages[1].status == StageStatus::Running;
    member.wait(&path(&agent), paused).await;
    member.post_nothing(&format!("{second}/pause")).await;
    let halted = rest(&member, &agent).await;
    // It may have ended before it could be paused.
    if halted.status == TrainingStatus::Halted {
        let why = halted.stages[2].reason.clone().unwrap();
        assert!(why.contains("stage II is paused. Resume that"), "{why}");
        let busy = member.post(&path(&agent), order(&member, 1).await).await.problem();
        assert!(busy.detail.contains("being trained already"), "{}", busy.detail);
        member.post_nothing(&format!("{second}/resume")).await.data::<Job>();
    }
    let training = rest(&member, &agent).await;
    assert_eq!((training.id, training.status), (begun.id, TrainingStatus::Succeeded));
    let line = model(&member, job(&training, StageKind::Personalization)).await;
    let lineage: Lineage = member.get(&format!("/api/v1/models/{}/lineage", line.id)).await.data();
    assert_eq!(lineage.earlier.len(), 4);
}

async fn a_cancelled_training_ends_and_makes_room(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let begun = begin(&member, &agent, 100).await;
    let running = |training: &Training| training.stages[0].status == StageStatus::Running;
    member.wait(&path(&agent), running).await;
    let listed: Page<Agent> = member.get("/api/v1/agents?status=stage1_training").await.data();
    assert_eq!(listed.items.len(), 1);
    let cancelled = cancel(&member, &agent).await;
    assert_eq!((cancelled.id, cancelled.status), (begun.id, TrainingStatus::Cancelled));
    assert_eq!(statuses(&cancelled), [StageStatus::Cancelled; 5]);
    let why = cancelled.stages[4].reason.as_deref();
    assert_eq!(why, Some("The training was cancelled before this stage."));
    let again = member.post_nothing(&format!("{}/cancel", path(&agent))).await.problem();
    assert_eq!(again.error, ErrorCode::Conflict);
    let seen: Agent = member.get(&format!("/api/v1/agents/{}", agent.id)).await.data();
    assert_eq!((seen.status, seen.model_id), (AgentStatus::Draft, None));

    // Its job resumed is a job alone: nothing follows, and its model does not answer.
    let first = format!("/api/v1/jobs/{}", job(&cancelled, StageKind::Foundation).id);
    server
        .execute("update jobs set parameters = replace(parameters, '\"epochs\":100', '\"epochs\":1')")
        .await;
    let directory = server
        .config
        .data_dir
        .join(format!("jobs/{}", job(&cancelled, StageKind::Foundation).id));
    std::fs::remove_dir_all(directory).unwrap();
    member.post_nothing(&format!("{first}/resume")).await.data::<Job>();
    let resumed: Job = member.wait(&first, |job: &Job| job.status.is_over()).await;
    assert_eq!(resumed.status, JobStatus::Succeeded, "{:?}", resumed.failure);
    let after: Training = member.get(&path(&agent)).await.data();
    assert!(after.stages[1].job.is_none());
    let seen: Agent = member.get(&format!("/api/v1/agents/{}", agent.id)).await.data();
    assert_eq!(seen.model_id, None);

    let next = begin(&member, &agent, 100).await;
    assert_ne!(next.id, begun.id);
    // One that has halted gives way to another.
    let job = job(&next, StageKind::Foundation).id;
    member
        .post_nothing(&format!("/api/v1/jobs/{job}/cancel"))
        .await
        .data::<Job>();
    assert_eq!(rest(&member, &agent).await.status, TrainingStatus::Halted);
    let third = begin(&member, &agent, 100).await;
    assert_ne!(third.id, next.id);
    let given_up = "select count(*) from trainings where cancelled_at is not null";
    assert_eq!(server.number(given_up).await, 2);
    cancel(&member, &agent).await;
}

async fn a_training_survives_kills_of_the_server(server: TestServer) {
    let member = server.member().await;
    let undisturbed = agent(&member).await;
    begin(&member, &undisturbed, 6).await;
    let expected = rest(&member, &undisturbed).await;

    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let agent = agent(&client).await;
    begin(&client, &agent, 6).await;
    for kind in [StageKind::Foundation, StageKind::WorkProducts] {
        let under_way = |training: &Training| {
            let stage = &training.stages[usize::from(kind.number()) - 1];
            stage
                .job
                .as_ref()
                .is_some_and(|job| TrainerProcess::of(job).is_some() || job.status.is_over())
        };
        client.wait(&path(&agent), under_way).await;
        process = process.kill_and_restart().await;
        client = process.client(&client);
    }
    let training = rest(&client, &agent).await;
    assert_eq!(training.status, TrainingStatus::Succeeded);
    for kind in StageKind::ALL {
        let (one, other) = (job(&training, kind), job(&expected, kind));
        let (one, other) = (model(&client, one).await, model(&member, other).await);
        assert_eq!(one.sha256, other.sha256, "{kind:?}");
    }
    let jobs: Page<Job> = client.get("/api/v1/jobs").await.data();
    assert_eq!(jobs.total, 5);
}

async fn a_training_goes_with_its_agent_and_stops_with_its_documents(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    begin(&member, &agent, 100).await;
    member
        .wait(&path(&agent), |training: &Training| {
            training.stages[0].status == StageStatus::Running
        })
        .await;
    let documents: Page<Value> = member
        .get(&format!("/api/v1/documents?agent_id={}", agent.id))
        .await
        .data();
    let letters = documents
        .items
        .iter()
        .find(|document| document["name"] == "letters.txt")
        .unwrap();
    let deletion = delete(&member, "document", letters["id"].as_str().unwrap(), "letters.txt").await;
    done(&member, &deletion).await;
    let halted = rest(&member, &agent).await;
    assert_eq!(
        (halted.status, halted.stages[0].status),
        (TrainingStatus::Halted, StageStatus::Cancelled)
    );
    let resume = format!("/api/v1/jobs/{}/resume", job(&halted, StageKind::Foundation).id);
    assert_eq!(member.post_nothing(&resume).await.problem().error, ErrorCode::Conflict);
    // Without it, another one begins; its second stage has nothing to learn from.
    let next = begin(&member, &agent, 100).await;
    assert_eq!(next.stages[1].status, StageStatus::Skipped);
    cancel(&member, &agent).await;
    let deletion = delete(&member, "agent", agent.id, &agent.name).await;
    done(&member, &deletion).await;
    assert_eq!(member.get(&path(&agent)).await.problem().error, ErrorCode::NotFound);
    for table in ["trainings", "training_stages"] {
        assert_eq!(server.number(&format!("select count(*) from {table}")).await, 0);
    }
}

async fn an_export_takes_a_training_along(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    begin(&member, &agent, 100).await;
    let first = |training: &Training| training.stages[0].status == StageStatus::Running;
    let training: Training = member.wait(&path(&agent), first).await;
    let first = format!("/api/v1/jobs/{}", job(&training, StageKind::Foundation).id);
    member.post_nothing(&format!("{first}/cancel")).await.data::<Job>();
    let halted = rest(&member, &agent).await;
    let id = workspace(&member).await;
    let (bytes, _) = exported(&member, &format!("/api/v1/workspaces/{id}/export")).await;

    let fresh = TestServer::start_with(server.kind, |_| {}).await;
    let other = fresh.sign_up("other@example.org").await;
    fresh.stop().await;
    let here = imported(&fresh, &bytes, "other@example.org").await.unwrap();
    let again = cerebros_api::start(fresh.config.clone(), cerebros_api::Parts::All)
        .await
        .unwrap();
    let other = other.at_running(&again);
    let session: Session = other.get("/api/v1/auth/session").await.data();
    let other = other.within(
        session
            .workspaces
            .iter()
            .find(|workspace| workspace.id == here)
            .unwrap(),
    );
    let agents: Page<Agent> = other.get("/api/v1/agents").await.data();
    let copy: Training = other.get(&path(&agents.items[0])).await.data();
    assert_eq!(
        (copy.status, statuses(&copy)),
        (TrainingStatus::Halted, statuses(&halted))
    );
    assert_eq!(copy.parameters, halted.parameters);
    let rows = |training: &Training| training.stages.iter().map(|stage| stage.rows).collect::<Vec<_>>();
    assert_eq!(rows(&copy), rows(&halted));
    assert_ne!(copy.stages[4].dataset_id, halted.stages[4].dataset_id);
    again.stop().await;
}
