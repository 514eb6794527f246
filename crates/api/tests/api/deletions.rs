use crate::{
    batches, checkpoints, concepts, diagrams,
    documents::ready,
    examples::all,
    helpers::{Client, Kind, ServerProcess, TestServer},
    members,
    training::{built_in_base, end_of, ready_dataset, rows},
};
use cerebros_api::admin::{verify_audit, verify_receipt};
use cerebros_common::{
    accounts::Session,
    agents::Agent,
    api_keys::NewApiKeySecret,
    chat::WireError,
    concepts::Concept,
    datasets::{Dataset, DatasetStatus},
    deletions::{Deletion, DeletionCounts, DeletionPreview, DeletionStatus, Receipt, ReceiptStatement},
    documents::Document,
    errors::ErrorCode,
    jobs::{Job, JobStatus},
    models::Model,
    search::SearchResult,
    wire::Page,
};
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;

on_both_databases!(
    a_preview_tells_what_goes,
    only_who_may_delete_deletes,
    a_confirmation_must_fit,
    a_deleted_document_leaves_no_trace,
    a_deleted_agent_leaves_no_trace,
    a_deleted_workspace_leaves_no_trace,
    a_deleted_account_leaves_no_trace,
    an_account_that_others_need_stays,
    what_learned_from_a_deleted_document_answers_no_more,
    a_job_on_deleted_text_is_stopped,
    a_receipt_proves_itself,
    a_deletion_run_twice_changes_nothing,
    a_deletion_survives_kills_of_the_server,
);

const DELETIONS: &str = "/api/v1/deletions";
const PREVIEW: &str = "/api/v1/deletions/preview";

/// Words that stand nowhere else, each with another beginning: an index shortens words that begin alike.
const IN_DOCUMENT: &str = "qzcanarydocument";
const IN_DOCUMENT_NAME: &str = "vxcanarydocname";
const IN_AGENT_NAME: &str = "jwcanaryagent";
const IN_DATASET_NAME: &str = "kfcanarydataset";
const IN_EXAMPLE: &str = "xycanaryexample";
const IN_PERSON: &str = "wqcanaryperson";

/// A person's assistant with all that is made of a document.
pub struct Made {
    pub agent: Agent,
    pub document: Document,
    pub dataset: Dataset,
    pub model: Model,
}

fn text() -> String {
    let line = |index: usize| {
        format!(
            "Shelf {index} of the {IN_DOCUMENT} archive holds the binders of the year {}, which nobody may take home.\n\n",
            1950 + index
        )
    };
    (0..12).map(line).collect()
}

pub async fn make(client: &Client) -> Made {
    let agent: Agent = client
        .post("/api/v1/agents", json!({"name": IN_AGENT_NAME}))
        .await
        .data();
    let name = format!("{IN_DOCUMENT_NAME}.txt");
    let document = ready(client, &agent, "work_product", &name, text().as_bytes()).await;
    let path = format!("/api/v1/documents/{}", document.id);
    let document = client.wait(&path, |document: &Document| document.examples > 0).await;
    let batch = batches::start(client, json!({"agent_id": agent.id})).await;
    batches::rests(client, &batch).await;
    let template = json!({"instructions": "Ask why."});
    client
        .request(Method::PATCH, "/api/v1/templates/prose")
        .header("if-match", "*")
        .json(&template)
        .send()
        .await
        .unwrap();
    concepts::found(client, &document).await;
    let outline = json!({"from": "document", "document_id": document.id});
    diagrams::drawn(client, &diagrams::draw(client, outline).await).await;
    let manual = json!({"agent_id": agent.id, "prompt": IN_EXAMPLE, "response": "Because."});
    client.post("/api/v1/examples", manual).await.data::<Value>();
    let review = json!({"agent_id": agent.id, "status": "approved"});
    client.post("/api/v1/examples/review", review).await.data::<Value>();
    let new = json!({"agent_id": agent.id, "name": IN_DATASET_NAME});
    let dataset: Dataset = client.post("/api/v1/datasets", new).await.data();
    let path = format!("/api/v1/datasets/{}", dataset.id);
    let settled = |dataset: &Dataset| dataset.status != DatasetStatus::Validating;
    let dataset: Dataset = client.wait(&path, settled).await;
    let job = start(client, &dataset, &agent, 1).await;
    let job = end_of(client, &job).await;
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    let model = client
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data();
    Made {
        agent,
        document,
        dataset,
        model,
    }
}

