//! Bases: the models that training starts from.

use super::{Answer, get, list, post};
use cerebros_common::{
    bases::{Base, BaseQuery, NewBase},
    ids::BaseId,
    wire::Page,
};

pub async fn list_bases(query: BaseQuery) -> Answer<Page<Base>> {
    list("/bases", &query).await
}

pub async fn find_base(id: BaseId) -> Answer<Base> {
    get(&format!("/bases/{id}")).await
}

pub async fn create_base(body: NewBase) -> Answer<Base> {
    post("/bases", &body).await
}
