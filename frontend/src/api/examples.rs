//! Training examples.

use super::{Answer, delete, get, list, order_at, patch, post, send_post, tell};
use cerebros_common::{
    examples::{
        ClaimedExamples, Example, ExampleClaim, ExampleJudgement, ExampleLine, ExampleOutlineQuery, ExamplePatch,
        ExampleRelease, ExampleReview, ExampleReviewResult, ExampleSplit, ExampleSummary, ExampleSummaryQuery,
        NewExample, SplitExamples,
    },
    ids::ExampleId,
    wire::CursorPage,
};

pub async fn outline_examples(query: ExampleOutlineQuery) -> Answer<CursorPage<ExampleLine>> {
    list("/examples/outline", &query).await
}

pub async fn summarize_examples(query: ExampleSummaryQuery) -> Answer<ExampleSummary> {
    list("/examples/summary", &query).await
}

pub async fn find_example(id: ExampleId) -> Answer<Example> {
    get(&format!("/examples/{id}")).await
}

pub async fn create_example(body: NewExample) -> Answer<Example> {
    post("/examples", &body).await
}

pub async fn update_example(id: ExampleId, version: i64, body: ExamplePatch) -> Answer<Example> {
    patch(&format!("/examples/{id}"), version, &body).await
}

pub async fn judge_example(id: ExampleId, version: i64, body: ExampleJudgement) -> Answer<Example> {
    send_post(&format!("/examples/{id}/judge"), version, &body).await
}

pub async fn undo_example(id: ExampleId, version: i64) -> Answer<Example> {
    order_at(&format!("/examples/{id}/undo"), version).await
}

pub async fn split_example(id: ExampleId, version: i64, body: ExampleSplit) -> Answer<SplitExamples> {
    send_post(&format!("/examples/{id}/split"), version, &body).await
}

pub async fn delete_example(id: ExampleId, version: i64) -> Answer<()> {
    delete(&format!("/examples/{id}"), Some(version)).await
}

pub async fn review_examples(body: ExampleReview) -> Answer<ExampleReviewResult> {
    post("/examples/review", &body).await
}

pub async fn claim_examples(body: ExampleClaim) -> Answer<ClaimedExamples> {
    post("/examples/claim", &body).await
}

pub async fn release_examples(body: ExampleRelease) -> Answer<()> {
    tell("/examples/release", &body).await
}