async fn start(client: &Client, dataset: &Dataset, agent: &Agent, epochs: u32) -> Job {
    let base = built_in_base(client).await;
    let body = json!({
        "dataset_id": dataset.id, "base_id": base.id, "agent_id": agent.id,
        "parameters": {"rank": 2, "epochs": epochs, "max_seq_length": 256},
    });
    client.post("/api/v1/jobs", body).await.data()
}

pub async fn delete(client: &Client, subject: &str, id: impl ToString, confirmation: &str) -> Deletion {
    let body = json!({"subject": subject, "id": id.to_string(), "confirmation": confirmation});
    let answer = client.post(DELETIONS, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.data()
}

pub async fn done(client: &Client, deletion: &Deletion) -> Deletion {
    let path = format!("{DELETIONS}/{}", deletion.id);
    client
        .wait(&path, |deletion: &Deletion| deletion.status == DeletionStatus::Done)
        .await
}

async fn receipt(server: &TestServer, deletion: &Deletion) -> Receipt {
    let path = format!("/api/v1/receipts/{}", deletion.receipt_id);
    let anonymous = server.anonymous();
    let mut changes = server.changes.clone();
    let found = async {
        loop {
            changes.mark_unchanged();
            let answer = anonymous.get(&path).await;
            if answer.status == StatusCode::OK {
                return answer.data();
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(crate::helpers::DEADLINE, found).await.unwrap()
}

/// Which of the words stand anywhere: in a file, a file's name, or a row.
async fn traces(server: &TestServer, words: &[&'static str]) -> Vec<&'static str> {
    let mut bytes = Vec::new();
    collect(&server.config.data_dir, &mut bytes);
    if server.kind == Kind::Postgres {
        let database = Database::connect(&server.config.database_url).await.unwrap();
        let read = |sql: String| {
            let statement = Statement::from_string(database.get_database_backend(), sql);
            let database = &database;
            async move {
                let rows = database.query_all_raw(statement).await.unwrap();
                rows.iter()
                    .map(|row| row.try_get::<String>("", "found").unwrap())
                    .collect::<Vec<_>>()
            }
        };
        let tables = "select table_name::text as found from information_schema.tables where table_schema = 'public'";
        for table in read(tables.to_owned()).await {
            for row in read(format!("select t::text as found from {table} t")).await {
                bytes.extend_from_slice(row.as_bytes());
                bytes.push(b'\n');
            }
        }
    }
    let bytes = bytes.to_ascii_lowercase();
    let stands = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let found = words.iter().filter(|word| stands(word) || stands(&hex::encode(word)));
    found.copied().collect()
}

fn collect(path: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend_from_slice(path.to_str().unwrap().as_bytes());
        if path.is_dir() {
            collect(&path, bytes);
        } else if !path.ends_with("model.safetensors") {
            bytes.extend(std::fs::read(&path).unwrap());
        }
    }
}

async fn personal(client: &Client) -> Session {
    client.get("/api/v1/auth/session").await.data()
}

async fn a_preview_tells_what_goes(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let body = json!({"subject": "document", "id": made.document.id});
    let preview: DeletionPreview = member.post(PREVIEW, body).await.data();
    assert_eq!(preview.confirmation, format!("{IN_DOCUMENT_NAME}.txt"));
    assert_eq!((preview.counts.documents, preview.counts.datasets), (1, 1));
    assert_eq!(preview.counts.examples, made.document.examples);
    let concepts: Page<Concept> = member.get("/api/v1/concepts").await.data();
    assert!(concepts.total > 0);
    let drawn = |counts: &DeletionCounts| (counts.concepts, counts.diagrams);
    assert_eq!(drawn(&preview.counts), (concepts.total, 1));
    assert_eq!(preview.bytes, made.document.size_bytes + made.dataset.size_bytes);
    assert_eq!(preview.datasets[0].id, made.dataset.id.0);
    assert_eq!(preview.models[0].id, made.model.id.0);
    let body = json!({"subject": "agent", "id": made.agent.id});
    let agent: DeletionPreview = member.post(PREVIEW, body).await.data();
    assert_eq!(agent.confirmation, IN_AGENT_NAME);
    assert_eq!(agent.counts.examples, made.document.examples + 1);
    assert_eq!(drawn(&agent.counts), (concepts.total, 1));
    let session = personal(&member).await;
    let body = json!({"subject": "account", "id": session.user.id});
    let account: DeletionPreview = member.post(PREVIEW, body).await.data();
    assert_eq!(account.confirmation, "member@example.org");
    assert_eq!((account.counts.workspaces, account.counts.models), (1, 1));
    assert_eq!(drawn(&account.counts), (concepts.total, 1));
    assert_eq!(account.workspaces[0].id, session.workspaces[0].id.0);
    assert_eq!(account.bytes, preview.bytes + made.model.size_bytes);
    // Nothing has gone.
    assert_eq!(all(&member, "").await.len() as u64, agent.counts.examples);
}

async fn only_who_may_delete_deletes(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Mine"})).await.data();
    let session = personal(&member).await;
    let key: NewApiKeySecret = member.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let key = member.with_key(&key.secret);
    let workspace = session.workspaces[0].id;
    for path in [PREVIEW, DELETIONS] {
        for (client, subject, id, code) in [
            (&stranger, "agent", agent.id.0, ErrorCode::NotFound),
            (&stranger, "workspace", workspace.0, ErrorCode::NotFound),
            (&stranger, "account", session.user.id.0, ErrorCode::NotFound),
            (&key, "account", session.user.id.0, ErrorCode::Forbidden),
            (&key, "workspace", workspace.0, ErrorCode::MissingScope),
            (&key, "workspace", agent.id.0, ErrorCode::NotFound),
        ] {
            let mut body = json!({"subject": subject, "id": id});
            if path == DELETIONS {
                body["confirmation"] = json!("Mine");
                body["password"] = json!("correct horse battery");
            }
            let problem = client.post(path, body).await.problem();
            assert_eq!(problem.error, code, "{path} {subject}");
        }
    }
    let own = json!({"subject": "workspace", "id": workspace, "confirmation": "Somebody"});
    assert_eq!(member.post(DELETIONS, own).await.problem().error, ErrorCode::Conflict);
    server.execute("update members set role = 'reviewer'").await;
    let body = json!({"subject": "agent", "id": agent.id, "confirmation": "Mine"});
    assert_eq!(member.post(DELETIONS, body).await.problem().error, ErrorCode::Forbidden);
    server.execute("update members set role = 'editor'").await;
    let deletion = delete(&member, "agent", agent.id, "Mine").await;
    let theirs = stranger.get(&format!("{DELETIONS}/{}", deletion.id)).await;
    assert_eq!(theirs.problem().error, ErrorCode::NotFound);
    done(&member, &deletion).await;
}

async fn a_confirmation_must_fit(server: TestServer) {
    let member = server.member().await;
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Mine"})).await.data();
    let user = personal(&member).await.user;
    for (body, field) in [
        (
            json!({"subject": "agent", "id": agent.id, "confirmation": "mine"}),
            "confirmation",
        ),
        (json!({"subject": "agent", "id": agent.id}), "confirmation"),
        (
            json!({"subject": "account", "id": user.id, "confirmation": user.email}),
            "password",
        ),
        (
            json!({"subject": "account", "id": user.id, "confirmation": user.email, "password": "wrong"}),
            "password",
        ),
        (
            json!({"subject": "account", "id": user.id, "confirmation": "x", "password": "correct horse battery"}),
            "confirmation",
        ),
    ] {
        let problem = member.post(DELETIONS, body).await.problem();
        assert_eq!((problem.status, problem.details[0].path.as_str()), (400, field));
    }
    assert_eq!(
        member.get(&format!("/api/v1/agents/{}", agent.id)).await.status,
        StatusCode::OK
    );
}

async fn a_deleted_document_leaves_no_trace(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let words = [IN_DOCUMENT, IN_DOCUMENT_NAME];
    assert_eq!(traces(&server, &words).await, words);
    let path = format!("/api/v1/documents/{}", made.document.id);
    let deletion = delete(&member, "document", made.document.id, &made.document.name).await;
    assert_eq!(member.get(&path).await.status, StatusCode::NOT_FOUND);
    let search = format!("/api/v1/search?q={IN_DOCUMENT}");
    assert_eq!(member.get(&search).await.data::<SearchResult>().passages.len(), 0);
    done(&member, &deletion).await;
    assert_eq!(traces(&server, &words).await, [] as [&str; 0]);
    // The rest stays, without what it held of it.
    assert_eq!(
        member.get(&format!("/api/v1/agents/{}", made.agent.id)).await.status,
        StatusCode::OK
    );
    assert_eq!(all(&member, "").await.len(), 1);
    let dataset: Dataset = member
        .get(&format!("/api/v1/datasets/{}", made.dataset.id))
        .await
        .data();
    assert_eq!(
        (dataset.status, dataset.name.as_str()),
        (DatasetStatus::Erased, IN_DATASET_NAME)
    );
    for part in ["rows", "content"] {
        let problem = member
            .get(&format!("/api/v1/datasets/{}/{part}", made.dataset.id))
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::Conflict, "{part}");
    }
}

async fn a_deleted_agent_leaves_no_trace(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let words = [IN_DOCUMENT, IN_DOCUMENT_NAME, IN_EXAMPLE];
    assert_eq!(traces(&server, &words).await, words);
    let path = format!("/api/v1/agents/{}", made.agent.id);
    let gone = member.delete_any_version(&path).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path).await.status, StatusCode::NOT_FOUND);
    server.until_done("erase").await;
    assert_eq!(traces(&server, &words).await, [] as [&str; 0]);
}

async fn a_deleted_workspace_leaves_no_trace(server: TestServer) {
    let member = server.member().await;
    let team = members::workspace(&member, "Team").await;
    let workspace = team.id.0;
    let inside = member.within(&team);
    let key: NewApiKeySecret = inside.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let key = inside.with_key(&key.secret);
    let made = make(&inside).await;
    let running = start(&inside, &made.dataset, &made.agent, 100).await;
    inside
        .wait(&format!("/api/v1/jobs/{}", running.id), |job: &Job| job.step > 0)
        .await;
    let words = [
        IN_DOCUMENT,
        IN_DOCUMENT_NAME,
        IN_AGENT_NAME,
        IN_DATASET_NAME,
        IN_EXAMPLE,
    ];
    assert_eq!(traces(&server, &words).await, words);
    let deletion = delete(&member, "workspace", workspace, "Team").await;
    assert_eq!(inside.get("/api/v1/agents").await.status, StatusCode::NOT_FOUND);
    assert_eq!(key.get("/api/v1/agents").await.status, StatusCode::UNAUTHORIZED);
    let deletion = done(&member, &deletion).await;
    assert_eq!((deletion.counts.workspaces, deletion.counts.jobs), (1, 2));
    assert_eq!(traces(&server, &words).await, [] as [&str; 0]);
    assert_eq!(rows_of(&server, workspace).await, Vec::<String>::new());
    verify_audit(&server.config, &mut Vec::new()).await.unwrap();
    assert_eq!(personal(&member).await.workspaces.len(), 1);
}

/// Tables that still hold a row of a workspace; the server's own log and the deletion itself may name it.
async fn rows_of(server: &TestServer, workspace: Uuid) -> Vec<String> {
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let backend = database.get_database_backend();
    let sql = match server.kind {
        Kind::Sqlite => {
            "select m.name as found from sqlite_master m join pragma_table_info(m.name) c \
             where m.type = 'table' and c.name = 'workspace_id' and m.name <> 'deletions'"
        }
        Kind::Postgres => {
            "select table_name::text as found from information_schema.columns \
             where table_schema = 'public' and column_name = 'workspace_id' and table_name <> 'deletions'"
        }
    };
    let tables = database
        .query_all_raw(Statement::from_string(backend, sql))
        .await
        .unwrap();
    assert!(tables.len() > 10);
    let mut left = Vec::new();
    for table in tables {
        let table: String = table.try_get("", "found").unwrap();
        let sql = format!("select 1 as one from {table} where workspace_id = $1 limit 1");
        let statement = Statement::from_sql_and_values(backend, sql, [workspace.into()]);
        if database.query_one_raw(statement).await.unwrap().is_some() {
            left.push(table);
        }
    }
    left
}

/// How many rows each table has.
pub async fn rows_of_tables(server: &TestServer) -> Vec<(String, i64)> {
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let backend = database.get_database_backend();
    let sql = match server.kind {
        Kind::Sqlite => "select name as found from sqlite_master where type = 'table' order by name",
        Kind::Postgres => {
            "select table_name::text as found from information_schema.tables where table_schema = 'public' order by 1"
        }
    };
    let mut counts = Vec::new();
    for table in database
        .query_all_raw(Statement::from_string(backend, sql))
        .await
        .unwrap()
    {
        let table: String = table.try_get("", "found").unwrap();
        let statement = Statement::from_string(backend, format!("select count(*) as total from {table}"));
        let total = database.query_one_raw(statement).await.unwrap().unwrap();
        counts.push((table, total.try_get("", "total").unwrap()));
    }
    counts
}

async fn a_deleted_account_leaves_no_trace(server: TestServer) {
    let email = format!("{IN_PERSON}@example.org");
    let member = server.sign_up(&email).await;
    make(&member).await;
    let session = personal(&member).await;
    let key: NewApiKeySecret = member.post("/api/v1/api-keys", json!({"name": "k"})).await.data();
    let words = [
        IN_DOCUMENT,
        IN_DOCUMENT_NAME,
        IN_AGENT_NAME,
        IN_DATASET_NAME,
        IN_EXAMPLE,
        IN_PERSON,
    ];
    assert_eq!(traces(&server, &words).await, words);
    let body = json!({
        "subject": "account", "id": session.user.id, "confirmation": email, "password": "correct horse battery",
    });
    let deletion: Deletion = member.post(DELETIONS, body).await.data();
    assert_eq!(
        member.get("/api/v1/auth/session").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        member.with_key(&key.secret).get("/api/v1/agents").await.status,
        StatusCode::UNAUTHORIZED
    );
    let receipt = receipt(&server, &deletion).await;
    let statement: ReceiptStatement = serde_json::from_str(&receipt.payload).unwrap();
    assert_eq!(statement.subject_id, session.user.id.0);
    assert_eq!((statement.counts.workspaces, statement.counts.agents), (1, 1));
    assert_eq!(traces(&server, &words).await, [] as [&str; 0]);
    verify_audit(&server.config, &mut Vec::new()).await.unwrap();
    // The address is free again.
    server.sign_up(&email).await;
}

async fn an_account_that_others_need_stays(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let (mine, theirs) = (personal(&member).await, personal(&stranger).await);
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let sql = "insert into members (workspace_id, user_id, role) values ($1, $2, 'viewer')";
    let values = [mine.workspaces[0].id.0, theirs.user.id.0].map(sea_orm::Value::from);
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    database.execute_raw(statement).await.unwrap();
    let body = |session: &Session| {
        json!({
            "subject": "account", "id": session.user.id, "confirmation": session.user.email,
            "password": "correct horse battery",
        })
    };
    let preview = json!({"subject": "account", "id": mine.user.id});
    let preview: DeletionPreview = member.post(PREVIEW, preview).await.data();
    assert_eq!(preview.blocking[0].id, mine.workspaces[0].id.0);
    assert_eq!(preview.workspaces, []);
    assert_eq!(
        member.post(DELETIONS, body(&mine)).await.problem().error,
        ErrorCode::Conflict
    );
    // Who is merely a member goes, and the workspace of the other notes it.
    let deletion: Deletion = stranger.post(DELETIONS, body(&theirs)).await.data();
    receipt(&server, &deletion).await;
    let left: Value = member.get("/api/v1/audit?action=left&noun=member").await.data();
    assert_eq!(left["items"][0]["subject_id"], json!(theirs.user.id));
    verify_audit(&server.config, &mut Vec::new()).await.unwrap();
}

async fn what_learned_from_a_deleted_document_answers_no_more(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let path = format!("/api/v1/agents/{}", made.agent.id);
    assert_eq!(member.get(&path).await.data::<Agent>().model_id, Some(made.model.id));
    // Trained further on something else, a model still knows it.
    let other = ready_dataset(&member, &rows(4)).await;
    let further = json!({
        "dataset_id": other.id, "base_id": made.model.base_id, "initial_model_id": made.model.id,
        "parameters": {"rank": 2, "epochs": 1, "max_seq_length": 64},
    });
    let further: Job = member.post("/api/v1/jobs", further).await.data();
    let further = end_of(&member, &further).await.model_id.unwrap();
    let learned: Job = member.get(&format!("/api/v1/jobs/{}", made.model.job_id)).await.data();
    assert!(!checkpoints::kept(&member, &learned).await.is_empty());
    let deleted = member.delete(&format!("/api/v1/documents/{}", made.document.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let model: Model = member.get(&format!("/api/v1/models/{}", made.model.id)).await.data();
    assert!(model.source_deleted_at.is_some() && !model.serving);
    assert!(checkpoints::kept(&member, &learned).await.is_empty());
    let further: Model = member.get(&format!("/api/v1/models/{further}")).await.data();
    assert!(further.source_deleted_at.is_some());
    let agent: Agent = member.get(&path).await.data();
    assert_eq!(agent.model_id, None);
    let chosen = member
        .patch(&path, agent.version, json!({"model_id": made.model.id}))
        .await;
    assert_eq!(chosen.problem().error, ErrorCode::SourceDeleted);
    let chat = json!({"model": made.model.id, "messages": [{"role": "user", "content": "Where?"}]});
    let refused = member.post("/v1/chat/completions", chat).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let error: WireError = serde_json::from_str(&refused.text).unwrap();
    assert_eq!(error.error.code.as_deref(), Some("source_deleted"));
    assert!(!member.get("/v1/models").await.text.contains(&made.model.id.to_string()));
    let adapter = member.get(&format!("/api/v1/models/{}/adapter", made.model.id)).await;
    assert_eq!(adapter.bytes.len() as u64, made.model.size_bytes);
    let base = built_in_base(&member).await;
    let job = json!({"dataset_id": made.dataset.id, "base_id": base.id});
    assert_eq!(
        member.post("/api/v1/jobs", job).await.problem().error,
        ErrorCode::Conflict
    );
}

async fn a_job_on_deleted_text_is_stopped(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let job = start(&member, &made.dataset, &made.agent, 100).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    member.wait(&path, |job: &Job| job.step > 0).await;
    let directory = server.config.data_dir.join(format!("jobs/{}", job.id));
    assert!(directory.exists());
    let deletion = delete(&member, "document", made.document.id, &made.document.name).await;
    done(&member, &deletion).await;
    assert_eq!(member.get(&path).await.data::<Job>().status, JobStatus::Cancelled);
    assert!(!directory.exists());
    let resumed = member.post_nothing(&format!("{path}/resume")).await;
    assert_eq!(resumed.problem().error, ErrorCode::Conflict);
    assert_eq!(traces(&server, &[IN_DOCUMENT]).await, [] as [&str; 0]);
}

async fn a_receipt_proves_itself(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let deletion = delete(&member, "document", made.document.id, &made.document.name).await;
    done(&member, &deletion).await;
    let receipt = receipt(&server, &deletion).await;
    let statement: ReceiptStatement = serde_json::from_str(&receipt.payload).unwrap();
    assert_eq!(
        (statement.subject_id, statement.counts.documents),
        (made.document.id.0, 1)
    );
    assert_eq!(statement.flagged_models, [made.model.id.0]);
    assert_eq!(traces_in(&receipt.payload), [] as [&str; 0]);
    let keys = server.anonymous().get("/.well-known/cerebros-receipts.json").await;
    assert!(keys.text.contains(&receipt.public_key));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("receipt.json");
    let check = |receipt: &Receipt, key: Option<String>| {
        std::fs::write(&file, serde_json::to_vec(receipt).unwrap()).unwrap();
        let mut out = Vec::new();
        verify_receipt(&server.config, &file, key, &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    assert!(check(&receipt, None).unwrap().contains(&made.document.id.to_string()));
    check(&receipt, Some(receipt.public_key.clone())).unwrap();
    check(&receipt, Some("00".repeat(32))).unwrap_err();
    let mut changed = receipt.clone();
    changed.payload = changed.payload.replace("\"documents\":1", "\"documents\":0");
    assert_ne!(changed.payload, receipt.payload);
    check(&changed, None).unwrap_err();
    changed = receipt.clone();
    changed.signature = "00".repeat(64);
    check(&changed, None).unwrap_err();
    // As the API gives it.
    let path = format!("/api/v1/receipts/{}", deletion.receipt_id);
    std::fs::write(&file, server.anonymous().get(&path).await.bytes).unwrap();
    verify_receipt(&server.config, &file, None, &mut Vec::new()).unwrap();
    let unknown = server
        .anonymous()
        .get(&format!("/api/v1/receipts/{}", deletion.id))
        .await;
    assert_eq!(unknown.problem().error, ErrorCode::NotFound);
}

fn traces_in(text: &str) -> Vec<&'static str> {
    let words = [
        IN_DOCUMENT,
        IN_DOCUMENT_NAME,
        IN_AGENT_NAME,
        IN_DATASET_NAME,
        IN_EXAMPLE,
    ];
    words.into_iter().filter(|word| text.contains(word)).collect()
}

async fn a_deletion_run_twice_changes_nothing(server: TestServer) {
    let member = server.member().await;
    let made = make(&member).await;
    let deletion = delete(&member, "agent", made.agent.id, IN_AGENT_NAME).await;
    let finished = done(&member, &deletion).await;
    let first = receipt(&server, &deletion).await;
    server.rerun("erase").await;
    assert_eq!(
        member
            .get(&format!("{DELETIONS}/{}", deletion.id))
            .await
            .data::<Deletion>(),
        finished
    );
    assert_eq!(receipt(&server, &deletion).await, first);
}

async fn a_deletion_survives_kills_of_the_server(server: TestServer) {
    let mut process = ServerProcess::start(server.kind).await;
    let mut client = process.member().await;
    let made = make(&client).await;
    let deletion = delete(&client, "agent", made.agent.id, IN_AGENT_NAME).await;
    for reads in [0, 1, 3] {
        for _ in 0..reads {
            client.get("/api/v1/agents").await.data::<Value>();
        }
        process = process.kill_and_restart().await;
        client = process.client(&client);
    }
    let finished = done(&client, &deletion).await;
    assert_eq!(finished.counts, deletion.counts);
    let receipt: Receipt = client
        .get(&format!("/api/v1/receipts/{}", deletion.receipt_id))
        .await
        .data();
    assert!(receipt.payload.contains(&made.agent.id.to_string()));
    let mut bytes = Vec::new();
    collect(process.data_dir(), &mut bytes);
    for word in [IN_DOCUMENT, IN_EXAMPLE] {
        assert!(
            !bytes.windows(word.len()).any(|window| window == word.as_bytes()),
            "{word}"
        );
    }
}
