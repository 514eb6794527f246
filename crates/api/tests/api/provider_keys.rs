use crate::helpers::{Client, TestServer};
use cerebros_api::{Parts, admin::rotate_key};
use cerebros_common::{
    bases::{Base, BaseStatus},
    errors::ErrorCode,
    provider_keys::{Provider, ProviderKey},
};
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, method, path},
};

on_both_databases!(
    a_key_goes_in_and_never_comes_out,
    bad_keys_are_refused,
    the_hub_gets_the_key_and_nobody_else,
    a_base_that_one_workspace_fetched_is_not_given_to_another,
    keys_are_encrypted_anew_with_a_new_secret_in_the_file,
    keys_are_encrypted_anew_with_a_new_secret_in_the_environment,
);

const KEYS: &str = "/api/v1/provider-keys";
const HUGGINGFACE: &str = "/api/v1/provider-keys/huggingface";
const SECRET: &str = "hf_canary0123456789";

async fn put(client: &Client, secret: &str) -> crate::helpers::Answer {
    let request = client.request(Method::PUT, HUGGINGFACE);
    crate::helpers::Answer::of(request.json(&json!({"secret": secret}))).await
}

async fn stored(server: &TestServer) -> Vec<(String, String)> {
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let sql = "select key_id, ciphertext from provider_keys";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    let column = |row: &sea_orm::QueryResult, name: &str| row.try_get::<String>("", name).unwrap();
    rows.iter()
        .map(|row| (column(row, "key_id"), column(row, "ciphertext")))
        .collect()
}

async fn a_key_goes_in_and_never_comes_out(server: TestServer) {
    let member = server.member().await;
    assert_eq!(member.get(KEYS).await.data::<Vec<ProviderKey>>(), []);
    let answer = put(&member, SECRET).await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    let key: ProviderKey = answer.data();
    assert_eq!((key.provider, key.hint.as_str()), (Provider::Huggingface, "6789"));
    let listed = member.get(KEYS).await;
    assert!(!listed.text.contains("canary"));
    assert_eq!(listed.data::<Vec<ProviderKey>>(), [key]);
    let replaced: ProviderKey = put(&member, "hf_another_0000").await.data();
    assert_eq!(replaced.hint, "0000");
    assert_eq!(member.get(KEYS).await.data::<Vec<ProviderKey>>(), [replaced]);
    let [(_, ciphertext)] = &stored(&server).await[..] else {
        panic!()
    };
    assert!(!ciphertext.contains(&hex::encode("another")));
    assert_eq!(member.delete(HUGGINGFACE).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.delete(HUGGINGFACE).await.problem().error, ErrorCode::NotFound);
    assert_eq!(stored(&server).await, []);
    let entries: Value = member.get("/api/v1/audit?noun=provider_key").await.data();
    assert_eq!(entries["items"].as_array().unwrap().len(), 3);
    assert_eq!(server.stranger().await.get(KEYS).await.data::<Vec<ProviderKey>>(), []);
}

async fn bad_keys_are_refused(server: TestServer) {
    let member = server.member().await;
    for secret in [
        "short",
        "hf_with a space in it",
        "hf_line\nbreak_0123",
        "hf_ünïcode_0123",
        &"x".repeat(501),
    ] {
        let problem = put(&member, secret).await.problem();
        assert_eq!(problem.details[0].path, "secret", "{secret}");
    }
    let unknown = member.request(Method::PUT, "/api/v1/provider-keys/nobody");
    let unknown = crate::helpers::Answer::of(unknown.json(&json!({"secret": SECRET}))).await;
    assert_eq!(unknown.problem().error, ErrorCode::NotFound);
    server.execute("update members set role = 'editor'").await;
    assert_eq!(put(&member, SECRET).await.problem().error, ErrorCode::Forbidden);
    assert_eq!(member.get(KEYS).await.problem().error, ErrorCode::Forbidden);
    assert_eq!(member.delete(HUGGINGFACE).await.problem().error, ErrorCode::Forbidden);
}

