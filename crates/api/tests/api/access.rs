//! Every operation of the OpenAPI document against everybody who might ask: what the document says about roles and scopes
//! is what happens, and no id leads across workspaces. Requests are made from the document, so a new operation is walked
//! too; an id in it that names no known noun fails the walk.

use crate::{
    account, batches, comparisons,
    concepts::found,
    contract, events,
    helpers::{Answer, Client, TestServer, fixture},
    members::{self, workspace},
    model_exports,
    training::{built_in_base, end_of, ready_dataset, rows, start_job},
    trainings,
};
use cerebros_common::{
    accounts::{DeviceSession, Profile},
    agents::Agent,
    api_keys::{KeyScope, NewApiKeySecret},
    conversations::Conversation,
    deletions::{Deletion, DeletionStatus},
    diagrams::Diagram,
    documents::{Chunk, Document, DocumentStatus},
    errors::ErrorCode,
    examples::Example,
    models::Model,
    notifications::Notification,
    uploads::Upload,
    webhooks::{NewWebhookSecret, Webhook, WebhookDelivery},
    wire::{CursorPage, Page},
    workspaces::{Role, SentInvitation, Workspace},
};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Map, Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

on_both_databases!(roles_and_scopes_are_as_documented, no_id_leads_to_another_workspace);

const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";
const PASSWORD: &str = "correct horse battery";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Access {
    Open,
    SignedIn,
    Member(Role, KeyScope),
}

/// An operation, and how to ask for it.
struct Operation {
    id: String,
    method: Method,
    path: String,
    access: Access,
    parameters: Vec<Value>,
    /// Media type and schema.
    body: Option<(String, Value)>,
}

/// The id that stands for a noun (`agents`) in a request.
type Aim<'a> = &'a dyn Fn(&str) -> String;

fn operations(document: &Value) -> Vec<Operation> {
    contract::operations(document)
        .into_iter()
        .map(|(method, path, operation)| Operation {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.parse().unwrap(),
            access: access(&path, &operation["security"]),
            path,
            parameters: operation["parameters"].as_array().cloned().unwrap_or_default(),
            body: operation["requestBody"]["content"].as_object().map(|content| {
                let (media_type, body) = content.iter().next().unwrap();
                (media_type.clone(), body["schema"].clone())
            }),
        })
        .collect()
}

fn access(path: &str, security: &Value) -> Access {
    if *security == json!([{}]) {
        return Access::Open;
    }
    if *security == json!([{"session": []}]) {
        return Access::SignedIn;
    }
    let role = serde_json::from_value(security[1]["api_key"][0].clone());
    let scope = serde_json::from_value(security[1]["api_key"][1].clone());
    let (Ok(role), Ok(scope)) = (role, scope) else {
        panic!("{path} says nothing about who may use it: {security}");
    };
    assert_eq!(security[0]["session"], json!([role]), "{path}");
    Access::Member(role, scope)
}

/// The noun that a field or parameter holds an id of.
fn noun_of(operation: &str, field: &str) -> &'static str {
    match field {
        // Of the first kind of subject, a document.
        "id" if operation.ends_with("_deletion") => "documents",
        "agent_id" | "subject_id" => "agents",
        "document_id" | "document_ids" => "documents",
        "chunk_id" => "chunks",
        "dataset_id" | "validation_dataset_id" | "version_of" | "from_id" => "datasets",
        "base_id" => "bases",
        "concept_id" | "into_id" => "concepts",
        "conversation_id" => "conversations",
        "model_id" | "against_id" | "initial_model_id" => "models",
        "workspace_id" => "workspaces",
        "user_id" | "actor" => "users",
        "ids" | "duplicate_of" => "examples",
        "batch_id" => "batches",
        "delivery_id" => "deliveries",
        other => panic!("{operation}: of which noun is `{other}`? Add it to the walk"),
    }
}

