//! Webhooks: what is sent, how it is signed, what happens when nobody takes it.

use crate::{
    helpers::{Answer, Client, TestServer},
    training::{end_of, ready_dataset, rows, start_job},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cerebros_api::{Parts, admin::rotate_key};
use cerebros_common::{
    errors::ErrorCode,
    jobs::JobStatus,
    webhooks::{NewWebhookSecret, Webhook, WebhookDelivery, WebhookDeliveryStatus},
    wire::Page,
};
use reqwest::{Method, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

on_both_databases!(
    the_end_of_a_job_is_told_and_signed,
    only_what_is_wanted_is_told,
    what_nobody_takes_waits_and_is_sent_again_on_demand,
    redirects_are_not_followed,
    private_networks_are_not_reached,
    bad_webhooks_are_refused,
    a_webhook_belongs_to_its_workspace,
    secrets_are_encrypted_anew,
);

const WEBHOOKS: &str = "/api/v1/webhooks";

async fn reachable(server: &TestServer) -> TestServer {
    TestServer::start_with(server.kind, |config| {
        config.networks = vec!["127.0.0.0/8".parse().unwrap()]
    })
    .await
}

async fn receiver(answer: ResponseTemplate) -> MockServer {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&receiver).await;
    receiver
}

async fn create(member: &Client, url: &str, events: Value) -> NewWebhookSecret {
    member
        .post(WEBHOOKS, json!({"url": url, "events": events}))
        .await
        .data()
}

fn all() -> Value {
    json!([
        "fine_tuning.job.succeeded",
        "fine_tuning.job.failed",
        "fine_tuning.job.cancelled"
    ])
}

fn path(webhook: &Webhook) -> String {
    format!("{WEBHOOKS}/{}", webhook.id)
}

async fn test(member: &Client, webhook: &Webhook) -> WebhookDelivery {
    member.post_nothing(&format!("{}/test", path(webhook))).await.data()
}

/// The newest delivery, once `wanted` holds of it.
async fn delivery(member: &Client, webhook: &Webhook, wanted: impl Fn(&WebhookDelivery) -> bool) -> WebhookDelivery {
    let settled = |page: &Page<WebhookDelivery>| page.items.first().is_some_and(&wanted);
    let page: Page<WebhookDelivery> = member.wait(&format!("{}/deliveries", path(webhook)), settled).await;
    page.items[0].clone()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

/// As a receiver does it that knows only the specification.
fn verified(request: &Request, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let body = String::from_utf8(request.body.clone()).unwrap();
    let signed = format!(
        "{}.{}.{body}",
        header(request, "webhook-id"),
        header(request, "webhook-timestamp")
    );
    let signature = header(request, "webhook-signature").strip_prefix("v1,").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(signature).unwrap()).is_ok()
}

async fn the_end_of_a_job_is_told_and_signed(server: TestServer) {
    let server = reachable(&server).await;
    let receiver = receiver(ResponseTemplate::new(204)).await;
    let member = server.member().await;
    let fresh = create(&member, &receiver.uri(), all()).await;
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, 1).await;
    assert_eq!(end_of(&member, &job).await.status, JobStatus::Succeeded);
    let delivered = delivery(&member, &fresh.webhook, |delivery| {
        delivery.status == WebhookDeliveryStatus::Delivered
    })
    .await;
    assert_eq!(delivered.event, "fine_tuning.job.succeeded");
    assert_eq!((delivered.attempts, delivered.response_status), (1, Some(204)));
    let requests = receiver.received_requests().await.unwrap();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert!(verified(request, &fresh.secret));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["type"], "fine_tuning.job.succeeded");
    assert_eq!(body["object"], "event");
    assert_eq!(body["data"], json!({"id": format!("ftjob-{}", job.id)}));
    assert_eq!(body["id"], header(request, "webhook-id"));

    // With another secret the next message is signed anew.
    let rotated: NewWebhookSecret = member
        .post_nothing(&format!("{}/rotate", path(&fresh.webhook)))
        .await
        .data();
    let sent = test(&member, &fresh.webhook).await;
    delivery(&member, &fresh.webhook, |delivery| {
        delivery.id == sent.id && delivery.status == WebhookDeliveryStatus::Delivered
    })
    .await;
    let requests = receiver.received_requests().await.unwrap();
    assert!(verified(&requests[1], &rotated.secret));
    assert!(!verified(&requests[1], &fresh.secret));
    server.stop().await;
}

