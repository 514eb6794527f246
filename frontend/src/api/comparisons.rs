//! Comparisons of two models.

use super::{Answer, delete, get, list, order, post, send};
use cerebros_common::{
    comparisons::{Comparison, ComparisonQuery, ComparisonRound, NewComparison, NewVote},
    ids::{ComparisonId, ComparisonRoundId},
    wire::{Page, PageQuery},
};
use gloo_net::http::Method;

pub async fn list_comparisons(query: ComparisonQuery) -> Answer<Page<Comparison>> {
    list("/comparisons", &query).await
}

pub async fn create_comparison(new: NewComparison) -> Answer<Comparison> {
    post("/comparisons", &new).await
}

pub async fn find_comparison(id: ComparisonId) -> Answer<Comparison> {
    get(&format!("/comparisons/{id}")).await
}

pub async fn judge_comparison(id: ComparisonId) -> Answer<Comparison> {
    order(&format!("/comparisons/{id}/judge")).await
}

pub async fn delete_comparison(id: ComparisonId) -> Answer<()> {
    delete(&format!("/comparisons/{id}"), None).await
}

pub async fn list_rounds(id: ComparisonId) -> Answer<Page<ComparisonRound>> {
    list(&format!("/comparisons/{id}/rounds"), &PageQuery::default()).await
}

pub async fn vote_on_round(id: ComparisonRoundId, new: NewVote) -> Answer<ComparisonRound> {
    send(Method::PUT, &format!("/comparison-rounds/{id}/vote"), None, &new).await
}