impl Operation {
    fn request(&self, client: &Client, document: &Value, aim: Aim) -> RequestBuilder {
        let mut path = self.path.clone();
        if path.contains("{id}") {
            let noun = path.split('/').rev().skip_while(|part| *part != "{id}").nth(1).unwrap();
            path = path.replace("{id}", &aim(noun));
        }
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap();
            let schema = resolve(document, &parameter["schema"]);
            let is_id = schema["format"] == "uuid";
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match parameter["in"].as_str().unwrap() {
                "path" if name == "id" => {}
                "path" => path = path.replace(&format!("{{{name}}}"), &text(self.fill(document, &schema, name, aim))),
                "query" if is_id || parameter["required"] == true => {
                    query.push((name.to_owned(), text(self.fill(document, &schema, name, aim))));
                }
                "header" if name == "If-Match" => headers.push((header::IF_MATCH, "*")),
                _ => {}
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", serde_urlencoded::to_string(&query).unwrap());
        }
        let mut request = client.request(self.method.clone(), &path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match &self.body {
            None => request,
            Some((media_type, schema)) if media_type == "application/json" => {
                request.json(&self.fill(document, schema, "", aim))
            }
            Some((media_type, _)) if media_type == "multipart/form-data" => {
                let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mine.txt\"\r\n\r\n\
                            Some text of mine.\r\n--b--\r\n";
                request
                    .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
                    .body(file)
            }
            Some((media_type, _)) => request
                .header(header::CONTENT_TYPE, media_type.replace("*", "png"))
                .body(account::picture()),
        }
    }

    /// A value that the schema allows. Ids are aimed; of objects it has what is required and all ids, of patches everything.
    fn fill(&self, document: &Value, schema: &Value, name: &str, aim: Aim) -> Value {
        let schema = resolve(document, schema);
        if schema["format"] == "uuid" {
            return json!(aim(noun_of(&self.id, name)));
        }
        if let Some(words) = schema["enum"].as_array() {
            return words[0].clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap().clone(),
            kind => kind.clone(),
        };
        match kind.as_str().unwrap_or("object") {
            "string" => json!(self.text(&schema, name, aim)),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(false),
            "array" => {
                let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
                let items = (0..least).map(|_| self.fill(document, &schema["items"], name, aim));
                Value::Array(items.collect())
            }
            _ => {
                let mut object = Map::new();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    let required = schema["required"]
                        .as_array()
                        .is_some_and(|all| all.contains(&json!(name)));
                    let inner = resolve(document, property);
                    let is_id = inner["format"] == "uuid" || resolve(document, &inner["items"])["format"] == "uuid";
                    if required || is_id || self.method == Method::PATCH {
                        object.insert(name.clone(), self.fill(document, property, name, aim));
                    }
                }
                match self.id.as_str() {
                    "create_base" => object.insert("directory".to_owned(), json!("/nowhere")),
                    "create_api_key" => object.insert("scopes".to_owned(), json!(["admin"])),
                    _ => None,
                };
                Value::Object(object)
            }
        }
    }

    fn text(&self, schema: &Value, name: &str, aim: Aim) -> String {
        match name {
            "model" if self.id == "create_fine_tuning_job" => format!("base:{}", aim("bases")),
            "model" => format!("agent:{}", aim("agents")),
            "file_id" | "training_file" => format!("file-{}", aim("datasets")),
            "fine_tuning_job_id" => format!("ftjob-{}", aim("jobs")),
            "q" => "remote work".to_owned(),
            "source" => "flowchart LR\n  A --> B\n".to_owned(),
            "email" => "somebody@example.org".to_owned(),
            "token" => "0".repeat(64),
            name if name.contains("password") => PASSWORD.to_owned(),
            _ if schema["format"] == "date-time" => "2100-01-01T00:00:00Z".to_owned(),
            _ => "x".repeat(schema["minLength"].as_u64().unwrap_or(1) as usize),
        }
    }
}

/// What a schema stands for: references followed, the first alternative that is not null.
fn resolve(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolve(document, document.pointer(&reference[1..]).unwrap());
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let one = choices.iter().find(|one| one["type"] != "null").unwrap();
            return resolve(document, one);
        }
    }
    schema.clone()
}

/// An answer; of a stream only that it began.
async fn ask(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let stream = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().unwrap().starts_with("text/event-stream"));
    let text = if stream {
        String::new()
    } else {
        String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned()
    };
    (status, text)
}

/// The code of a refusal, on both surfaces.
fn code_of(text: &str) -> Option<ErrorCode> {
    let problem: Value = serde_json::from_str(text).ok()?;
    serde_json::from_value(problem["error"].clone())
        .or_else(|_| match problem["error"]["code"].as_str() {
            Some("invalid_api_key") => Ok(ErrorCode::Unauthenticated),
            _ => serde_json::from_value(problem["error"]["code"].clone()),
        })
        .ok()
}