async fn only_what_is_wanted_is_told(server: TestServer) {
    let server = reachable(&server).await;
    let receiver = receiver(ResponseTemplate::new(200)).await;
    let member = server.member().await;
    let failures = create(&member, &receiver.uri(), json!(["fine_tuning.job.failed"]))
        .await
        .webhook;
    let cancels = create(&member, &receiver.uri(), json!(["fine_tuning.job.cancelled"]))
        .await
        .webhook;
    let off = create(&member, &receiver.uri(), all()).await.webhook;
    let patch = member
        .request(Method::PATCH, &path(&off))
        .json(&json!({"active": false}));
    assert!(!Answer::of(patch).await.data::<Webhook>().active);
    let dataset = ready_dataset(&member, &rows(24)).await;
    let job = start_job(&member, &dataset, None, 100).await;
    member.post_nothing(&format!("/api/v1/jobs/{}/cancel", job.id)).await;
    assert_eq!(end_of(&member, &job).await.status, JobStatus::Cancelled);
    let told = delivery(&member, &cancels, |delivery| {
        delivery.status == WebhookDeliveryStatus::Delivered
    })
    .await;
    assert_eq!(
        (told.event.as_str(), told.subject_id),
        ("fine_tuning.job.cancelled", job.id.0)
    );
    for silent in [&failures, &off] {
        let page: Page<WebhookDelivery> = member.get(&format!("{}/deliveries", path(silent))).await.data();
        assert_eq!(page.total, 0);
    }
    server.stop().await;
}

async fn what_nobody_takes_waits_and_is_sent_again_on_demand(server: TestServer) {
    let server = reachable(&server).await;
    let receiver = MockServer::start().await;
    let failing = Mock::given(any()).respond_with(ResponseTemplate::new(500));
    failing.up_to_n_times(1).mount(&receiver).await;
    let member = server.member().await;
    let webhook = create(&member, &receiver.uri(), all()).await.webhook;
    let sent = test(&member, &webhook).await;
    assert_eq!((sent.status, sent.attempts), (WebhookDeliveryStatus::Pending, 0));
    let waiting = delivery(&member, &webhook, |delivery| delivery.attempts == 1).await;
    assert_eq!(waiting.status, WebhookDeliveryStatus::Pending);
    assert_eq!(waiting.response_status, Some(500));
    assert!(waiting.error.unwrap().contains("500"));
    let retry = format!("{}/deliveries/{}/retry", path(&webhook), sent.id);
    let early = member.post_nothing(&retry).await.problem();
    assert_eq!(early.error, ErrorCode::Conflict);

    // Switched off, it is given up at the next attempt; the seconds until then pass here at once.
    let patch = member
        .request(Method::PATCH, &path(&webhook))
        .json(&json!({"active": false}));
    assert_eq!(Answer::of(patch).await.status, StatusCode::OK);
    server
        .execute("update tasks set run_at = 0 where name = 'deliver_webhook' and status = 'queued'")
        .await;
    let given_up = delivery(&member, &webhook, |delivery| {
        delivery.status == WebhookDeliveryStatus::Failed
    })
    .await;
    assert!(given_up.error.unwrap().contains("switched off"));
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&receiver)
        .await;
    let patch = member
        .request(Method::PATCH, &path(&webhook))
        .json(&json!({"active": true}));
    assert_eq!(Answer::of(patch).await.status, StatusCode::OK);
    let again: WebhookDelivery = member.post_nothing(&retry).await.data();
    assert_eq!(again.status, WebhookDeliveryStatus::Pending);
    let delivered = delivery(&member, &webhook, |delivery| {
        delivery.status == WebhookDeliveryStatus::Delivered
    })
    .await;
    assert_eq!((delivered.id, delivered.error), (sent.id, None));
    server.stop().await;
}

async fn redirects_are_not_followed(server: TestServer) {
    let server = reachable(&server).await;
    let elsewhere = receiver(ResponseTemplate::new(200)).await;
    let receiver = receiver(ResponseTemplate::new(307).insert_header("location", elsewhere.uri())).await;
    let member = server.member().await;
    let webhook = create(&member, &receiver.uri(), all()).await.webhook;
    test(&member, &webhook).await;
    let refused = delivery(&member, &webhook, |delivery| delivery.attempts == 1).await;
    assert!(refused.error.unwrap().contains("redirects are not followed"));
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
    server.stop().await;
}

