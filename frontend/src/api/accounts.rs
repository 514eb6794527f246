//! Signing up, in and out; links from mails; the profile.

use super::{Answer, delete, exchange, get, list, patch, post, send_blob, tell};
use cerebros_common::{
    accounts::{
        DeviceSession, EmailChange, LinkRequest, LinkToken, NewEmailChange, OutboxMail, PasswordChange, PasswordReset,
        Profile, ProfilePatch, ServerFacts, Session, SignIn, SignUp,
    },
    ids::SessionId,
    wire::{Page, PageQuery},
};
use gloo_net::http::Method;
use serde::Deserialize;
use web_sys::File;

pub async fn find_server() -> Answer<ServerFacts> {
    get("/server").await
}

pub async fn sign_up(body: SignUp) -> Answer<Session> {
    post("/auth/sign-up", &body).await
}

pub async fn sign_in(body: SignIn) -> Answer<Session> {
    post("/auth/sign-in", &body).await
}

pub async fn sign_out() -> Answer<()> {
    exchange(Method::POST, "/auth/sign-out", None, None).await.map(|_| ())
}

pub async fn find_session() -> Answer<Session> {
    get("/auth/session").await
}

pub async fn send_magic_link(body: LinkRequest) -> Answer<()> {
    tell("/auth/magic-link", &body).await
}

pub async fn redeem_magic_link(body: LinkToken) -> Answer<Session> {
    post("/auth/magic-link/redeem", &body).await
}

pub async fn send_password_reset(body: LinkRequest) -> Answer<()> {
    tell("/auth/password-reset", &body).await
}

pub async fn reset_password(body: PasswordReset) -> Answer<Session> {
    post("/auth/password-reset/redeem", &body).await
}

pub async fn send_verification() -> Answer<()> {
    exchange(Method::POST, "/auth/verification", None, None)
        .await
        .map(|_| ())
}

pub async fn verify_email(body: LinkToken) -> Answer<()> {
    tell("/auth/verification/redeem", &body).await
}

pub async fn confirm_email_change(body: LinkToken) -> Answer<EmailChange> {
    post("/auth/email-change/redeem", &body).await
}

pub async fn change_password(body: PasswordChange) -> Answer<Session> {
    post("/account/password", &body).await
}

pub async fn change_email(body: NewEmailChange) -> Answer<EmailChange> {
    post("/account/email", &body).await
}

pub async fn give_up_email_change() -> Answer<()> {
    delete("/account/email", None).await
}

pub async fn find_profile() -> Answer<Profile> {
    get("/account").await
}

pub async fn update_profile(version: i64, body: ProfilePatch) -> Answer<Profile> {
    patch("/account", version, &body).await
}

pub async fn store_avatar(file: File) -> Answer<Profile> {
    send_blob(Method::PUT, "/account/avatar", &file).await
}

pub async fn delete_avatar() -> Answer<Profile> {
    super::decode(&exchange(Method::DELETE, "/account/avatar", None, None).await?)
}

pub async fn list_sessions(query: PageQuery) -> Answer<Page<DeviceSession>> {
    list("/sessions", &query).await
}

pub async fn end_session(id: SessionId) -> Answer<()> {
    delete(&format!("/sessions/{id}"), None).await
}

/// Ends all but the present one.
pub async fn end_other_sessions() -> Answer<()> {
    delete("/sessions", None).await
}

pub async fn list_outbox() -> Answer<Vec<OutboxMail>> {
    #[derive(Deserialize)]
    struct Outbox {
        items: Vec<OutboxMail>,
    }
    get::<Outbox>("/outbox").await.map(|outbox| outbox.items)
}