async fn sign_in(server: &TestServer, email: &str) -> Client {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = server.anonymous().post("/api/v1/auth/sign-in", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    server.anonymous().with_cookie(answer.session_cookie())
}

async fn key(client: &Client, scopes: &[KeyScope]) -> NewApiKeySecret {
    let body = json!({"name": "walk", "scopes": scopes});
    client.post("/api/v1/api-keys", body).await.data()
}

/// Everybody who may or may not use a workspace.
struct Cast {
    workspace: Workspace,
    roles: HashMap<Role, Client>,
    /// With one scope each, of the owner.
    keys: HashMap<KeyScope, Client>,
    /// Whose session or key does not count any more.
    refused: Vec<(&'static str, Client)>,
}

async fn cast(server: &TestServer) -> Cast {
    let owner = server.sign_up("owner@example.org").await;
    let workspace = workspace(&owner, "Team").await;
    let mut roles = HashMap::new();
    for role in Role::ALL {
        let person = if role == Role::Owner {
            owner.clone()
        } else {
            let person = server.sign_up(&format!("{}@example.org", role.name())).await;
            members::join(&owner, &workspace, &person, role).await;
            person
        };
        roles.insert(role, person.within(&workspace));
    }
    let owner = owner.within(&workspace);
    let mut keys = HashMap::new();
    for scope in KeyScope::ALL {
        let secret = key(&owner, &[scope]).await.secret;
        keys.insert(scope, server.anonymous().with_key(&secret));
    }
    let revoked_key = key(&owner, &KeyScope::ALL).await;
    let expired_key = key(&owner, &KeyScope::ALL).await;
    server
        .execute("update api_keys set expires_at = created_at where scopes like '%read%admin%'")
        .await;
    owner
        .delete(&format!("/api/v1/api-keys/{}", revoked_key.api_key.id))
        .await;
    let (revoked, expired) = (
        sign_in(server, "owner@example.org").await,
        sign_in(server, "owner@example.org").await,
    );
    let sessions: Page<DeviceSession> = owner.get("/api/v1/sessions").await.data();
    server
        .edit_session("expires_at", chrono::Utc::now(), sessions.items[0].id)
        .await;
    owner
        .delete(&format!("/api/v1/sessions/{}", sessions.items[1].id))
        .await;
    let refused = vec![
        ("nobody", server.anonymous()),
        ("a revoked key", server.anonymous().with_key(&revoked_key.secret)),
        ("an expired key", server.anonymous().with_key(&expired_key.secret)),
        ("a revoked session", revoked.within(&workspace)),
        ("an expired session", expired.within(&workspace)),
    ];
    Cast {
        workspace,
        roles,
        keys,
        refused,
    }
}

async fn roles_and_scopes_are_as_documented(server: TestServer) {
    let cast = cast(&server).await;
    server.sign_up("walker@example.org").await;
    let document = contract::document();
    // What is asked for exists nowhere but the workspace itself, so nothing happens to it on the way.
    let own = cast.workspace.id.to_string();
    let nothing: Aim = &|noun| {
        if noun == "workspaces" {
            own.clone()
        } else {
            NOBODYS.to_owned()
        }
    };
    let mut faults = Vec::new();
    for operation in operations(&document) {
        let mut check = async |who: &str, client: &Client, wanted: Option<ErrorCode>| {
            let (status, text) = ask(operation.request(client, &document, nothing)).await;
            let code = code_of(&text);
            let right = match wanted {
                Some(_) => code == wanted,
                None => {
                    use ErrorCode::{Forbidden, MissingScope, Unauthenticated};
                    let refused = matches!(code, Some(Unauthenticated | MissingScope | Forbidden));
                    !refused && (!status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE)
                }
            };
            if !right {
                faults.push(format!(
                    "{who} at {}, expected {wanted:?}: {status} {text}",
                    operation.id
                ));
            }
        };
        if operation.access == Access::Open {
            check("nobody", &server.anonymous(), None).await;
            continue;
        }
        for (who, client) in &cast.refused {
            check(who, client, Some(ErrorCode::Unauthenticated)).await;
        }
        match operation.access {
            Access::Open => {}
            Access::SignedIn => {
                check("somebody", &sign_in(&server, "walker@example.org").await, None).await;
                for client in cast.keys.values() {
                    check("a key", client, Some(ErrorCode::Unauthenticated)).await;
                }
            }
            Access::Member(least, scope) => {
                for role in Role::ALL.into_iter().filter(|role| *role <= least) {
                    let wanted = (role < least).then_some(ErrorCode::Forbidden);
                    check(role.name(), &cast.roles[&role], wanted).await;
                }
                for (of_key, client) in &cast.keys {
                    let wanted = (*of_key != scope).then_some(ErrorCode::MissingScope);
                    check(of_key.name(), client, wanted).await;
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A member's rows: one id per noun, and words that stand in them.
struct Rows {
    ids: HashMap<&'static str, String>,
    words: Vec<String>,
}

impl Rows {
    fn shown_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let secrets = self.ids.values().chain(&self.words).map(String::as_str);
        secrets.filter(|secret| text.contains(secret))
    }
}

async fn rows_of(member: &Client) -> Rows {
    let agent: Agent = member.post("/api/v1/agents", json!({"name": "Zanzibar"})).await.data();
    let upload = format!("/api/v1/documents?agent_id={}&kind=work_product", agent.id);
    let name = "remote-work-policy.pdf";
    let document: Document = member.upload(&upload, name, fixture(name)).await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    member
        .wait(&path, |document: &Document| {
            document.status == DocumentStatus::Ready && document.examples > 0
        })
        .await;
    let examples: CursorPage<Example> = member
        .get(&format!("/api/v1/examples?agent_id={}", agent.id))
        .await
        .data();
    let concept = found(member, &document).await.remove(0);
    let new = json!({"title": "Samarkand", "source": "pie\n  \"a\": 1\n", "level": "beginner"});
    let diagram: Diagram = member.post("/api/v1/diagrams", new).await.data();
    let new = json!({"agent_id": agent.id, "title": "Samarkand"});
    let conversation: Conversation = member.post("/api/v1/conversations", new).await.data();
    let chunks: CursorPage<Chunk> = member.get(&format!("{path}/chunks")).await.data();
    let batch = batches::start(member, json!({"agent_id": agent.id})).await;
    batches::rests(member, &batch).await;
    let sessions: Page<DeviceSession> = member.get("/api/v1/sessions").await.data();
    let key = key(member, &KeyScope::USUAL).await;
    let dataset = ready_dataset(member, &rows(6)).await;
    let job = end_of(member, &start_job(member, &dataset, Some(&agent), 1).await).await;
    trainings::begin(member, &agent, 1).await;
    trainings::cancel(member, &agent).await;
    let base = built_in_base(member).await.id.to_string();
    let model: Model = member
        .get(&format!("/api/v1/models/{}", job.model_id.unwrap()))
        .await
        .data();
    let comparison = comparisons::compared(member, &model, None, &["Who holds the key?"]).await;
    let round = comparisons::rounds(member, &comparison).await.remove(0);
    let export = model_exports::exported(member, &model, "peft").await;
    let team = workspace(member, "Timbuktu").await;
    let new = json!({"email": "friend@example.com", "role": "viewer"});
    let sent: SentInvitation = member.within(&team).post("/api/v1/invitations", new).await.data();
    let told: CursorPage<Notification> = member.get("/api/v1/notifications").await.data();
    let picture = member.request(Method::PUT, "/api/v1/account/avatar");
    let picture = picture
        .header(header::CONTENT_TYPE, "image/png")
        .body(account::picture());
    let user = Answer::of(picture).await.data::<Profile>().user;
    let deletion = deletion_of(member, &upload).await;
    let begun: Upload = member
        .post(
            "/api/v1/uploads",
            json!({"agent_id": agent.id, "kind": "reference", "name": "Samarkand.txt", "size_bytes": 10}),
        )
        .await
        .data();
    let hook = json!({"url": "https://localhost:9/"});
    let hook: NewWebhookSecret = member.post("/api/v1/webhooks", hook).await.data();
    let hook = format!("/api/v1/webhooks/{}", hook.webhook.id);
    // Switched off, it gives its message up at once.
    let off = member.request(Method::PATCH, &hook).json(&json!({"active": false}));
    let hooked: Webhook = Answer::of(off).await.data();
    member.post_nothing(&format!("{hook}/test")).await;
    let over = |page: &Page<WebhookDelivery>| page.items[0].finished_at.is_some();
    let deliveries: Page<WebhookDelivery> = member.wait(&format!("{hook}/deliveries"), over).await;
    let personal = members::session(member).await.workspaces[0].id;
    let example = &examples.items[0];
    Rows {
        ids: HashMap::from([
            ("agents", agent.id.to_string()),
            ("documents", document.id.to_string()),
            ("chunks", chunks.items[0].id.to_string()),
            ("batches", batch.id.to_string()),
            ("examples", example.id.to_string()),
            ("concepts", concept.id.to_string()),
            ("diagrams", diagram.id.to_string()),
            ("studies", document.id.to_string()),
            ("conversations", conversation.id.to_string()),
            ("sessions", sessions.items[0].id.to_string()),
            ("api-keys", key.api_key.id.to_string()),
            ("datasets", dataset.id.to_string()),
            ("jobs", job.id.to_string()),
            ("models", model.id.to_string()),
            ("model-exports", export.id.to_string()),
            ("comparisons", comparison.id.to_string()),
            ("comparison-rounds", round.id.to_string()),
            ("bases", base),
            ("workspaces", personal.to_string()),
            ("members", user.id.to_string()),
            ("users", user.id.to_string()),
            ("invitations", sent.invitation.id.to_string()),
            ("notifications", told.items[0].id.to_string()),
            ("deletions", deletion.id.to_string()),
            ("uploads", begun.id.to_string()),
            ("webhooks", hooked.id.to_string()),
            ("deliveries", deliveries.items[0].id.to_string()),
            ("receipts", deletion.receipt_id.to_string()),
        ]),
        words: [
            "Zanzibar",
            "Timbuktu",
            "Samarkand",
            name,
            "member@example.org",
            "friend@example.com",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain([example.response.clone(), key.api_key.prefix])
        .collect(),
    }
}

/// Of a second document.
async fn deletion_of(member: &Client, upload: &str) -> Deletion {
    let document: Document = member.upload(upload, "passing.txt", "It goes again.").await.data();
    let body = json!({"subject": "document", "id": document.id, "confirmation": "passing.txt"});
    let deletion: Deletion = member.post("/api/v1/deletions", body).await.data();
    let path = format!("/api/v1/deletions/{}", deletion.id);
    member
        .wait(&path, |deletion: &Deletion| deletion.status == DeletionStatus::Done)
        .await
}

/// The subject of a deletion may be of four nouns, of which the document alone names one.
async fn nothing_is_deleted(rows: &Rows, stranger: &Client) {
    for (subject, noun) in [
        ("document", "documents"),
        ("agent", "agents"),
        ("workspace", "workspaces"),
        ("account", "users"),
    ] {
        let target = json!({"subject": subject, "id": rows.ids[noun]});
        let preview = stranger.post("/api/v1/deletions/preview", target.clone()).await;
        assert_eq!(preview.status, StatusCode::NOT_FOUND, "{}", preview.text);
        let mut deletion = target;
        deletion["confirmation"] = json!("Zanzibar");
        deletion["password"] = json!(PASSWORD);
        let deletion = stranger.post("/api/v1/deletions", deletion).await;
        assert_eq!(deletion.status, StatusCode::NOT_FOUND, "{}", deletion.text);
    }
}

async fn no_id_leads_to_another_workspace(server: TestServer) {
    let member = server.member().await;
    let rows = rows_of(&member).await;
    let stranger = server.stranger().await;
    let stranger_is = members::session(&stranger).await;
    let secret = key(&stranger, &KeyScope::ALL).await.secret;
    let with_key = server.anonymous().with_key(&secret);
    let home: Workspace = stranger_is.workspaces[0].clone();
    let away = Workspace {
        id: rows.ids["workspaces"].parse().unwrap(),
        ..home.clone()
    };
    let document = contract::document();
    let before = every_row(&server.config.database_url).await;
    for id in rows.ids.values() {
        assert!(before.iter().any(|row| mentions(row, id)), "{id} stands nowhere");
    }
    let mut faults = Vec::new();
    let sent = RefCell::new(Vec::new());
    let at_member: Aim = &|noun| {
        let Some(id) = rows.ids.get(noun) else {
            panic!("the walk has no row of the noun `{noun}`: add one to `rows_of`");
        };
        sent.borrow_mut().push(id.clone());
        id.clone()
    };
    let in_own: Aim = &|_| NOBODYS.to_owned();
    for operation in operations(&document) {
        let id = &operation.id;
        // Some operations end the session, or all others.
        let stranger = sign_in(&server, "stranger@example.org").await;
        sent.borrow_mut().clear();
        for client in [&stranger, &with_key, &server.anonymous()] {
            let (status, text) = ask(operation.request(client, &document, at_member)).await;
            let sent = sent.borrow();
            // A refusal may repeat what it refuses, and so may an answer for whoever knows the id.
            let let_through = status.is_client_error() || operation.access == Access::Open;
            let repeats = |secret: &str| let_through && sent.iter().any(|id| id == secret);
            if let Some(secret) = rows.shown_in(&text).find(|secret| !repeats(secret)) {
                faults.push(format!("{id} shows `{secret}`: {text}"));
            }
            // A filter may also find nothing.
            let filtered = operation.method == Method::GET && !operation.path.contains("{id}");
            if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
                || !sent.is_empty() && operation.access != Access::Open && !status.is_client_error() && !filtered
            {
                faults.push(format!("{id}: {status} {text}"));
            }
        }
        if let Access::Member(..) = operation.access {
            let named = operation.request(&stranger.within(&away), &document, in_own);
            let (status, text) = ask(named).await;
            if !matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST) {
                faults.push(format!("{id} in the member's workspace: {status} {text}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    nothing_is_deleted(&rows, &sign_in(&server, "stranger@example.org").await).await;
    let after = every_row(&server.config.database_url).await;
    let stranger_is = [stranger_is.user.id.to_string(), home.id.to_string()];
    let of_stranger = |row: &str| stranger_is.iter().any(|id| mentions(row, id));
    for row in before.difference(&after).filter(|row| !of_stranger(row)) {
        assert!(MOVES.iter().any(|name| row.starts_with(name)), "changed or gone: {row}");
    }
    for row in after.difference(&before) {
        let of_member = rows.ids.values().find(|id| mentions(row, id));
        assert_eq!(of_member, None, "came with an id of the member: {row}");
    }
    a_stream_tells_of_its_own_workspace_only(&member, &sign_in(&server, "stranger@example.org").await).await;
}

async fn a_stream_tells_of_its_own_workspace_only(member: &Client, stranger: &Client) {
    let reader = stranger.clone();
    let reading = tokio::spawn(async move { events::read(&reader, None, 1).await });
    // Until the stream is open, and then some: it tells of the stranger's agents alone.
    let mut own = Vec::new();
    while !reading.is_finished() {
        member
            .post("/api/v1/agents", json!({"name": "Mine"}))
            .await
            .data::<Agent>();
        own.push(
            stranger
                .post("/api/v1/agents", json!({"name": "Theirs"}))
                .await
                .data::<Agent>()
                .id
                .0,
        );
    }
    assert!(own.contains(&reading.await.unwrap()[0].id));
}

/// Rows that change by themselves: schedules, counters, and the head of the server's own log.
const MOVES: [&str; 4] = ["task_schedules ", "tasks ", "rate_counters ", "audit_heads "];

fn mentions(row: &str, id: &str) -> bool {
    row.contains(id) || row.contains(&id.replace('-', ""))
}

/// Each row of each table as lower-case text, led by the name of its table.
pub async fn every_row(database_url: &str) -> BTreeSet<String> {
    let connection = Database::connect(database_url).await.unwrap();
    let sqlite = connection.get_database_backend() == DbBackend::Sqlite;
    let tables = if sqlite {
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    } else {
        "select table_name::text from information_schema.tables where table_schema = 'public'"
    };
    let mut all = BTreeSet::new();
    for table in texts(&connection, tables.to_owned()).await {
        let row = if sqlite {
            let columns = format!("select 'quote(\"' || name || '\")' from pragma_table_info('{table}')");
            texts(&connection, columns).await.join(" || ' ' || ")
        } else {
            format!("{table}::text")
        };
        for row in texts(&connection, format!("select {row} from {table}")).await {
            all.insert(format!("{table} {}", row.to_lowercase()));
        }
    }
    connection.close().await.unwrap();
    all
}

async fn texts(connection: &DatabaseConnection, sql: String) -> Vec<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
