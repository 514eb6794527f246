//! Signing up, in and out.

use super::{Answer, exchange, get, post};
use cerebros_common::accounts::{Session, SignIn, SignUp};
use gloo_net::http::Method;

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