async fn private_networks_are_not_reached(server: TestServer) {
    let member = server.member().await;
    for url in [
        "http://127.0.0.1:9/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
    ] {
        let problem = member.post(WEBHOOKS, json!({"url": url})).await.problem();
        assert_eq!(problem.details[0].path, "url", "{url}");
        assert!(problem.details[0].message.contains("private network"), "{problem:?}");
    }
    // A name is judged once it is resolved.
    let webhook = create(&member, "https://localhost:9/", all()).await.webhook;
    test(&member, &webhook).await;
    let refused = delivery(&member, &webhook, |delivery| delivery.attempts == 1).await;
    assert!(refused.error.unwrap().contains("private network"));
}

async fn bad_webhooks_are_refused(server: TestServer) {
    let member = server.member().await;
    for (body, field) in [
        (json!({"url": "nowhere"}), "url"),
        (json!({"url": "ftp://example.org/"}), "url"),
        (json!({"url": "http://1.1.1.1/"}), "url"),
        (json!({"url": "https://user@example.org/"}), "url"),
        (json!({"url": "https://example.org/", "events": []}), "events"),
        (
            json!({"url": "https://example.org/", "events": ["job.done"]}),
            "events[0]",
        ),
        (json!({"url": "https://example.org/", "secret": "mine"}), "secret"),
    ] {
        let problem = member.post(WEBHOOKS, body.clone()).await.problem();
        assert_eq!(problem.details[0].path, field, "{body}");
    }
    let usual: NewWebhookSecret = member
        .post(WEBHOOKS, json!({"url": "https://example.org/hook?key=1"}))
        .await
        .data();
    assert_eq!(usual.webhook.events.len(), 3);
    assert!(usual.secret.ends_with(&usual.webhook.hint));
    let listed = member.get(WEBHOOKS).await;
    assert!(!listed.text.contains(&usual.secret));
    for _ in 1..20 {
        create(&member, "https://example.org/", all()).await;
    }
    let full = member
        .post(WEBHOOKS, json!({"url": "https://example.org/"}))
        .await
        .problem();
    assert_eq!(full.error, ErrorCode::Conflict);
    assert_eq!(
        member.delete(&path(&usual.webhook)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        member.delete(&path(&usual.webhook)).await.problem().error,
        ErrorCode::NotFound
    );
    create(&member, "https://example.org/", all()).await;
    server.execute("update members set role = 'editor'").await;
    assert_eq!(member.get(WEBHOOKS).await.problem().error, ErrorCode::Forbidden);
}

async fn a_webhook_belongs_to_its_workspace(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let webhook = create(&member, "https://localhost:9/", all()).await.webhook;
    let sent = test(&member, &webhook).await;
    let own = create(&stranger, "https://localhost:9/", all()).await.webhook;
    assert_eq!(stranger.get(WEBHOOKS).await.data::<Vec<Webhook>>()[0].id, own.id);
    let patch = stranger
        .request(Method::PATCH, &path(&webhook))
        .json(&json!({"active": false}));
    assert_eq!(Answer::of(patch).await.problem().error, ErrorCode::NotFound);
    for path in [
        format!("{}/rotate", path(&webhook)),
        format!("{}/test", path(&webhook)),
        format!("{}/deliveries/{}/retry", path(&webhook), sent.id),
        format!("{}/deliveries/{}/retry", path(&own), sent.id),
    ] {
        assert_eq!(
            stranger.post_nothing(&path).await.problem().error,
            ErrorCode::NotFound,
            "{path}"
        );
    }
    assert_eq!(
        stranger.delete(&path(&webhook)).await.problem().error,
        ErrorCode::NotFound
    );
    assert_eq!(member.get(WEBHOOKS).await.data::<Vec<Webhook>>(), [webhook]);
}

async fn secrets_are_encrypted_anew(server: TestServer) {
    let server = reachable(&server).await;
    let receiver = receiver(ResponseTemplate::new(200)).await;
    let member = server.member().await;
    let fresh = create(&member, &receiver.uri(), all()).await;
    server.stop().await;
    let mut out = Vec::new();
    rotate_key(&server.config, &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("1 stored keys"), "{out}");
    let again = cerebros_api::start(server.config.clone(), Parts::All).await.unwrap();
    let member = member.at_running(&again);
    test(&member, &fresh.webhook).await;
    delivery(&member, &fresh.webhook, |delivery| {
        delivery.status == WebhookDeliveryStatus::Delivered
    })
    .await;
    assert!(verified(&receiver.received_requests().await.unwrap()[0], &fresh.secret));
    again.stop().await;
}
