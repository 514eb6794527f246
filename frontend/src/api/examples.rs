//! Training examples.

use super::{Answer, delete, list, patch, post};
use cerebros_common::{
    examples::{Example, ExamplePatch, ExampleQuery, ExampleReview, ExampleReviewResult, NewExample},
    ids::ExampleId,
    wire::CursorPage,
};

pub async fn list_examples(query: ExampleQuery) -> Answer<CursorPage<Example>> {
    list("/examples", &query).await
}

pub async fn create_example(body: NewExample) -> Answer<Example> {
    post("/examples", &body).await
}

pub async fn update_example(id: ExampleId, version: i64, body: ExamplePatch) -> Answer<Example> {
    patch(&format!("/examples/{id}"), version, &body).await
}

pub async fn delete_example(id: ExampleId, version: i64) -> Answer<()> {
    delete(&format!("/examples/{id}"), Some(version)).await
}

pub async fn review_examples(body: ExampleReview) -> Answer<ExampleReviewResult> {
    post("/examples/review", &body).await
}