/// Lets the hub have `acme/gated` for whoever sends the key; the weights lie on another host.
async fn gated(server: &TestServer, elsewhere: &MockServer) {
    let bearer = format!("Bearer {SECRET}");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(server.config.data_dir.join("bases/cerebros-tiny")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let bytes = ResponseTemplate::new(200).set_body_bytes(std::fs::read(entry.path()).unwrap());
        let here = format!("/acme/gated/resolve/main/{name}");
        let answer = if name.ends_with(".safetensors") {
            let there = format!("/weights/{name}");
            Mock::given(path(&there)).respond_with(bytes).mount(elsewhere).await;
            ResponseTemplate::new(302).insert_header("location", format!("{}{there}", elsewhere.uri()))
        } else {
            bytes
        };
        let file = Mock::given(method("GET"))
            .and(path(here))
            .and(header("authorization", bearer.as_str()));
        file.respond_with(answer).mount(&server.hub).await;
        names.push(json!({"rfilename": name}));
    }
    let listing = ResponseTemplate::new(200).set_body_json(json!({"siblings": names}));
    Mock::given(path("/api/models/acme/gated"))
        .and(header("authorization", bearer.as_str()))
        .respond_with(listing)
        .mount(&server.hub)
        .await;
    let refused = Mock::given(any())
        .respond_with(ResponseTemplate::new(401))
        .with_priority(10);
    refused.mount(&server.hub).await;
}

async fn fetched(client: &Client) -> Base {
    let base: Base = client
        .post("/api/v1/bases", json!({"hub_id": "acme/gated"}))
        .await
        .data();
    let over = |base: &Base| base.status != BaseStatus::Downloading;
    client.wait(&format!("/api/v1/bases/{}", base.id), over).await
}

async fn the_hub_gets_the_key_and_nobody_else(server: TestServer) {
    let elsewhere = MockServer::start().await;
    gated(&server, &elsewhere).await;
    let member = server.member().await;
    let without = fetched(&member).await;
    assert!(without.error.unwrap().contains("store a Hugging Face key"));
    member.delete(&format!("/api/v1/bases/{}", without.id)).await;
    put(&member, "hf_a_wrong_key_0000").await;
    let wrong = fetched(&member).await;
    assert!(wrong.error.unwrap().contains("Hugging Face key may read"));
    member.delete(&format!("/api/v1/bases/{}", wrong.id)).await;
    put(&member, SECRET).await;
    let base = fetched(&member).await;
    assert_eq!(base.status, BaseStatus::Ready, "{:?}", base.error);
    let redirected = elsewhere.received_requests().await.unwrap();
    assert!(!redirected.is_empty());
    for request in redirected {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
}

async fn a_base_that_one_workspace_fetched_is_not_given_to_another(server: TestServer) {
    let elsewhere = MockServer::start().await;
    gated(&server, &elsewhere).await;
    let (member, stranger) = (server.member().await, server.stranger().await);
    put(&member, SECRET).await;
    assert_eq!(fetched(&member).await.status, BaseStatus::Ready);
    assert_eq!(fetched(&stranger).await.status, BaseStatus::Error);
}

async fn keys_are_encrypted_anew_with_a_new_secret_in_the_file(server: TestServer) {
    let elsewhere = MockServer::start().await;
    gated(&server, &elsewhere).await;
    let member = server.member().await;
    put(&member, SECRET).await;
    if server.kind == crate::helpers::Kind::Sqlite {
        let refused = rotate_key(&server.config, &mut Vec::new())
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("another process"), "{refused}");
    }
    server.stop().await;
    let before = stored(&server).await;
    let mut out = Vec::new();
    rotate_key(&server.config, &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("1 stored keys"), "{out}");
    let after = stored(&server).await;
    assert_ne!((&before[0].0, &before[0].1), (&after[0].0, &after[0].1));
    let again = cerebros_api::start(server.config.clone(), Parts::All).await.unwrap();
    let member = member.at_running(&again);
    assert_eq!(fetched(&member).await.status, BaseStatus::Ready);
    again.stop().await;
    cerebros_api::admin::verify_audit(&server.config, &mut Vec::new())
        .await
        .unwrap();
}

async fn keys_are_encrypted_anew_with_a_new_secret_in_the_environment(server: TestServer) {
    let (first, second) = ("11".repeat(32), "22".repeat(32));
    let mut keyed =
        TestServer::start_with(server.kind, |config| config.secret_keys = Some(first.parse().unwrap())).await;
    let member = keyed.member().await;
    put(&member, SECRET).await;
    keyed.stop().await;
    keyed.config.secret_keys = Some(format!("{second},{first}").parse().unwrap());
    let mut out = Vec::new();
    rotate_key(&keyed.config, &mut out).await.unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("secret.key"));
    assert!(!keyed.config.data_dir.join("secret.key").exists());
    // The old one is needed no more to read what is stored.
    keyed.config.secret_keys = Some(second.parse().unwrap());
    let elsewhere = MockServer::start().await;
    gated(&keyed, &elsewhere).await;
    let again = cerebros_api::start(keyed.config.clone(), Parts::All).await.unwrap();
    assert_eq!(fetched(&member.at_running(&again)).await.status, BaseStatus::Ready);
    again.stop().await;
}
