//! What models cost.

use super::{Answer, delete, get, send};
use crate::address::word;
use cerebros_common::{
    llm_settings::LlmProvider,
    prices::{NewPrice, Price, Prices},
};
use gloo_net::http::Method;

pub async fn list_prices() -> Answer<Prices> {
    get("/prices").await
}

pub async fn put_price(provider: LlmProvider, model: &str, body: NewPrice) -> Answer<Price> {
    send(Method::PUT, &path(provider, model), None, &body).await
}

pub async fn delete_price(provider: LlmProvider, model: &str) -> Answer<()> {
    delete(&path(provider, model), None).await
}

fn path(provider: LlmProvider, model: &str) -> String {
    let model = String::from(js_sys::encode_uri_component(model));
    format!("/prices/{}/{model}", word(&provider))
}
