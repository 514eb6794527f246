//! Links by mail, read in the outbox of a server on trial.

use crate::helpers::{Answer, Client, DEADLINE, TestServer};
use cerebros_api::{Config, config::MailConfig};
use cerebros_common::{
    accounts::{DeviceSession, EmailChange, OutboxMail, OutboxMails, ServerFacts, Session},
    errors::ErrorCode,
    wire::Page,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::process::Stdio;

on_both_databases!(
    crate::links::with_outbox;
    signing_up_sends_the_link_that_confirms_the_address,
    a_link_signs_in_once,
    a_newer_link_ends_the_older,
    a_link_ends_after_its_time,
    a_link_is_good_for_its_purpose_only,
    signing_in_by_link_puts_out_whoever_did_not_have_the_address,
    a_password_is_reset_by_link,
    known_and_unknown_addresses_get_the_same_answer,
    the_password_is_changed_by_whoever_knows_it,
    an_address_changes_when_both_have_agreed,
    a_change_of_the_address_is_given_up,
    an_address_of_another_account_is_refused,
);

pub fn with_outbox(config: &mut Config) {
    config.mail = MailConfig::Outbox;
}

fn with_few_mails(config: &mut Config) {
    with_outbox(config);
    config.rate_limits.mail = 3;
}

const PASSWORD: &str = "correct horse battery";
const MAGIC: &str = "/api/v1/auth/magic-link";
const RESET: &str = "/api/v1/auth/password-reset";
const VERIFY: &str = "/api/v1/auth/verification";

/// The newest mail to an address with such a subject.
pub async fn mail(server: &TestServer, to: &str, subject: &str) -> OutboxMail {
    let wanted = |mail: &OutboxMail| mail.to == to && mail.subject == subject;
    let ready = |mails: &OutboxMails| mails.items.iter().any(wanted);
    let mails = server.anonymous().wait("/api/v1/outbox", ready).await;
    mails.items.into_iter().find(wanted).unwrap()
}

/// The token in the mail's one link, which both parts show.
pub fn token_of(mail: &OutboxMail) -> String {
    let (before, rest) = mail.text.split_once("#token=").unwrap();
    let token: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(token.len(), 64, "{}", mail.text);
    let link = format!("{}#token={token}", before.lines().last().unwrap());
    assert!(mail.html.contains(&format!("<a href=\"{link}\">")), "{}", mail.html);
    assert_eq!(
        (mail.text.matches("#token").count(), mail.html.matches("#token").count()),
        (1, 1)
    );
    token
}

async fn token_for(server: &TestServer, to: &str, subject: &str) -> String {
    token_of(&mail(server, to, subject).await)
}

const TO_VERIFY: &str = "Confirm your e-mail address";
const TO_SIGN_IN: &str = "Your link to sign in";
const TO_RESET: &str = "Choose a new password";
const MEMBER: &str = "member@example.org";

async fn redeem(client: &Client, path: &str, token: &str) -> Answer {
    client.post(&format!("{path}/redeem"), json!({"token": token})).await
}

async fn reset(client: &Client, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    client.post("/api/v1/auth/password-reset/redeem", body).await
}

async fn ask(client: &Client, path: &str, email: &str) {
    let answer = client.post(path, json!({"email": email})).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
}

async fn sign_in(server: &TestServer, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    server.anonymous().post("/api/v1/auth/sign-in", body).await
}

async fn session(client: &Client) -> Session {
    client.get("/api/v1/auth/session").await.data()
}

async fn is_signed_out(client: &Client) -> bool {
    client.get("/api/v1/auth/session").await.status == StatusCode::UNAUTHORIZED
}

async fn signing_up_sends_the_link_that_confirms_the_address(server: TestServer) {
    let facts: ServerFacts = server.anonymous().get("/api/v1/server").await.data();
    assert_eq!((facts.mail, facts.outbox), (false, true));
    let member = server.member().await;
    assert!(!session(&member).await.user.email_verified);
    let mail = mail(&server, MEMBER, TO_VERIFY).await;
    assert!(mail.text.contains(&format!("{}/verify-email#token=", server.url)));
    let token = token_of(&mail);
    assert_eq!(
        redeem(&server.anonymous(), VERIFY, &token).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(session(&member).await.user.email_verified);
    let again = redeem(&server.anonymous(), VERIFY, &token).await;
    assert_eq!(again.problem().error, ErrorCode::InvalidLink);
    // Confirmed: nothing more is sent.
    assert_eq!(member.post_nothing(VERIFY).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        server
            .number("select count(*) from tasks where name = 'send_link'")
            .await,
        1
    );
}

async fn a_link_signs_in_once(server: TestServer) {
    let member = server.member().await;
    ask(&server.anonymous(), MAGIC, " Member@Example.org ").await;
    let token = token_for(&server, MEMBER, TO_SIGN_IN).await;
    // What a mail scanner does with a link uses nothing up.
    let path = format!("{MAGIC}/redeem");
    for method in [Method::GET, Method::HEAD] {
        let looked = Answer::of(server.anonymous().request(method, &path)).await;
        assert_eq!(looked.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let anonymous = server.anonymous();
    let answers = tokio::join!(
        redeem(&anonymous, MAGIC, &token),
        redeem(&anonymous, MAGIC, &token),
        redeem(&anonymous, MAGIC, &token),
    );
    let answers = [answers.0, answers.1, answers.2];
    let (right, wrong): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((right.len(), wrong.len()), (1, 2));
    assert!(
        wrong
            .iter()
            .all(|answer| answer.problem().error == ErrorCode::InvalidLink)
    );
    let signed_in = member.with_cookie(right[0].session_cookie());
    assert!(session(&signed_in).await.user.email_verified);
}

async fn a_newer_link_ends_the_older(server: TestServer) {
    server.member().await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let older = token_for(&server, MEMBER, TO_SIGN_IN).await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let two = |mails: &OutboxMails| mails.items.iter().filter(|mail| mail.subject == TO_SIGN_IN).count() == 2;
    server.anonymous().wait("/api/v1/outbox", two).await;
    let newer = token_for(&server, MEMBER, TO_SIGN_IN).await;
    let refused = redeem(&server.anonymous(), MAGIC, &older).await;
    assert_eq!(refused.problem().error, ErrorCode::InvalidLink);
    assert_eq!(redeem(&server.anonymous(), MAGIC, &newer).await.status, StatusCode::OK);
}

async fn a_link_ends_after_its_time(server: TestServer) {
    server.member().await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    ask(&server.anonymous(), RESET, MEMBER).await;
    let sign_in = token_for(&server, MEMBER, TO_SIGN_IN).await;
    let new_password = token_for(&server, MEMBER, TO_RESET).await;
    let verify = token_for(&server, MEMBER, TO_VERIFY).await;
    server.execute("update link_tokens set expires_at = created_at").await;
    for answer in [
        redeem(&server.anonymous(), MAGIC, &sign_in).await,
        redeem(&server.anonymous(), VERIFY, &verify).await,
        reset(&server.anonymous(), &new_password, "another password").await,
    ] {
        assert_eq!(answer.problem().error, ErrorCode::InvalidLink);
    }
    assert_eq!(self::sign_in(&server, MEMBER, PASSWORD).await.status, StatusCode::OK);
}

async fn a_link_is_good_for_its_purpose_only(server: TestServer) {
    server.member().await;
    let verify = token_for(&server, MEMBER, TO_VERIFY).await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let sign_in = token_for(&server, MEMBER, TO_SIGN_IN).await;
    for answer in [
        redeem(&server.anonymous(), MAGIC, &verify).await,
        redeem(&server.anonymous(), VERIFY, &sign_in).await,
        redeem(&server.anonymous(), "/api/v1/auth/email-change", &sign_in).await,
        reset(&server.anonymous(), &verify, "another password").await,
        reset(&server.anonymous(), &sign_in, "another password").await,
        redeem(&server.anonymous(), MAGIC, &"0".repeat(64)).await,
    ] {
        assert_eq!(answer.problem().error, ErrorCode::InvalidLink);
    }
    // None of that used them up.
    assert_eq!(
        redeem(&server.anonymous(), MAGIC, &sign_in).await.status,
        StatusCode::OK
    );
}

async fn signing_in_by_link_puts_out_whoever_did_not_have_the_address(server: TestServer) {
    let somebody = server.member().await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let token = token_for(&server, MEMBER, TO_SIGN_IN).await;
    let owner = redeem(&server.anonymous(), MAGIC, &token).await;
    let owner = server.anonymous().with_cookie(owner.session_cookie());
    assert!(is_signed_out(&somebody).await);
    // Once the address is confirmed, other browsers stay signed in.
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let two = |mails: &OutboxMails| mails.items.iter().filter(|mail| mail.subject == TO_SIGN_IN).count() == 2;
    server.anonymous().wait("/api/v1/outbox", two).await;
    let token = token_for(&server, MEMBER, TO_SIGN_IN).await;
    assert_eq!(redeem(&server.anonymous(), MAGIC, &token).await.status, StatusCode::OK);
    assert!(!is_signed_out(&owner).await);
}

async fn a_password_is_reset_by_link(server: TestServer) {
    let member = server.member().await;
    ask(&server.anonymous(), RESET, MEMBER).await;
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let magic = token_for(&server, MEMBER, TO_SIGN_IN).await;
    let token = token_for(&server, MEMBER, TO_RESET).await;
    let short = reset(&server.anonymous(), &token, "short").await.problem();
    assert_eq!(short.details[0].path, "password");
    let answer = reset(&server.anonymous(), &token, "another password").await;
    let signed_in = server.anonymous().with_cookie(answer.session_cookie());
    assert!(answer.data::<Session>().user.email_verified);
    assert!(!is_signed_out(&signed_in).await);
    assert!(is_signed_out(&member).await);
    let old = sign_in(&server, MEMBER, PASSWORD).await;
    assert_eq!(old.problem().error, ErrorCode::WrongCredentials);
    assert_eq!(
        sign_in(&server, MEMBER, "another password").await.status,
        StatusCode::OK
    );
    for answer in [
        reset(&server.anonymous(), &token, "a third password").await,
        redeem(&server.anonymous(), MAGIC, &magic).await,
    ] {
        assert_eq!(answer.problem().error, ErrorCode::InvalidLink);
    }
}

async fn known_and_unknown_addresses_get_the_same_answer(server: TestServer) {
    server.member().await;
    mail(&server, MEMBER, TO_VERIFY).await;
    for path in [MAGIC, RESET] {
        let known = server.anonymous().post(path, json!({"email": MEMBER})).await;
        let unknown = json!({"email": "nobody@example.org"});
        let unknown = server.anonymous().post(path, unknown).await;
        assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
        let names = |answer: &Answer| {
            answer
                .headers
                .keys()
                .map(|name| name.to_string())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&known), names(&unknown));
    }
    // The same work was put off for both; only one finds somebody.
    assert_eq!(
        server
            .number("select count(*) from tasks where name = 'send_link'")
            .await,
        5
    );
    mail(&server, MEMBER, TO_RESET).await;
    let open = "select count(*) from tasks where name = 'send_link' and status <> 'done'";
    let done = async { while server.number(open).await > 0 {} };
    tokio::time::timeout(DEADLINE, done).await.unwrap();
    let mails: OutboxMails = server.anonymous().get("/api/v1/outbox").await.data();
    assert!(mails.items.iter().all(|mail| mail.to == MEMBER));
    assert_eq!(mails.items.len(), 3);
}

async fn the_password_is_changed_by_whoever_knows_it(server: TestServer) {
    let member = server.member().await;
    let other = sign_in(&server, MEMBER, PASSWORD).await;
    let other = server.anonymous().with_cookie(other.session_cookie());
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        member.post("/api/v1/account/password", body).await
    };
    let wrong = change("wrong horse battery", "another password").await.problem();
    assert_eq!(
        (wrong.error, wrong.details[0].path.as_str()),
        (ErrorCode::InvalidRequest, "current_password")
    );
    let answer = change(PASSWORD, "another password").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let rotated = member.with_cookie(answer.session_cookie());
    assert!(!is_signed_out(&rotated).await);
    assert!(is_signed_out(&member).await);
    assert!(is_signed_out(&other).await);
    assert_eq!(
        sign_in(&server, MEMBER, "another password").await.status,
        StatusCode::OK
    );
}

const TO_OLD: &str = "Your e-mail address is about to change";
const TO_NEW: &str = "Confirm your new e-mail address";
const CHANGE: &str = "/api/v1/auth/email-change";

async fn begin_change(member: &Client, email: &str) -> Answer {
    let body = json!({"email": email, "password": PASSWORD});
    member.post("/api/v1/account/email", body).await
}

async fn an_address_changes_when_both_have_agreed(server: TestServer) {
    let member = server.member().await;
    let wrong = json!({"email": "new@example.org", "password": "wrong horse battery"});
    let wrong = member.post("/api/v1/account/email", wrong).await.problem();
    assert_eq!(wrong.details[0].path, "password");
    let other = sign_in(&server, MEMBER, PASSWORD).await;
    let other = server.anonymous().with_cookie(other.session_cookie());
    ask(&server.anonymous(), MAGIC, MEMBER).await;
    let magic = token_for(&server, MEMBER, TO_SIGN_IN).await;
    let answer = begin_change(&member, "New@example.org").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let (old, new) = (
        token_for(&server, MEMBER, TO_OLD).await,
        token_for(&server, "New@example.org", TO_NEW).await,
    );
    let first: EmailChange = redeem(&server.anonymous(), CHANGE, &new).await.data();
    assert_eq!((first.old_confirmed, first.new_confirmed), (false, true));
    assert_eq!(session(&member).await.user.email, MEMBER);
    assert_eq!(
        redeem(&member, CHANGE, &new).await.problem().error,
        ErrorCode::InvalidLink
    );
    let second = redeem(&member, CHANGE, &old).await;
    let rotated = member.with_cookie(second.session_cookie());
    let second: EmailChange = second.data();
    assert_eq!((second.old_confirmed, second.new_confirmed), (true, true));
    let user = session(&rotated).await.user;
    assert_eq!((user.email.as_str(), user.email_verified), ("New@example.org", true));
    assert!(is_signed_out(&other).await);
    assert!(is_signed_out(&member).await);
    let sessions: Page<DeviceSession> = rotated.get("/api/v1/sessions").await.data();
    assert_eq!(sessions.total, 1);
    assert_eq!(
        sign_in(&server, MEMBER, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        sign_in(&server, "new@example.org", PASSWORD).await.status,
        StatusCode::OK
    );
    let stale = redeem(&server.anonymous(), MAGIC, &magic).await;
    assert_eq!(stale.problem().error, ErrorCode::InvalidLink);
}

async fn a_change_of_the_address_is_given_up(server: TestServer) {
    let member = server.member().await;
    begin_change(&member, "new@example.org").await.data::<EmailChange>();
    let old = token_for(&server, MEMBER, TO_OLD).await;
    let new = token_for(&server, "new@example.org", TO_NEW).await;
    let gone = member.delete("/api/v1/account/email").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    for token in [old, new] {
        let answer = redeem(&member, CHANGE, &token).await;
        assert_eq!(answer.problem().error, ErrorCode::InvalidLink);
    }
    let again = member.delete("/api/v1/account/email").await;
    assert_eq!(again.problem().error, ErrorCode::NotFound);
    assert_eq!(session(&member).await.user.email, MEMBER);
}

async fn an_address_of_another_account_is_refused(server: TestServer) {
    let member = server.member().await;
    server.stranger().await;
    let taken = begin_change(&member, "Stranger@example.org").await;
    assert_eq!(taken.problem().error, ErrorCode::EmailTaken);
    begin_change(&member, "new@example.org").await.data::<EmailChange>();
    let old = token_for(&server, MEMBER, TO_OLD).await;
    let new = token_for(&server, "new@example.org", TO_NEW).await;
    redeem(&member, CHANGE, &old).await.data::<EmailChange>();
    // Somebody else was faster.
    server.sign_up("NEW@example.org").await;
    assert_eq!(redeem(&member, CHANGE, &new).await.problem().error, ErrorCode::Conflict);
    assert_eq!(session(&member).await.user.email, MEMBER);
}

mod with_few_mails {
    use super::*;

    on_both_databases!(crate::links::with_few_mails; mails_to_an_account_are_limited);

    async fn mails_to_an_account_are_limited(server: TestServer) {
        let limit = server.config.rate_limits.mail;
        for email in [MEMBER, "nobody@example.org"] {
            if email == MEMBER {
                server.member().await;
            }
            for _ in 0..limit {
                ask(&server.anonymous(), MAGIC, email).await;
            }
            let surplus = server.anonymous().post(RESET, json!({"email": email})).await;
            assert_eq!(surplus.problem().error, ErrorCode::TooManyRequests);
            assert!(surplus.headers.contains_key("retry-after"));
        }
    }
}

mod without_mail {
    use super::*;

    on_both_databases!(the_operator_is_named, the_operator_makes_a_reset_link_beside_the_server);

    async fn the_operator_is_named(server: TestServer) {
        let member = server.member().await;
        let facts: ServerFacts = member.get("/api/v1/server").await.data();
        assert_eq!((facts.mail, facts.outbox), (false, false));
        for answer in [
            server.anonymous().post(MAGIC, json!({"email": MEMBER})).await,
            server
                .anonymous()
                .post(RESET, json!({"email": "nobody@example.org"}))
                .await,
            member.post_nothing(VERIFY).await,
            begin_change(&member, "new@example.org").await,
        ] {
            let problem = answer.problem();
            assert_eq!(problem.error, ErrorCode::MailUnavailable);
            assert!(
                problem.detail.contains("cerebros admin reset-link"),
                "{}",
                problem.detail
            );
        }
        let outbox = server.anonymous().get("/api/v1/outbox").await;
        assert_eq!(outbox.problem().error, ErrorCode::NotFound);
    }

    async fn the_operator_makes_a_reset_link_beside_the_server(server: TestServer) {
        let member = server.member().await;
        let (found, printed) = reset_link(&server, "Member@example.org").await;
        assert!(found, "{printed}");
        let link = printed.lines().next().unwrap();
        assert!(
            link.starts_with("http://") && link.contains("/reset-password#token="),
            "{link}"
        );
        assert!(printed.contains("15 minutes"), "{printed}");
        let token = link.split_once("#token=").unwrap().1;
        let answer = reset(&server.anonymous(), token, "another password").await;
        // An operator's link says nothing about the address.
        assert!(!answer.data::<Session>().user.email_verified);
        assert!(is_signed_out(&member).await);
        assert_eq!(
            sign_in(&server, MEMBER, "another password").await.status,
            StatusCode::OK
        );
        let again = reset(&server.anonymous(), token, "a third password").await;
        assert_eq!(again.problem().error, ErrorCode::InvalidLink);
        let (found, printed) = reset_link(&server, "nobody@example.org").await;
        assert!(!found && printed.is_empty(), "{printed}");
    }
}

/// What the operator's command prints, and whether it found the account.
async fn reset_link(server: &TestServer, email: &str) -> (bool, String) {
    let command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cerebros"))
        .args(["admin", "reset-link", email])
        .env("DATA_DIR", &server.config.data_dir)
        .env("DATABASE_URL", &server.config.database_url)
        .stderr(Stdio::null())
        .output();
    let output = tokio::time::timeout(DEADLINE, command).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}
