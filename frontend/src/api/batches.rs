//! Batches of generated examples.

use super::{Answer, get, list, order, post};
use cerebros_common::{
    batches::{Batch, BatchEstimate, BatchItem, BatchItemQuery, BatchQuery, NewBatch},
    ids::BatchId,
    wire::{CursorPage, Page},
};

pub async fn list_batches(query: BatchQuery) -> Answer<Page<Batch>> {
    list("/batches", &query).await
}

pub async fn create_batch(body: NewBatch) -> Answer<Batch> {
    post("/batches", &body).await
}

pub async fn estimate_batch(body: NewBatch) -> Answer<BatchEstimate> {
    post("/batches/estimate", &body).await
}

pub async fn find_batch(id: BatchId) -> Answer<Batch> {
    get(&format!("/batches/{id}")).await
}

pub async fn pause_batch(id: BatchId) -> Answer<Batch> {
    order(&format!("/batches/{id}/pause")).await
}

pub async fn resume_batch(id: BatchId) -> Answer<Batch> {
    order(&format!("/batches/{id}/resume")).await
}

pub async fn cancel_batch(id: BatchId) -> Answer<Batch> {
    order(&format!("/batches/{id}/cancel")).await
}

pub async fn retry_batch(id: BatchId) -> Answer<Batch> {
    order(&format!("/batches/{id}/retry")).await
}

pub async fn list_batch_items(id: BatchId, query: BatchItemQuery) -> Answer<CursorPage<BatchItem>> {
    list(&format!("/batches/{id}/items"), &query).await
}
