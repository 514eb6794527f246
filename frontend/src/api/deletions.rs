//! Deleting for good.

use super::{Answer, get, post};
use cerebros_common::{
    deletions::{Deletion, DeletionPreview, DeletionTarget, NewDeletion, Receipt},
    ids::{DeletionId, ReceiptId},
};

pub async fn preview_deletion(body: DeletionTarget) -> Answer<DeletionPreview> {
    post("/deletions/preview", &body).await
}

pub async fn create_deletion(body: NewDeletion) -> Answer<Deletion> {
    post("/deletions", &body).await
}

pub async fn find_deletion(id: DeletionId) -> Answer<Deletion> {
    get(&format!("/deletions/{id}")).await
}

pub async fn find_receipt(id: ReceiptId) -> Answer<Receipt> {
    get(&format!("/receipts/{id}")).await
}
